//! `/v1/check/{id}`: forward authentication.

mod methods;
mod nodes;
mod outcomes;
mod scopes;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::test_app::{Session, TestApp, key_path, problem, text};

/// Asks about a project or an application with a key, as a proxy does.
fn ask(app: &TestApp, id: &str, key: &str) -> RequestBuilder {
    app.get(&format!("/v1/check/{id}")).header("x-api-key", key)
}

/// What a proxy passes on of a request that it lets through.
fn allowed(answer: &Response) -> HeaderMap {
    let headers = answer.headers().clone();
    assert_eq!(answer.status(), 200, "{headers:?}");
    assert_eq!(headers["x-latchkey-code"], "valid");
    assert_eq!(headers["content-length"], "0");
    assert_eq!(headers["cache-control"], "no-store");
    assert!(!headers.contains_key("content-type"));
    headers
}

/// Checks a refusal, which tells no more than its reason; its headers.
async fn refused(answer: Response, status: u16, code: &str) -> HeaderMap {
    let headers = answer.headers().clone();
    problem(answer, status, code).await;
    assert_eq!(headers["x-latchkey-code"], code);
    assert_eq!(headers["cache-control"], "no-store");
    assert!(!headers.contains_key("x-latchkey-key-id"));
    assert!(!headers.contains_key("location"));
    headers
}

/// Makes a key; its secret and the path of the key.
async fn new_key(app: &TestApp, who: &Session, body: Value) -> (String, String) {
    let created = app.create(who, &body).await;
    (text(&created["key"]), key_path(&created))
}

async fn disable(app: &TestApp, who: &Session, path: &str, disabled: bool) {
    let body = json!({ "disabled": disabled });
    assert_eq!(app.send(Method::PATCH, path, who, &body).await.status(), 200);
}
