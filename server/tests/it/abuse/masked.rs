//! Secrets that people put in the wrong place are neither logged nor repeated.

use axum::http::Method;
use reqwest::Client;
use serde_json::{Value, json};

use crate::process::{Process, command, log_file, sign_in};
use crate::test_app::{client_builder, text};

/// A running binary that logs all it can, and somebody who is signed in.
struct Talkative {
    folder: tempfile::TempDir,
    http: Client,
    process: Process,
    jwt: String,
    project: String,
}

impl Talkative {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let http = client_builder().build().unwrap();
        let mut talkative = command(&folder);
        talkative.env("RUST_LOG", "debug");
        let process = Process::start_command(talkative, &folder, &http).await;
        let (jwt, application) = sign_in(&http, &process.base).await;
        let mut server = Self { folder, http, process, jwt, project: String::new() };
        let path = format!("/v1/applications/{application}");
        let application = server.send(Method::GET, &path, &server.jwt, &Value::Null).await.1;
        let application: Value = serde_json::from_str(&application).unwrap();
        server.project = text(&application["project_id"]);
        server
    }

    async fn send(&self, method: Method, path: &str, bearer: &str, body: &Value) -> (u16, String) {
        let request = self.http.request(method, format!("{}{path}", self.process.base));
        let request = request.bearer_auth(bearer);
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn create(&self, path: &str, body: &Value) -> String {
        let path = format!("/v1/projects/{}/{path}", self.project);
        let (status, made) = self.send(Method::POST, &path, &self.jwt, body).await;
        assert_eq!(status, 201, "{made}");
        text(&serde_json::from_str::<Value>(&made).unwrap()["key"])
    }

    fn log(&self) -> String {
        std::fs::read_to_string(log_file(&self.folder)).unwrap()
    }
}

#[tokio::test]
async fn misplaced_secrets_are_masked_everywhere() {
    let server = Talkative::start().await;
    let key = server.create("inference/keys", &json!({"name": "I", "environment": "test"})).await;
    let encoded: Vec<_> = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let encoded = encoded.concat();
    let half_encoded = key.replace('_', "%5f");
    let none = Value::Null;
    let in_paths = [&key, &encoded, &half_encoded, &server.jwt];
    let mut answers = Vec::new();
    for secret in in_paths {
        for (method, path, bearer) in [
            (Method::POST, format!("/v1/inference/keys/{secret}/rotate"), &server.jwt),
            (Method::DELETE, format!("/v1/keys/{secret}"), &server.jwt),
            (Method::DELETE, format!("/apikey/{secret}"), &server.jwt),
            (Method::GET, format!("/v1/models/{secret}"), &key),
            (Method::GET, format!("/nothing/{secret}"), &key),
        ] {
            answers.push((404, server.send(method, &path, bearer, &none).await));
        }
    }
    for secret in [&key, &server.jwt] {
        let body = json!({"model": secret, "messages": [{"role": "user", "content": "x"}]});
        answers.push((404, server.send(Method::POST, "/v1/chat/completions", &key, &body).await));
        let body = json!({ secret.as_str(): 1 });
        let path = format!("/v1/projects/{}/keys", server.project);
        answers.push((422, server.send(Method::POST, &path, &server.jwt, &body).await));
    }
    for (expected, (status, body)) in answers {
        assert_eq!(status, expected, "{body}");
        for secret in [&key[8..], &encoded[24..], &half_encoded[12..], &server.jwt[10..]] {
            assert!(!body.contains(secret), "{body}");
        }
    }
    let log = server.log();
    for secret in [&key[8..], &encoded[24..], &half_encoded[12..], &server.jwt[10..]] {
        let told = log.lines().find(|line| line.contains(secret));
        assert_eq!(told, None);
    }
    let hint = format!("{}...{}", &key[..12], &key[key.len() - 4..]);
    assert!(log.contains(&format!("/v1/keys/{hint}")), "the line itself is there");
    assert!(log.contains("/v1/keys/eyJ..."));
}

#[tokio::test]
async fn misplaced_secrets_stand_in_no_audit_row_or_denial() {
    let server = Talkative::start().await;
    let secret = server.create("keys", &json!({"name": "A", "environment": "test"})).await;
    server.create("keys", &json!({"name": secret})).await;
    let path = format!("/v1/projects/{}/keys", server.project);
    let body = json!({"name": secret});
    let (status, taken) = server.send(Method::POST, &path, &server.jwt, &body).await;
    assert!(status == 409 && !taken.contains(&secret[8..]), "{taken}");
    let me = server.send(Method::GET, "/v1/me", &server.jwt, &Value::Null).await.1;
    let me: Value = serde_json::from_str(&me).unwrap();
    let organization = text(&me["organizations"][0]["id"]);
    for end in ["audit", "audit.csv"] {
        let path = format!("/v1/organizations/{organization}/{end}");
        let (status, rows) = server.send(Method::GET, &path, &server.jwt, &Value::Null).await;
        assert!(status == 200 && !rows.contains(&secret[8..]), "{rows}");
        assert!(rows.contains(&format!("{}...{}", &secret[..12], &secret[secret.len() - 4..])));
    }
}
