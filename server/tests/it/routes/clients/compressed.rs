//! Long answers to reads are compressed and tagged; nothing that holds a secret is.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::Response;
use serde_json::{Value, json};

use crate::test_app::{Backend, TestApp, key_path, text};

fn header(answer: &Response, name: &str) -> Option<String> {
    Some(answer.headers().get(name)?.to_str().unwrap().to_owned())
}

async fn ungzipped(answer: Response) -> Vec<u8> {
    let bytes = answer.bytes().await.unwrap();
    let mut plain = Vec::new();
    GzDecoder::new(bytes.as_ref()).read_to_end(&mut plain).unwrap();
    plain
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_to_reads_are_compressed() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.pro("ada").await;
    for number in 0..5 {
        app.create(&ada, &json!({"name": format!("key {number}")})).await;
    }
    let keys = format!("/v1/projects/{}/keys", ada.project);
    let csv = format!("/v1/organizations/{}/audit.csv", ada.organization);
    for path in [&keys, &csv, "/openapi.json", "/openapi/dashboard.json"] {
        let get = |encoding: &'static str| {
            let request = app.get(path).bearer_auth(&ada.jwt);
            request.header("accept-encoding", encoding).send()
        };
        let plain = get("identity").await.unwrap();
        assert_eq!(header(&plain, "content-encoding"), None, "{path}");
        let plain = plain.bytes().await.unwrap();
        let zipped = get("gzip").await.unwrap();
        assert_eq!(header(&zipped, "content-encoding").as_deref(), Some("gzip"), "{path}");
        assert_eq!(header(&zipped, "vary").as_deref(), Some("accept-encoding"), "{path}");
        assert_eq!(ungzipped(zipped).await, plain, "{path}");
        let brotli = get("br, gzip;q=0.5").await.unwrap();
        assert_eq!(header(&brotli, "content-encoding").as_deref(), Some("br"), "{path}");
        assert!(brotli.bytes().await.unwrap().len() < plain.len(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_need_not_fetch_what_it_has() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.pro("ada").await;
    app.create(&ada, &json!({"name": "a"})).await;
    app.create(&ada, &json!({"name": "b"})).await;
    let keys = format!("/v1/projects/{}/keys", ada.project);
    for path in [&keys, "/openapi.json"] {
        let get = || app.get(path).bearer_auth(&ada.jwt).header("accept-encoding", "gzip");
        let tag = header(&get().send().await.unwrap(), "etag").expect("a long answer has a tag");
        let had = get().header("if-none-match", &tag).send().await.unwrap();
        assert_eq!(had.status(), 304, "{path}");
        assert_eq!(header(&had, "etag"), Some(tag), "{path}");
        assert!(had.bytes().await.unwrap().is_empty());
        let other = get().header("if-none-match", "W/\"0\"").send().await.unwrap();
        assert_eq!(other.status(), 200, "{path}");
    }
    let tag = header(&app.get(&keys).bearer_auth(&ada.jwt).send().await.unwrap(), "etag").unwrap();
    app.create(&ada, &json!({"name": "c"})).await;
    let changed = app.get(&keys).bearer_auth(&ada.jwt).header("if-none-match", tag);
    assert_eq!(changed.send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_streams_are_never_compressed() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let name = "x".repeat(64);
    let models: Vec<String> = (0..100).map(|number| format!("model {number} {name}")).collect();
    let body = json!({"name": name, "allowed_models": models});
    let path = format!("/v1/projects/{}/inference/keys", ada.project);
    let made = app.post(&path).bearer_auth(&ada.jwt).header("accept-encoding", "gzip, br");
    let made = made.json(&body).send().await.unwrap();
    assert_eq!(made.status(), 201);
    assert_eq!((header(&made, "content-encoding"), header(&made, "etag")), (None, None));
    let made = made.bytes().await.unwrap();
    assert!(made.len() > 2_000);
    let made: Value = serde_json::from_slice(&made).unwrap();
    let rotate = format!("{}/rotate", key_path(&made));
    let rotated = app.post(&rotate).bearer_auth(&ada.jwt).header("accept-encoding", "gzip");
    let rotated = rotated.send().await.unwrap();
    assert_eq!((rotated.status().as_u16(), header(&rotated, "content-encoding")), (200, None));
    let rotated: Value = rotated.json().await.unwrap();
    for stream in [true, false] {
        let said = "word ".repeat(2_000);
        let body = json!({
            "model": "sandbox", "stream": stream, "messages": [{"role": "user", "content": said}],
        });
        let chat = app.post("/v1/chat/completions").bearer_auth(text(&rotated["key"]));
        let chat = chat.header("accept-encoding", "gzip, br").json(&body).send().await.unwrap();
        assert_eq!((header(&chat, "content-encoding"), header(&chat, "etag")), (None, None));
    }
}
