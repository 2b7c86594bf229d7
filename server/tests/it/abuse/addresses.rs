//! Whose address counts, whatever proxies and clients say of it.

use reqwest::header::HeaderValue;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::test_app::{
    Backend, Session, TestApp, key_path, on_both_databases, problem, text, traces,
};

const UNREADABLE: [&[u8]; 4] = [b"unknown", b"203.0.113.7, ", b"203.0.113.7, \xff\xfe", b"[::1"];

async fn behind_a_proxy() -> TestApp {
    TestApp::with(Backend::Sqlite, &["--latchkey-trusted-proxies=::ffff:127.0.0.0/104"]).await
}

/// A key of the person's application that networks are allowed for.
async fn limited(app: &TestApp, ada: &Session, networks: &Value) -> Value {
    let body = json!({"name": "N", "application_id": ada.application, "allowed_cidrs": networks});
    app.create(ada, &body).await
}

fn said(request: RequestBuilder, header: &str, value: &[u8]) -> RequestBuilder {
    request.header(header, HeaderValue::from_bytes(value).unwrap())
}

fn ingest(app: &TestApp, key: &str) -> RequestBuilder {
    app.post("/ingest/traces").header("x-api-key", key).json(&traces(1))
}

async fn sent(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

on_both_databases! {
    async fn mapped_networks_are_stored_as_ipv4(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let given = json!(["::ffff:203.0.113.7", "::ffff:10.1.2.3/104", "2001:db8::1"]);
        let made = limited(&app, &ada, &given).await;
        let stored = json!(["203.0.113.7/32", "10.0.0.0/8", "2001:db8::1/128"]);
        assert_eq!(made["api_key"]["allowed_cidrs"], stored);
        let path = key_path(&made);
        assert_eq!(app.json(&path, &ada.jwt).await["allowed_cidrs"], stored);
    }
}

#[tokio::test]
async fn allowed_cidrs_take_every_usual_form_of_an_address() {
    let app = behind_a_proxy().await;
    let ada = app.sign_in("ada").await;
    let made = limited(&app, &ada, &json!(["203.0.113.7", "2001:db8::/32"])).await;
    let key = text(&made["key"]);
    for usual in ["203.0.113.7:4711", "[::ffff:203.0.113.7]:80", "\"[2001:db8::1]:4711\""] {
        let answer = sent(said(ingest(&app, &key), "x-forwarded-for", usual.as_bytes())).await;
        assert_eq!(answer.status(), 200, "{usual}");
    }
    for standard in ["for=203.0.113.7", "for=9.9.9.9, FOR=\"[2001:db8::1]:4711\";proto=https"] {
        let answer = sent(said(ingest(&app, &key), "forwarded", standard.as_bytes())).await;
        assert_eq!(answer.status(), 200, "{standard}");
    }
    let elsewhere = said(ingest(&app, &key), "x-forwarded-for", b"203.0.113.7, 203.0.113.8");
    problem(sent(elsewhere).await, 403, "ip_not_allowed").await;
}

#[tokio::test]
async fn unreadable_hop_is_in_no_allowed_network() {
    let app = behind_a_proxy().await;
    let ada = app.sign_in("ada").await;
    // The proxy's own address is in it.
    let made = limited(&app, &ada, &json!(["0.0.0.0/0", "::/0"])).await;
    let key = text(&made["key"]);
    assert_eq!(sent(ingest(&app, &key)).await.status(), 200, "the proxy itself");
    for hop in UNREADABLE {
        let refused = sent(said(ingest(&app, &key), "x-forwarded-for", hop)).await;
        problem(refused, 403, "ip_not_allowed").await;
    }
    let hidden = said(ingest(&app, &key), "forwarded", b"for=_hidden");
    problem(sent(hidden).await, 403, "ip_not_allowed").await;
    let both = said(ingest(&app, &key), "forwarded", b"for=203.0.113.7");
    let both = said(both, "x-forwarded-for", b"203.0.113.8");
    problem(sent(both).await, 403, "ip_not_allowed").await;
}

#[tokio::test]
async fn callers_without_an_address_share_one_limit() {
    const LIMIT: usize = 60;
    let app = behind_a_proxy().await;
    let ada = app.sign_in("ada").await;
    let good = app.generate(&ada).await;
    let guess = async |hop: &[u8]| {
        sent(said(ingest(&app, "lk_live_nonsense"), "x-forwarded-for", hop)).await
    };
    let renew = async |hop: &[u8]| {
        let request = app.post("/refresh").json(&json!({"refreshToken": "nobody’s"}));
        sent(said(request, "x-forwarded-for", hop)).await
    };
    for number in 0..LIMIT {
        let hop = UNREADABLE[number % UNREADABLE.len()];
        problem(guess(hop).await, 401, "malformed_key").await;
        problem(renew(hop).await, 401, "unauthenticated").await;
    }
    for hop in UNREADABLE {
        problem(guess(hop).await, 429, "too_many_failures").await;
        problem(renew(hop).await, 429, "too_many_failures").await;
    }
    problem(guess(b"203.0.113.7").await, 401, "malformed_key").await;
    let proxy = sent(ingest(&app, "lk_live_nonsense")).await;
    problem(proxy, 401, "malformed_key").await;
    assert_eq!(sent(said(ingest(&app, &good), "x-forwarded-for", b"x")).await.status(), 200);
}

#[tokio::test]
async fn audit_omits_unknown_addresses() {
    let app = behind_a_proxy().await;
    let ada = app.sign_in("ada").await;
    let make = async |name: &str, hop: &[u8]| {
        let request = app.post(&format!("/v1/projects/{}/keys", ada.project));
        let request = request.bearer_auth(&ada.jwt).json(&json!({"name": name}));
        assert_eq!(sent(said(request, "x-forwarded-for", hop)).await.status(), 201);
        let path = format!("/v1/organizations/{}/audit?action=key.created", ada.organization);
        app.json(&path, &ada.jwt).await["data"][0]["ip"].clone()
    };
    assert_eq!(make("A", b"::ffff:203.0.113.7").await, json!("203.0.113.7"));
    assert_eq!(make("B", b"203.0.113.7, unknown").await, Value::Null);
}
