//! No body unfolds to much more than it may hold, whatever it is made of.

use serde_json::json;

use super::hostile::gzip_bomb;
use super::protobuf::{field, request, span};
use super::{JSON, PROTOBUF, SPAN, TRACE};
use crate::process::{Process, client, generate, sign_in};

/// What one call may take beside what the server has anyway: the body as it came, unpacked and
/// taken apart.
const ROOM_KB: u64 = 256 * 1024;

/// Millions of the smallest elements there are, wherever a list can stand.
fn bodies() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    const ALMOST: usize = 20 * 1024 * 1024 - 4_096;
    let empty = |number: u64| field(number, []).repeat(ALMOST / 2);
    let in_span = |part: Vec<u8>| request(&[[span("a"), part].concat()]);
    let any = |value: Vec<u8>| in_span(field(9, [field(1, "a"), field(2, value)].concat()));
    let list = |name: &str, element: &str| {
        let elements = vec![element; ALMOST / (element.len() + 1)].join(",");
        json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
            "traceId": TRACE, "spanId": SPAN, name: "elements",
        }]}]}]})
        .to_string()
        .replace("\"elements\"", &format!("[{elements}]"))
        .into_bytes()
    };
    let top = |body: &str| {
        let elements = vec!["{}"; ALMOST / 3].join(",");
        body.replace('?', &elements).into_bytes()
    };
    vec![
        ("a bomb", PROTOBUF, gzip_bomb()),
        ("resources", PROTOBUF, empty(1)),
        ("scopes", PROTOBUF, field(1, empty(2))),
        ("spans", PROTOBUF, field(1, field(2, empty(2)))),
        ("attributes", PROTOBUF, in_span(empty(9))),
        ("events", PROTOBUF, in_span(empty(11))),
        ("links", PROTOBUF, in_span(empty(13))),
        ("an array", PROTOBUF, any(field(5, empty(1)))),
        ("a map", PROTOBUF, any(field(6, empty(1)))),
        ("resources", JSON, top(r#"{"resourceSpans":[?]}"#)),
        ("spans", JSON, top(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[?]}]}]}"#)),
        ("attributes", JSON, list("attributes", "{}")),
        ("numbers", JSON, list("startTimeUnixNano", "0")),
        ("unknown", JSON, list("unknown", "[]")),
    ]
}

#[tokio::test]
async fn hostile_bodies_take_bounded_memory() {
    let (folder, client) = (tempfile::tempdir().unwrap(), client());
    let process = Process::start(&folder, &client).await;
    let (jwt, application) = sign_in(&client, &process.base).await;
    let key = generate(&client, &process.base, &jwt, &application).await;
    let before = process.peak_memory();
    for (what, kind, body) in bodies() {
        let request = client.post(format!("{}/v1/traces", process.base)).header("x-api-key", &key);
        let coding = if what == "a bomb" { "gzip" } else { "identity" };
        let request = request.header("content-type", kind).header("content-encoding", coding);
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert!([200, 413, 422].contains(&status), "{what} in {kind}: {status} {text}");
        let more = process.peak_memory() - before;
        println!("{what} in {kind}: {status}, {} MiB more", more / 1024);
        assert!(more < ROOM_KB, "{what} in {kind}: {} MiB more", more / 1024);
    }
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}
