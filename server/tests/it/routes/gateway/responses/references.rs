//! What requests point at is unknown unless the upstream lets it pass.

use serde_json::{Value, json};

use super::super::{Gateway, refused};
use super::{answer, asks, response, send};
use crate::test_app::Backend;

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
