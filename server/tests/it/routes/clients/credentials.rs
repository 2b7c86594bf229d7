//! Each route says what it takes as credentials, and what a key lacks.

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::test_app::{Backend, TestApp, on_both_databases, problem, text};

const KEY: &str = "ApiKey realm=\"latchkey\"";
const BEARER: &str = "Bearer realm=\"latchkey\"";

fn challenge(answer: &Response) -> String {
    answer.headers()["www-authenticate"].to_str().unwrap().to_owned()
}

async fn sent(request: RequestBuilder) -> Response {
    request.json(&json!({})).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_challenge_for_what_they_take() {
    let app = TestApp::on(Backend::Sqlite).await;
    let both = format!("{KEY}, {BEARER}");
    for (path, expected, header) in [
        ("/ingest/traces", KEY, "x-api-key"),
        ("/ingest/logs", KEY, "x-api-key"),
        ("/v1/traces", &both, "x-api-key"),
        ("/v1/logs", &both, "Authorization: Bearer"),
    ] {
        let none = sent(app.post(path)).await;
        assert_eq!(challenge(&none), expected, "{path}");
        let refused = problem(none, 401, "missing_key").await;
        assert!(text(&refused["detail"]).contains(header), "{refused}");
        let bad = sent(app.post(path).header("x-api-key", "nonsense")).await;
        assert_eq!(challenge(&bad), expected, "{path}");
    }
    for path in ["/v1/keys/verify", "/v1/organizations", "/api/me"] {
        let none = sent(app.post(path)).await;
        assert_eq!(challenge(&none), BEARER, "{path}");
    }
    let gateway = sent(app.post("/v1/chat/completions")).await;
    assert_eq!(challenge(&gateway), BEARER);
    let refused: Value = gateway.json().await.unwrap();
    assert!(!refused.to_string().contains("x-api-key"), "{refused}");
}

on_both_databases! {
    async fn a_service_key_is_told_which_permission_it_lacks(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (reads, _) = app.service_key(&ada, &["keys:read"]).await;
        let (verifies, _) = app.service_key(&ada, &["keys:verify"]).await;
        let keys = format!("/v1/projects/{}/keys", ada.project);
        let usage = format!("/v1/projects/{}/usage", ada.project);
        for (request, key, lacks) in [
            (app.post("/v1/keys/verify").json(&json!({"key": "x"})), &reads, "keys:verify"),
            (app.post(&keys).json(&json!({"name": "z"})), &reads, "keys:write"),
            (app.get(&keys), &verifies, "keys:read"),
            (app.get(&usage), &verifies, "usage:read"),
        ] {
            let refused = request.bearer_auth(key).send().await.unwrap();
            let expected =
                format!("{BEARER}, error=\"insufficient_scope\", scope=\"{lacks}\"");
            assert_eq!(challenge(&refused), expected);
            let refused = problem(refused, 403, "forbidden").await;
            assert!(text(&refused["detail"]).contains(lacks), "{refused}");
        }
        // No permission would help: this is for people.
        let people = format!("/v1/organizations/{}/members", ada.organization);
        let refused = app.get(&people).bearer_auth(&reads).send().await.unwrap();
        assert!(!refused.headers().contains_key("www-authenticate"));
        problem(refused, 403, "forbidden").await;
    }

    async fn of_two_credentials_the_key_counts(app: TestApp) {
        let ada = app.pro("ada").await;
        let key = app.generate(&ada).await;
        let other = app.generate(&ada).await;
        let send = async |header: &str, bearer: &str| {
            let request = app.post("/v1/logs").header("x-api-key", header).bearer_auth(bearer);
            request.json(&json!({"resourceLogs": []})).send().await.unwrap()
        };
        assert_eq!(send("nonsense", &key).await.status(), 200);
        assert_eq!(send(&key, "nonsense").await.status(), 200);
        assert_eq!(send(&key, &ada.jwt).await.status(), 200);
        assert_eq!(send(&key, &key).await.status(), 200);
        let refused = problem(send(&key, &other).await, 400, "malformed").await;
        assert!(!refused.to_string().contains(&key[12..]), "{refused}");
    }

    async fn of_two_credentials_the_key_counts_at_the_gateway(app: TestApp) {
        let ada = app.pro("ada").await;
        let path = format!("/v1/projects/{}/inference/keys", ada.project);
        let make = async |name: &str| {
            let made = app.send(reqwest::Method::POST, &path, &ada, &json!({"name": name})).await;
            text(&made.json::<Value>().await.unwrap()["key"])
        };
        let (key, other) = (make("one").await, make("other").await);
        let send = async |header: &str, bearer: &str| {
            let request = app.get("/v1/models").header("x-api-key", header);
            request.bearer_auth(bearer).send().await.unwrap()
        };
        assert_eq!(send("nonsense", &key).await.status(), 200);
        assert_eq!(send(&key, "nonsense").await.status(), 200);
        assert_eq!(send(&key, &key).await.status(), 200);
        let refused = send(&key, &other).await;
        assert_eq!(refused.status(), 400);
        let refused: Value = refused.json().await.unwrap();
        assert_eq!(refused["error"]["code"], "malformed");
        assert!(!refused.to_string().contains(&key[12..]), "{refused}");
    }

    async fn verify_says_when_to_come_back_and_where_tokens_stand(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "rpm": 1, "tpm": 1_000});
        let key = app.create(&ada, &body).await["key"].clone();
        let verify = async |cost: u64| {
            let asked = json!({"key": key, "cost": cost});
            let answer = app.post("/v1/keys/verify").bearer_auth(&ada.jwt).json(&asked);
            answer.send().await.unwrap().json::<Value>().await.unwrap()
        };
        let admitted = verify(100).await;
        assert_eq!(admitted["retry_after_seconds"], Value::Null);
        assert_eq!((&admitted["tokens"]["limit"], &admitted["tokens"]["remaining"]), (&json!(1_000), &json!(900)));
        assert!(admitted["tokens"]["reset_seconds"].is_number());
        let refused = verify(100).await;
        assert_eq!(refused["code"], "rate_limited");
        let wait = refused["retry_after_seconds"].as_u64().unwrap();
        assert!((1..=60).contains(&wait), "{refused}");
        assert_eq!(refused["tokens"]["remaining"], 900);
        let unknown = json!({"key": "nonsense"});
        let unknown = app.post("/v1/keys/verify").bearer_auth(&ada.jwt).json(&unknown);
        let unknown: Value = unknown.send().await.unwrap().json().await.unwrap();
        assert_eq!(unknown, json!({"valid": false, "code": "malformed_key"}));
    }

    async fn a_limit_of_requests_tells_where_tokens_stand(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "rpm": 1, "tpm": 1_000});
        let key = app.create(&ada, &body).await["key"].clone();
        let ingest = async || {
            let request = app.post("/ingest/logs").header("x-api-key", text(&key));
            let request = request.header("x-application-id", &ada.application);
            request.json(&json!({"logs": []})).send().await.unwrap()
        };
        assert_eq!(ingest().await.status(), 200);
        let refused = ingest().await;
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers()["x-ratelimit-remaining-requests"], "0");
        assert_eq!(refused.headers()["x-ratelimit-limit-tokens"], "1000");
        assert_eq!(refused.headers()["x-ratelimit-remaining-tokens"], "1000");
        let inference = format!("/v1/projects/{}/inference/keys", ada.project);
        let made = app.send(reqwest::Method::POST, &inference, &ada, &body).await;
        let made: Value = made.json().await.unwrap();
        let models = async || {
            app.get("/v1/models").bearer_auth(text(&made["key"])).send().await.unwrap()
        };
        assert_eq!(models().await.status(), 200);
        let refused = models().await;
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers()["x-ratelimit-limit-tokens"], "1000");
        // A gateway call's request is taken before its body comes.
        let chat = app.post("/v1/chat/completions").bearer_auth(text(&made["key"]));
        let refused = chat.json(&json!({})).send().await.unwrap();
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers()["x-ratelimit-remaining-tokens"], "1000");
    }
}
