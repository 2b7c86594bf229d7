//! Where nothing is served, whoever asks reads it in their own shape.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::test_app::{Backend, TestApp, problem, text};

async fn refused(answer: Response, status: u16) -> Value {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["x-should-retry"], "false");
    assert!(answer.headers().contains_key("x-request-id"));
    let told = answer.headers()["x-latchkey-code"].to_str().unwrap().to_owned();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["code"], told, "{body}");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_a_gateway_path_tells_its_code() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ask = async |method: Method, path: &str| {
        app.http.request(method, format!("{}{path}", app.base)).send().await.unwrap()
    };
    for path in [
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/responses",
        "/v1/responses/compact",
        "/v1/responses/input_tokens",
        "/v1/responses/a/cancel",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/rerank",
        "/v1/moderations",
        "/v1/images/generations",
        "/v1/audio/speech",
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
    ] {
        let body = refused(ask(Method::POST, path).await, 401).await;
        assert_eq!(body["error"]["code"], "missing_key", "{path}");
        refused(ask(Method::PUT, path).await, 405).await;
    }
    for path in ["/v1/models", "/v1/models/a", "/v1/models/a/b", "/v1/responses/a"] {
        let body = refused(ask(Method::GET, path).await, 401).await;
        assert_eq!(body["error"]["code"], "missing_key", "{path}");
        refused(ask(Method::PUT, path).await, 405).await;
    }
    for path in ["/v1/models/%ff", "/v1/responses/%ff", "/v1/responses/%ff/input_items"] {
        let body = refused(ask(Method::GET, path).await, 400).await;
        assert_eq!(body["error"]["code"], "malformed", "{path}");
        assert_eq!(body["error"]["type"], "invalid_request_error", "{path}");
    }
    let ask = app.get("/v1/models/%ff").header("anthropic-version", "2023-06-01");
    let body = refused(ask.send().await.unwrap(), 400).await;
    assert_eq!(body["error"]["type"], "invalid_request_error");
    assert_eq!(body["type"], "error");
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_paths_answer_in_the_clients_shape() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let path = format!("/v1/projects/{}/inference/keys", ada.project);
    let made = app.send(Method::POST, &path, &ada, &json!({"name": "k"})).await;
    let key = text(&made.json::<Value>().await.unwrap()["key"]);
    let ask = async |method: Method, path: &str| {
        app.http.request(method, format!("{}{path}", app.base)).send().await.unwrap()
    };
    for path in ["/v1/responses/a/b", "/v1/chat", "/v1/audio/other"] {
        let body = refused(ask(Method::POST, path).await, 404).await;
        assert_eq!(body["error"]["code"], "not_found");
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert_eq!(body["error"]["param"], Value::Null);
        let message = text(&body["error"]["message"]);
        assert!(
            message.contains(path) && message.contains("POST /v1/chat/completions"),
            "{message}"
        );
    }
    let answer = ask(Method::GET, "/v1/chat/completions").await;
    assert_eq!(answer.headers()["allow"], "POST");
    let body = refused(answer, 405).await;
    assert_eq!(body["error"]["code"], "method_not_allowed");
    refused(ask(Method::DELETE, "/v1/models").await, 405).await;
    for request in [
        app.post("/v1/messages/batches"),
        app.post("/v1/files").header("anthropic-version", "2023-06-01").header("x-api-key", &key),
        app.post("/v1/chat").header("anthropic-version", "2023-06-01"),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["x-latchkey-code"], "not_found");
        let body = refused(answer, 404).await;
        let kinds = (&body["type"], &body["error"]["type"]);
        assert_eq!(kinds, (&json!("error"), &json!("not_found_error")));
    }
    let answer = ask(Method::GET, "/v1/messages").await;
    assert_eq!(answer.headers()["allow"], "POST");
    assert_eq!(answer.headers()["request-id"], answer.headers()["x-request-id"]);
    let body = refused(answer, 405).await;
    assert_eq!(body["error"]["type"], "invalid_request_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_answer_an_inference_key_in_its_shape() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let path = format!("/v1/projects/{}/inference/keys", ada.project);
    let made = app.send(Method::POST, &path, &ada, &json!({"name": "k"})).await;
    let inference = text(&made.json::<Value>().await.unwrap()["key"]);
    let api = app.generate(&ada).await;
    let ask = async |key: &str| app.get("/v1/files").bearer_auth(key).send().await.unwrap();
    let body = refused(ask(&inference).await, 404).await;
    assert!(text(&body["error"]["message"]).contains("GET /v1/files"), "{body}");
    problem(ask(&api).await, 404, "not_found").await;
    problem(ask(&ada.jwt).await, 404, "not_found").await;
    problem(app.get("/v1/files").send().await.unwrap(), 404, "not_found").await;
    // What is there and not the caller's is no unknown path.
    let foreign = app.get("/v1/keys/key_01kahp5k6jfk9rj3x7gkcw0k7v").bearer_auth(&ada.jwt);
    problem(foreign.send().await.unwrap(), 404, "not_found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_version_in_the_path_is_dropped() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let path = format!("/v1/projects/{}/inference/keys", ada.project);
    let made = app.send(Method::POST, &path, &ada, &json!({"name": "k"})).await;
    let key = text(&made.json::<Value>().await.unwrap()["key"]);
    let models = app.get("/v1/v1/models").bearer_auth(&key).send().await.unwrap();
    assert_eq!(models.status(), 200);
    let body = json!({"model": "sandbox", "messages": [{"role": "user", "content": "Hello"}]});
    let chat = app.post("/v1/v1/chat/completions").bearer_auth(&key).json(&body);
    assert_eq!(chat.send().await.unwrap().status(), 200);
    let unknown = app.get("/v1/v1/chat").bearer_auth(&key).send().await.unwrap();
    refused(unknown, 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_for_responses_is_sent_to_http() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ask = |path: &str| {
        let request = app.get(path).header("upgrade", "websocket");
        request.header("connection", "Upgrade").send()
    };
    let answer = ask("/v1/responses").await.unwrap();
    assert_eq!(answer.headers()["upgrade"], "HTTP/1.1");
    let body = refused(answer, 426).await;
    assert_eq!(body["error"]["code"], "upgrade_required");
    assert_eq!(ask("/v1/models").await.unwrap().status(), 401);
}
