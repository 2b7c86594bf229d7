//! What requests point at is unknown unless the project made it, or the upstream lets it pass.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::super::upstream::Script;
use super::super::{Gateway, inference_key, refused};
use super::streams::{completed, created, event};
use super::{answer, asks, response, send};
use crate::test_app::Backend;

/// A body whose input has these items of earlier responses.
fn refers_to(ids: &[&str]) -> Value {
    let items = ids.iter().map(|id| json!({ "type": "item_reference", "id": id }));
    let mut body = asks("a");
    body["input"] = items.chain([json!({ "role": "user", "content": "And?" })]).collect();
    body
}

async fn check_items(backend: Backend) {
    let gateway = Gateway::on(backend).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let bob = gateway.app.sign_in("bob").await;
    gateway.app.set_tier(&bob, "enterprise").await;
    let (foreign, _) = inference_key(&gateway.app, &bob, json!({ "name": "b" })).await;
    let mut made = response("resp_1");
    made["output"][0]["id"] = json!("msg_1");
    gateway.upstream.script("a", answer(&made));
    send(&gateway.app, &key, &asks("a")).await.bytes().await.unwrap();
    let added = json!({ "output_index": 0, "item": { "id": "fc_2", "type": "function_call" } });
    let added = event(1, "response.output_item.added", &added);
    let events = [created("resp_2"), added, completed(2, "resp_2")];
    let parts = events.iter().map(|event| Bytes::from(event.clone())).collect();
    gateway.upstream.script("s", Script::Stream(parts));
    let mut streamed = asks("s");
    streamed["stream"] = json!(true);
    send(&gateway.app, &key, &streamed).await.bytes().await.unwrap();
    for is_written in [false, true] {
        if is_written {
            gateway.app.services.checker.write_responses().await.unwrap();
        }
        let body = refers_to(&["msg_1", "fc_2", "msg_1"]);
        let calls = gateway.upstream.seen().len();
        assert_eq!(send(&gateway.app, &key, &body).await.status(), 200);
        assert_eq!(gateway.upstream.seen()[calls].body["input"], body["input"]);
        for (key, ids) in [(&foreign, ["msg_1"]), (&key, ["resp_1"]), (&key, ["msg_9"])] {
            let told = send(&gateway.app, key, &refers_to(&ids)).await;
            let told = refused(told, 404, "not_found").await;
            assert_eq!(told["error"]["param"], "item_reference", "{ids:?}");
        }
        refused(send(&gateway.app, &key, &refers_to(&["msg_1", "msg_9"])).await, 404, "not_found")
            .await;
        let read = gateway.app.get("/v1/responses/msg_1").bearer_auth(&key).send().await.unwrap();
        refused(read, 404, "not_found").await;
        assert_eq!(gateway.upstream.seen().len(), calls + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn item_of_a_response_is_known_to_its_project_on_sqlite() {
    check_items(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn item_of_a_response_is_known_to_its_project_on_postgres() {
    check_items(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn item_of_a_response_that_is_not_stored_is_unknown() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let mut made = response("resp_1");
    made["output"][0]["id"] = json!("msg_1");
    gateway.upstream.script("a", answer(&made));
    let mut body = asks("a");
    body["store"] = json!(false);
    send(&gateway.app, &key, &body).await.bytes().await.unwrap();
    refused(send(&gateway.app, &key, &refers_to(&["msg_1"])).await, 404, "not_found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn container_of_an_item_is_known_even_if_nothing_is_stored() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let call = json!({
        "type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1", "code": "1",
    });
    let mut made = response("resp_1");
    made["output"] = json!([call]);
    gateway.upstream.script("a", answer(&made));
    let mut body = asks("a");
    body["store"] = json!(false);
    send(&gateway.app, &key, &body).await.bytes().await.unwrap();
    body["input"] = json!([call, { "role": "user", "content": "And?" }]);
    body["tools"] = json!([{ "type": "code_interpreter", "container": "cntr_1" }]);
    assert_eq!(send(&gateway.app, &key, &body).await.status(), 200);
    body["tools"][0]["container"] = json!("cntr_2");
    let told = refused(send(&gateway.app, &key, &body).await, 404, "not_found").await;
    assert_eq!(told["error"]["param"], "container");
    refused(send(&gateway.app, &key, &refers_to(&["ci_1"])).await, 404, "not_found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_knows_its_own_items_only() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (live, _) = gateway.key(json!({ "name": "live" })).await;
    let (test, _) = gateway.key(json!({ "name": "test", "environment": "test" })).await;
    let made: Value = send(&gateway.app, &test, &asks("a")).await.json().await.unwrap();
    let id = made["output"][0]["id"].as_str().unwrap();
    assert_eq!(send(&gateway.app, &test, &refers_to(&[id])).await.status(), 200);
    refused(send(&gateway.app, &live, &refers_to(&[id])).await, 404, "not_found").await;
    assert!(gateway.upstream.seen().is_empty());
}

/// A body with each reference, and the field that names it.
fn references() -> Vec<(Value, &'static str)> {
    let with = |name: &str, value: Value| {
        let mut body = asks("a");
        body[name] = value;
        body
    };
    let file = json!([{ "type": "input_file", "file_id": "file_1" }]);
    vec![
        (with("conversation", json!("conv_1")), "conversation"),
        (with("prompt", json!({ "id": "pmpt_1" })), "prompt"),
        (with("input", json!([{ "type": "item_reference", "id": "msg_1" }])), "item_reference"),
        (with("input", json!([{ "role": "user", "content": file }])), "file_id"),
        (
            with("tools", json!([{ "type": "file_search", "vector_store_ids": ["vs_1"] }])),
            "vector_store_ids",
        ),
        (
            with("tools", json!([{ "type": "code_interpreter", "container": "cntr_1" }])),
            "container",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn reference_is_unknown_and_reaches_no_upstream() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    for (body, field) in references() {
        for path in ["/v1/responses", "/v1/responses/compact", "/v1/responses/input_tokens"] {
            let request = gateway.app.post(path).bearer_auth(&key).json(&body);
            let told = refused(request.send().await.unwrap(), 404, "not_found").await;
            assert_eq!(told["error"]["param"], field, "{path}: {told}");
        }
    }
    let mut body = asks("a");
    body["previous_response_id"] = json!("resp_of_somebody");
    let path = "/v1/responses/input_tokens";
    let counted = gateway.app.post(path).bearer_auth(&key).json(&body).send().await.unwrap();
    refused(counted, 404, "previous_response_not_found").await;
    assert!(gateway.upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn reference_passes_where_the_upstream_lets_its_field() {
    let pass = "pass_fields = [\"conversation\", \"prompt\", \"item_reference\", \"file_id\", \
                \"vector_store_ids\", \"container\", \"previous_response_id\"]";
    let gateway = Gateway::with(Backend::Sqlite, pass, &[]).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    gateway.upstream.script("a", answer(&response("resp_1")));
    let mut body = asks("a");
    body["previous_response_id"] = json!("resp_from_elsewhere");
    let all = references().into_iter().chain([(body, "previous_response_id")]);
    for (body, field) in all {
        let told = send(&gateway.app, &key, &body).await;
        assert_eq!(told.status(), 200, "{field}");
    }
    assert_eq!(gateway.upstream.seen().len(), 7);
}
