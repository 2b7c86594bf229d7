//! Stored responses belong to a project, and stay with their upstream.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use reqwest::Response;
use serde_json::{Value, json};

use super::super::upstream::{Script, Upstream};
use super::super::{Gateway, inference_key, refused};
use super::streams::{completed, created, delta};
use super::{answer, asks, response, send, usage};
use crate::test_app::{Backend, TestApp};

async fn ask(app: &TestApp, method: Method, path: &str, key: &str) -> Response {
    let url = format!("{}/v1/responses/{path}", app.base);
    app.http.request(method, url).bearer_auth(key).send().await.unwrap()
}

/// Makes a response with this ID.
async fn make(gateway: &Gateway, key: &str, id: &str) {
    gateway.upstream.script("make", answer(&response(id)));
    let made = send(&gateway.app, key, &asks("make")).await;
    assert_eq!(made.status(), 200);
    made.bytes().await.unwrap();
}

fn continues(id: &str) -> Value {
    let mut body = asks("make");
    body["previous_response_id"] = json!(id);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_response_is_for_its_project_only() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let (other, _) = gateway.key(json!({ "name": "other" })).await;
    let bob = gateway.app.sign_in("bob").await;
    gateway.app.set_tier(&bob, "enterprise").await;
    let (foreign, _) = inference_key(&gateway.app, &bob, json!({ "name": "b" })).await;
    make(&gateway, &key, "resp_1").await;
    gateway.upstream.script("responses/resp_1", answer(&response("resp_1")));
    let items = json!({ "object": "list", "data": [] });
    gateway.upstream.script("responses/resp_1/input_items", answer(&items));
    for key in [&key, &other] {
        let read = ask(&gateway.app, Method::GET, "resp_1", key).await;
        assert_eq!(read.text().await.unwrap(), response("resp_1").to_string());
    }
    let listed = ask(&gateway.app, Method::GET, "resp_1/input_items?limit=2&key=x", &key).await;
    assert_eq!(listed.json::<Value>().await.unwrap(), items);
    let seen = gateway.upstream.seen();
    let last = seen.last().unwrap();
    assert_eq!((&last.method, last.query.as_str()), (&Method::GET, "limit=2"));
    assert!(last.headers.get("authorization").is_none(), "no key of ours reaches an upstream");
    let calls = seen.len();
    for (method, path) in [
        (Method::GET, "resp_1"),
        (Method::DELETE, "resp_1"),
        (Method::POST, "resp_1/cancel"),
        (Method::GET, "resp_1/input_items"),
    ] {
        refused(ask(&gateway.app, method, path, &foreign).await, 404, "not_found").await;
    }
    refused(ask(&gateway.app, Method::GET, "resp_2", &key).await, 404, "not_found").await;
    let continued = send(&gateway.app, &foreign, &continues("resp_1")).await;
    let body = refused(continued, 404, "previous_response_not_found").await;
    assert_eq!(body["error"]["param"], "previous_response_id");
    assert_eq!(gateway.upstream.seen().len(), calls, "none of it reached the upstream");
    let totals = &usage(&gateway, &id).await["totals"];
    assert_eq!(totals["requests"], 4, "each read is a request");
    assert_eq!(totals["prompt_tokens"], 7, "and costs no tokens");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_response_is_unknown() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    make(&gateway, &key, "resp_1").await;
    let gone = json!({ "id": "resp_1", "object": "response", "deleted": true });
    gateway.upstream.script("responses/resp_1", answer(&gone));
    for is_written in [true, false] {
        make(&gateway, &key, "resp_1").await;
        if is_written {
            gateway.app.services.checker.write_responses().await.unwrap();
        }
        let deleted = ask(&gateway.app, Method::DELETE, "resp_1", &key).await;
        assert_eq!(deleted.json::<Value>().await.unwrap(), gone);
        assert_eq!(gateway.upstream.seen().last().unwrap().method, Method::DELETE);
        gateway.app.services.checker.write_responses().await.unwrap();
        refused(ask(&gateway.app, Method::GET, "resp_1", &key).await, 404, "not_found").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn response_that_is_not_stored_is_unknown() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    gateway.upstream.script("make", answer(&response("resp_1")));
    let mut body = asks("make");
    body["store"] = json!(false);
    send(&gateway.app, &key, &body).await.bytes().await.unwrap();
    refused(ask(&gateway.app, Method::GET, "resp_1", &key).await, 404, "not_found").await;
    let continued = send(&gateway.app, &key, &continues("resp_1")).await;
    refused(continued, 404, "previous_response_not_found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn id_of_a_response_may_have_1024_characters() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    for (id, is_known) in
        [("r".repeat(600), true), ("r".repeat(1_024), true), ("r".repeat(1_025), false)]
    {
        make(&gateway, &key, &id).await;
        gateway.upstream.script(&format!("responses/{id}"), answer(&response(&id)));
        let read = ask(&gateway.app, Method::GET, &id, &key).await;
        assert_eq!(read.status(), if is_known { 200 } else { 404 }, "{}", id.len());
        let continued = send(&gateway.app, &key, &continues(&id)).await;
        assert_eq!(continued.status(), if is_known { 200 } else { 404 }, "{}", id.len());
    }
    make(&gateway, &key, "a b/../c?d").await;
    gateway.upstream.script("responses/a%20b%2F%2E%2E%2Fc%3Fd", answer(&response("odd")));
    let read = ask(&gateway.app, Method::GET, "a%20b%2F..%2Fc%3Fd", &key).await;
    assert_eq!(read.json::<Value>().await.unwrap()["id"], "odd", "it is one segment");
}

#[tokio::test(flavor = "multi_thread")]
async fn streamed_response_is_stored_and_resumed() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let events = [created("resp_1"), delta(1, "Hi there"), completed(2, "resp_1")];
    let parts = |events: &[String]| events.iter().map(|event| Bytes::from(event.clone())).collect();
    gateway.upstream.script("make", Script::Stream(parts(&events)));
    let mut body = asks("make");
    body["stream"] = json!(true);
    send(&gateway.app, &key, &body).await.bytes().await.unwrap();
    let headers = vec![("content-type", "text/event-stream".to_owned())];
    let raw = |events: &[String]| Script::Raw(200, headers.clone(), events.concat().into());
    gateway.upstream.script("responses/resp_1", raw(&events[1..]));
    let path = "resp_1?stream=true&starting_after=0";
    let resumed = ask(&gateway.app, Method::GET, path, &key).await;
    assert_eq!(resumed.headers()["content-type"], "text/event-stream");
    assert_eq!(resumed.text().await.unwrap(), events[1..].concat());
    assert_eq!(gateway.upstream.seen().last().unwrap().query, "stream=true&starting_after=0");
    gateway.upstream.script("responses/resp_1", raw(&events[1..2]));
    let cut = ask(&gateway.app, Method::GET, path, &key).await.text().await.unwrap();
    let rest = cut.strip_prefix(&events[1]).unwrap();
    assert!(rest.contains("event: response.failed") && rest.contains("\"resp_1\""), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_about_a_stored_response_is_in_the_upstreams_words() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    make(&gateway, &key, "resp_1").await;
    let error = json!({ "message": "Cannot cancel a synchronous response at http://10.0.0.7/v1." });
    let error = json!({ "error": error }).to_string();
    gateway.upstream.script("responses/resp_1/cancel", Script::Raw(400, vec![], error.into()));
    let cancelled = ask(&gateway.app, Method::POST, "resp_1/cancel", &key).await;
    assert_eq!(cancelled.status(), 400);
    let told = cancelled.text().await.unwrap();
    assert!(told.contains("Cannot cancel") && !told.contains("10.0.0.7"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_counts_requests_for_stored_responses() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    make(&gateway, &key, "resp_1").await;
    let read = async || {
        let read = ask(&gateway.app, Method::GET, "resp_1", &key).await;
        read.bytes().await.unwrap();
        let root = gateway.app.sign_in("root").await;
        let list = gateway.app.json("/v1/upstreams", &root.jwt).await;
        ["calls", "errors", "last_failure"].map(|name| list["data"][0][name].clone())
    };
    gateway.upstream.script("responses/resp_1", answer(&response("resp_1")));
    assert_eq!(read().await, [json!(2), json!(0), Value::Null]);
    let error = json!({ "error": { "message": "lost" } }).to_string();
    gateway.upstream.script("responses/resp_1", Script::Raw(500, vec![], error.into()));
    let [calls, errors, failure] = read().await;
    assert_eq!((calls, errors, &failure["message"]), (json!(3), json!(1), &json!("lost")));
}

#[tokio::test(flavor = "multi_thread")]
async fn conversation_goes_to_the_upstream_that_has_it() {
    let (second, base_url) = Upstream::start().await;
    let more = format!(
        "models = [\"shared\"]\n[[upstream]]\nname = \"second\"\nbase_url = \"{base_url}\"\n\
         models = [\"shared\"]\n[[upstream]]\nname = \"third\"\nbase_url = \"{base_url}\""
    );
    // The first two share a model. The third gets the models that the first one usually has.
    let gateway = Gateway::with(Backend::Sqlite, &more, &[]).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    second.script("make", answer(&response("resp_second")));
    gateway.upstream.script("make", answer(&response("resp_first")));
    let on = |previous: Option<&str>| {
        json!({
            "model": "shared", "user": "make", "input": "Hi", "previous_response_id": previous,
        })
    };
    while second.seen().is_empty() || gateway.upstream.seen().is_empty() {
        send(&gateway.app, &key, &on(None)).await.bytes().await.unwrap();
    }
    for (id, upstream) in [("resp_first", &gateway.upstream), ("resp_second", &second)] {
        let before = upstream.seen().len();
        for _ in 0..6 {
            let told = send(&gateway.app, &key, &on(Some(id))).await;
            assert_eq!(told.json::<Value>().await.unwrap()["id"], id);
        }
        assert_eq!(upstream.seen().len(), before + 6, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn test_key_and_upstream_know_nothing_of_each_other() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (live, _) = gateway.key(json!({ "name": "live" })).await;
    let (test, _) = gateway.key(json!({ "name": "test", "environment": "test" })).await;
    make(&gateway, &live, "resp_1").await;
    let calls = gateway.upstream.seen().len();
    refused(ask(&gateway.app, Method::GET, "resp_1", &test).await, 404, "not_found").await;
    let continued = send(&gateway.app, &test, &continues("resp_1")).await;
    refused(continued, 404, "previous_response_not_found").await;
    let made = send(&gateway.app, &test, &asks("make")).await.json::<Value>().await.unwrap();
    let continued = send(&gateway.app, &live, &continues(made["id"].as_str().unwrap())).await;
    refused(continued, 404, "previous_response_not_found").await;
    assert_eq!(gateway.upstream.seen().len(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_response_expires_after_30_days() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    make(&gateway, &key, "resp_1").await;
    gateway.app.services.checker.write_responses().await.unwrap();
    gateway.upstream.script("responses/resp_1", answer(&response("resp_1")));
    gateway.app.advance(Duration::from_hours(30 * 24 - 1));
    assert_eq!(ask(&gateway.app, Method::GET, "resp_1", &key).await.status(), 200);
    gateway.app.advance(Duration::from_hours(1));
    refused(ask(&gateway.app, Method::GET, "resp_1", &key).await, 404, "not_found").await;
}

/// A node that looks for a response finds it as soon as the node that made it has written it.
async fn check_another_node(backend: Backend) {
    let gateway = Gateway::on(backend).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    make(&gateway, &key, "resp_1").await;
    gateway.upstream.script("responses/resp_1", answer(&response("resp_1")));
    let checker = gateway.app.services.checker.clone();
    checker.response_added().await;
    let base = gateway.app.serve(gateway.app.second_node().await).await;
    let url = format!("{base}/v1/responses/resp_1");
    let read = || gateway.app.http.get(&url).bearer_auth(&key).send();
    checker.write_responses().await.unwrap();
    assert_eq!(read().await.unwrap().status(), 200);
    let deleted = gateway.app.http.delete(&url).bearer_auth(&key).send().await.unwrap();
    assert_eq!(deleted.status(), 200);
    refused(ask(&gateway.app, Method::GET, "resp_1", &key).await, 404, "not_found").await;
    refused(read().await.unwrap(), 404, "not_found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_finds_a_response_on_sqlite() {
    check_another_node(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_finds_a_response_on_postgres() {
    check_another_node(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_waits_for_a_response_to_be_written() {
    let gateway = Gateway::on(Backend::Postgres).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    make(&gateway, &key, "resp_1").await;
    gateway.upstream.script("responses/resp_1", answer(&response("resp_1")));
    let base = gateway.app.serve(gateway.app.second_node().await).await;
    let url = format!("{base}/v1/responses/resp_1");
    let reading = gateway.app.http.get(&url).bearer_auth(&key).send();
    let writing = gateway.app.services.checker.write_responses();
    let (read, written) = tokio::join!(reading, writing);
    written.unwrap();
    assert_eq!(read.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_project_leaves_no_stored_responses() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    make(&gateway, &key, "resp_1").await;
    gateway.app.services.checker.write_responses().await.unwrap();
    let telemetry = gateway.app.telemetry().await;
    let rows = async || crate::test_app::count_rows(&telemetry, "stored_responses").await;
    assert_eq!(rows().await, 1);
    let path = format!("/v1/projects/{}", gateway.ada.project);
    let deleted = gateway.app.send(Method::DELETE, &path, &gateway.ada, &Value::Null).await;
    assert!(deleted.status().is_success());
    assert_eq!(rows().await, 0);
}
