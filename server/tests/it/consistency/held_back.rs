//! Calls whose last byte is held back until whoever makes them may make them no more.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::test_app::{Session, TestApp, key_path, on_both_databases, text, traces};

/// How long an answer may take on a busy machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A call of which the server has read all but the last byte of the body.
struct HeldBack {
    stream: TcpStream,
    last: u8,
}

impl HeldBack {
    /// Sends the call. That the server asks for the body says that it has looked at the head.
    async fn begin(app: &TestApp, path: &str, credential: &str, body: &Value) -> Self {
        let address = app.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\n{credential}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut told = Vec::new();
        while !told.ends_with(b"\r\n\r\n") {
            told.push(
                tokio::time::timeout(ANSWER_TIMEOUT, stream.read_u8()).await.unwrap().unwrap(),
            );
        }
        let told = String::from_utf8(told).unwrap();
        assert!(told.starts_with("HTTP/1.1 100"), "{path}: {told}");
        let (last, most) = body.as_bytes().split_last().unwrap();
        stream.write_all(most).await.unwrap();
        Self { stream, last: *last }
    }

    /// Sends the last byte; the status and the body of the answer.
    async fn finish(mut self) -> (u16, Value) {
        self.stream.write_all(&[self.last]).await.unwrap();
        let mut answer = String::new();
        let read = self.stream.read_to_string(&mut answer);
        tokio::time::timeout(ANSWER_TIMEOUT, read).await.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        // Chunks are framed by their length; the body is the one line that is JSON.
        let json = body.lines().find_map(|line| serde_json::from_str(line).ok());
        (status, json.filter(Value::is_object).unwrap_or_default())
    }

    /// Sends the last byte to be refused.
    async fn expect_refusal(self, status: u16, code: &str) {
        let (got, body) = self.finish().await;
        assert_eq!((got, body["code"].as_str()), (status, Some(code)), "{body}");
    }
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

fn x_api_key(key: &str) -> String {
    format!("x-api-key: {key}")
}

async fn sign_out(app: &TestApp, who: &Session) {
    let out = app.post("/logout").bearer_auth(&who.jwt).send().await.unwrap();
    assert_eq!(out.status(), 204);
}

async fn remove(app: &TestApp, owner: &Session, member: &Session) {
    let me = app.json("/v1/me", &member.jwt).await;
    let path = format!("/v1/organizations/{}/members/{}", owner.organization, text(&me["id"]));
    let removed = app.send(Method::DELETE, &path, owner, &Value::Null).await;
    assert_eq!(removed.status(), 204);
}

/// The names of the keys and of the applications in a person's project.
async fn names(app: &TestApp, who: &Session) -> Vec<String> {
    let mut names = Vec::new();
    for what in ["keys", "applications"] {
        let path = format!("/v1/projects/{}/{what}", who.project);
        let page = app.json(&path, &who.jwt).await;
        names.extend(page["data"].as_array().unwrap().iter().map(|row| text(&row["name"])));
    }
    names
}

on_both_databases! {
    async fn revoked_service_key_makes_no_key_with_its_last_byte(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (secret, id) = app.service_key(&ada, &["keys:write"]).await;
        let path = format!("/v1/projects/{}/keys", ada.project);
        let held = HeldBack::begin(&app, &path, &bearer(&secret), &json!({"name": "late"})).await;
        assert_eq!(app.revoke(&ada, &id).await.status(), 204);
        held.expect_refusal(401, "revoked_key").await;
        assert!(!names(&app, &ada).await.contains(&"late".to_owned()));
    }

    async fn expired_service_key_makes_no_key_with_its_last_byte(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let soon = latchkey_domain::time::Timestamp::from_millis(crate::test_app::START + 60_000);
        let body = json!({"name": "s", "kind": "service", "permissions": ["keys:write"], "expires_at": soon});
        let secret = text(&app.create(&ada, &body).await["key"]);
        let path = format!("/v1/projects/{}/keys", ada.project);
        let held = HeldBack::begin(&app, &path, &bearer(&secret), &json!({"name": "late"})).await;
        app.advance(Duration::from_mins(1));
        held.expect_refusal(401, "expired_key").await;
    }

    async fn signed_out_person_writes_nothing_with_a_last_byte(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let other = app.sign_in("ada").await;
        let calls = [
            (format!("/v1/projects/{}/keys", ada.project), json!({"name": "late"})),
            (format!("/apikey?ApplicationId={}", ada.application), json!({"name": "late"})),
            (
                "/api/keys/create".to_owned(),
                json!({"application_id": ada.application, "name": "late", "environment": "live"}),
            ),
            (format!("/v1/projects/{}/applications", ada.project), json!({"name": "late"})),
        ];
        let mut held = Vec::new();
        for (path, body) in &calls {
            held.push(HeldBack::begin(&app, path, &bearer(&ada.jwt), body).await);
        }
        sign_out(&app, &ada).await;
        for one in held {
            one.expect_refusal(401, "unauthenticated").await;
        }
        assert!(!names(&app, &other).await.contains(&"late".to_owned()));
    }

    async fn signed_out_person_reads_nothing_with_a_last_byte(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let body = json!({"application_id": ada.application, "cursor": null});
        let list = HeldBack::begin(&app, "/api/keys/list", &bearer(&ada.jwt), &body).await;
        let body = json!({"key": key});
        let verify = HeldBack::begin(&app, "/v1/keys/verify", &bearer(&ada.jwt), &body).await;
        sign_out(&app, &ada).await;
        list.expect_refusal(401, "unauthenticated").await;
        verify.expect_refusal(401, "unauthenticated").await;
    }

    async fn removed_member_writes_nothing_with_a_last_byte(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let bob = app.join(&ada, "bob", "member").await;
        let rest = format!("/v1/projects/{}/applications", ada.project);
        let rest = HeldBack::begin(&app, &rest, &bearer(&bob.jwt), &json!({"name": "late"})).await;
        let body = json!({"application_id": ada.application, "name": "late", "environment": "live"});
        let page = HeldBack::begin(&app, "/api/keys/create", &bearer(&bob.jwt), &body).await;
        remove(&app, &ada, &bob).await;
        rest.expect_refusal(404, "not_found").await;
        page.expect_refusal(404, "not_found").await;
        assert!(!names(&app, &ada).await.contains(&"late".to_owned()));
    }

    async fn revoked_key_ingests_nothing_with_its_last_byte(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let id = text(&app.keys(&ada).await[0]["id"]);
        let otlp = json!({"resourceSpans": []});
        let logs = json!({"logs": [{"level": "info", "type": "app", "message": "m", "timestamp": 0}]});
        let mut held = Vec::new();
        for (path, body) in [("/ingest/traces", traces(1)), ("/ingest/logs", logs), ("/v1/traces", otlp)] {
            held.push(HeldBack::begin(&app, path, &x_api_key(&key), &body).await);
        }
        assert_eq!(app.revoke(&ada, &id).await.status(), 204);
        for one in held {
            one.expect_refusal(401, "revoked_key").await;
        }
        let path = format!("/v1/applications/{}/traces", ada.application);
        assert_eq!(app.json(&path, &ada.jwt).await["data"], json!([]));
    }

    async fn revoked_service_key_verifies_nothing_with_its_last_byte(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let (secret, id) = app.service_key(&ada, &["keys:verify"]).await;
        let body = json!({"key": key});
        let held = HeldBack::begin(&app, "/v1/keys/verify", &bearer(&secret), &body).await;
        assert_eq!(app.revoke(&ada, &id).await.status(), 204);
        held.expect_refusal(401, "revoked_key").await;
    }

    async fn revoked_key_calls_no_model_with_its_last_byte(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "k", "kind": "inference"});
        let created = app.create(&ada, &body).await;
        let (key, id) = (text(&created["key"]), text(&created["api_key"]["id"]));
        let body = json!({"model": "sandbox", "messages": [{"role": "user", "content": "hi"}]});
        let held = HeldBack::begin(&app, "/v1/chat/completions", &bearer(&key), &body).await;
        assert_eq!(app.revoke(&ada, &id).await.status(), 204);
        let (status, answer) = held.finish().await;
        assert_eq!((status, answer["error"]["code"].as_str()), (401, Some("revoked_key")), "{answer}");
    }

    async fn key_changed_under_a_body_is_counted_once(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "k", "application_id": ada.application, "rpm": 2});
        let created = app.create(&ada, &body).await;
        let (key, path) = (text(&created["key"]), key_path(&created));
        let held = HeldBack::begin(&app, "/ingest/traces", &x_api_key(&key), &traces(1)).await;
        let renamed = app.send(Method::PATCH, &path, &ada, &json!({"name": "new"})).await;
        assert_eq!(renamed.status(), 200);
        assert_eq!(held.finish().await.0, 200);
        let answer = app.ingest(&key).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["x-ratelimit-remaining-requests"], "0");
    }
}
