//! The list of models in Anthropic's shape.

use reqwest::Response;
use serde_json::{Value, json};

use super::super::Gateway;
use super::{VERSION, refused};
use crate::test_app::Backend;

async fn get(gateway: &Gateway, key: &str, path: &str) -> Response {
    let request = gateway.app.get(path).header("x-api-key", key);
    request.header("anthropic-version", VERSION).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_listed_in_anthropics_shape() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let list: Value = get(&gateway, &key, "/v1/models?limit=2").await.json().await.unwrap();
    let model = |id: &str| {
        json!({
            "type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z",
        })
    };
    let first = json!({
        "data": [model("bge-m3"), model("qwen3.6-27b")], "has_more": true, "first_id": "bge-m3",
        "last_id": "qwen3.6-27b",
    });
    assert_eq!(list, first);
    let path = "/v1/models?limit=1000&after_id=qwen3.6-27b";
    let rest: Value = get(&gateway, &key, path).await.json().await.unwrap();
    assert_eq!((&rest["data"], &rest["has_more"]), (&json!([model("gone")]), &json!(false)));
    let one: Value = get(&gateway, &key, "/v1/models/bge-m3").await.json().await.unwrap();
    assert_eq!(one, model("bge-m3"));
    refused(get(&gateway, &key, "/v1/models/none").await, 404, "not_found_error").await;
    let none = get(&gateway, &key, "/v1/models?after_id=none").await;
    refused(none, 400, "invalid_request_error").await;
    refused(get(&gateway, "", "/v1/models").await, 401, "authentication_error").await;
    // The list in OpenAI's shape has no pages.
    let whole = gateway.app.get("/v1/models?limit=0").bearer_auth(&key).send().await.unwrap();
    let whole: Value = whole.json().await.unwrap();
    assert_eq!(whole["data"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn model_is_found_by_an_id_with_a_raw_slash() {
    let (gateway, base) = (Gateway::on(Backend::Sqlite).await, "/v1/models");
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    for path in ["a/b", "a%2Fb"] {
        let answer = get(&gateway, &key, &format!("{base}/{path}")).await;
        let told = refused(answer, 404, "not_found_error").await;
        assert!(told["error"]["message"].as_str().unwrap().contains("a/b"), "{told}");
        assert_eq!(told["error"]["code"], "model_not_found");
    }
}
