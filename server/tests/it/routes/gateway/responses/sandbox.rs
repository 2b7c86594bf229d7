//! The sandbox's answers in the form of the Responses API.

use std::time::Duration;

use axum::http::Method;
use latchkey_services::usage::purge_sandbox_responses;
use serde_json::{Value, json};

use super::super::{inference_key, refused};
use super::send;
use crate::test_app::{Backend, TestApp, count_rows, text};

async fn newcomer() -> (TestApp, String) {
    newcomer_on(Backend::Sqlite).await
}

async fn newcomer_on(backend: Backend) -> (TestApp, String) {
    let app = TestApp::on(backend).await;
    let ada = app.sign_in("ada").await;
    let (key, _) = inference_key(&app, &ada, json!({ "name": "first" })).await;
    (app, key)
}

fn asks(input: &Value) -> Value {
    json!({ "model": "sandbox", "input": input })
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_answers_with_a_response() {
    let (app, key) = newcomer().await;
    let items = json!([
        { "role": "developer", "content": "Be brief." },
        { "role": "user", "content": [{ "type": "input_text", "text": "Hi" }] },
    ]);
    for input in [json!("Hi"), items] {
        let told = send(&app, &key, &asks(&input)).await;
        assert_eq!(told.status(), 200);
        let told: Value = told.json().await.unwrap();
        assert_eq!((&told["object"], &told["status"]), (&json!("response"), &json!("completed")));
        let said = text(&told["output"][0]["content"][0]["text"]);
        assert!(said.ends_with("You said: Hi"), "{said}");
        assert_eq!(told["usage"]["output_tokens"], said.len().div_ceil(4));
        let again: Value = send(&app, &key, &asks(&input)).await.json().await.unwrap();
        assert_eq!(told, again, "it answers the same every time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_streams_stores_and_deletes_responses() {
    let (app, key) = newcomer().await;
    let mut body = asks(&json!("Hi"));
    body["stream"] = json!(true);
    let streamed = send(&app, &key, &body).await;
    assert_eq!(streamed.headers()["content-type"], "text/event-stream");
    let streamed = streamed.text().await.unwrap();
    let last = streamed.lines().rfind(|line| line.starts_with("data: ")).unwrap();
    let last: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(last["type"], "response.completed");
    let response = &last["response"];
    let id = text(&response["id"]);
    let ask = async |method: Method, path: &str| {
        let url = format!("{}/v1/responses/{id}{path}", app.base);
        app.http.request(method, url).bearer_auth(&key).send().await.unwrap()
    };
    let read: Value = ask(Method::GET, "").await.json().await.unwrap();
    assert_eq!(&read, response);
    let again = ask(Method::GET, "?stream=true").await.text().await.unwrap();
    assert_eq!(again, streamed);
    let rest = ask(Method::GET, "?stream=true&starting_after=4").await.text().await.unwrap();
    assert!(streamed.ends_with(&rest) && rest.contains("\"sequence_number\":5,"), "{rest}");
    refused(ask(Method::GET, "?stream=true&starting_after=x").await, 400, "invalid").await;
    let items: Value = ask(Method::GET, "/input_items").await.json().await.unwrap();
    assert_eq!(items["data"][0]["content"][0]["text"], "Hi");
    refused(ask(Method::POST, "/cancel").await, 400, "invalid").await;
    let mut next = asks(&json!("And?"));
    next["previous_response_id"] = json!(id);
    let next: Value = send(&app, &key, &next).await.json().await.unwrap();
    assert_eq!(next["previous_response_id"], id);
    let deleted: Value = ask(Method::DELETE, "").await.json().await.unwrap();
    assert_eq!(deleted, json!({ "id": id, "object": "response", "deleted": true }));
    refused(ask(Method::GET, "").await, 404, "not_found").await;
}

async fn check_retention(backend: Backend) {
    let (app, key) = newcomer_on(backend).await;
    let make = async |input: &str| {
        let told: Value = send(&app, &key, &asks(&json!(input))).await.json().await.unwrap();
        app.services.checker.write_responses().await.unwrap();
        text(&told["id"])
    };
    let read = async |id: &str| {
        let url = format!("/v1/responses/{id}");
        app.get(&url).bearer_auth(&key).send().await.unwrap()
    };
    let first = make("Hi").await;
    app.advance(Duration::from_hours(23));
    assert_eq!(read(&first).await.status(), 200);
    app.advance(Duration::from_hours(1));
    refused(read(&first).await, 404, "not_found").await;
    let second = make("Ho").await;
    let telemetry = app.telemetry().await;
    // Of each response, itself and its one item.
    assert_eq!(count_rows(&telemetry, "stored_responses").await, 4);
    purge_sandbox_responses(&app.services).await.unwrap();
    assert_eq!(count_rows(&telemetry, "stored_responses").await, 2);
    assert_eq!(read(&second).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_keeps_a_response_for_24_hours_on_sqlite() {
    check_retention(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_keeps_a_response_for_24_hours_on_postgres() {
    check_retention(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_compacts_a_conversation() {
    let (app, key) = newcomer().await;
    let request = app.post("/v1/responses/compact").bearer_auth(&key).json(&asks(&json!("Hi")));
    let told: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(told["object"], "response.compaction");
    assert_eq!(told["output"][0]["type"], "compaction");
    assert!(told["usage"]["output_tokens"].as_u64().unwrap() > 0);
}
