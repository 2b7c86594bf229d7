//! What is told of shared limits without taking of them is what all nodes have taken together.

use latchkey_checker::CheckRequest;
use latchkey_domain::key::KeyKind;
use latchkey_domain::outcome::Outcome;
use latchkey_services::Services;
use serde_json::{Value, json};

use crate::consistency::shared_limits::parallel::begin_together;
use crate::consistency::shared_limits::{Redis, admitted, app, shares};
use crate::test_app::{Session, TestApp, denial, text};

/// “Would this call pass?”, on the app's own node.
async fn dry_run(app: &TestApp, who: &Session, id: &str, tokens: u64) -> Value {
    let body = json!({ "key_id": id, "request": { "tokens": tokens } });
    let answer = app.post("/api/keys/dry-run").bearer_auth(&who.jwt).json(&body);
    answer.send().await.unwrap().json().await.unwrap()
}

/// What is left of the requests by a denial for another reason.
async fn remaining(services: &Services, secret: &str) -> u64 {
    let call = CheckRequest { kind: Some(KeyKind::Service), ..CheckRequest::default() };
    let denial = denial(services.checker.check(Some(secret), call).await.unwrap_err());
    assert_eq!(denial.outcome, Outcome::WrongScope);
    denial.limits.requests.unwrap().remaining
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_and_denial_report_usage_of_other_nodes() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let other = app.second_node().await;
    shares(&other, true).await;
    let ada = app.sign_in("ada").await;
    let made = app.create(&ada, &json!({"name": "both", "rpm": 4, "tpm": 100})).await;
    let (id, secret) = (text(&made["api_key"]["id"]), text(&made["key"]));
    assert_eq!(admitted(std::slice::from_ref(&other), &secret, 3, 20).await, 3);
    for _ in 0..2 {
        let told = dry_run(&app, &ada, &id, 40).await;
        assert_eq!(told["code"], "valid", "{told}");
        assert_eq!(told["ratelimit"]["remaining"], 1);
        assert_eq!(told["token_ratelimit"]["remaining"], 40);
        let told = dry_run(&app, &ada, &id, 41).await;
        assert_eq!(told["code"], "token_rate_limited", "{told}");
        assert!(told["retry_after_seconds"].as_u64().unwrap() >= 50, "{told}");
        assert_eq!(remaining(&app.services, &secret).await, 1);
    }
    assert_eq!(admitted(std::slice::from_ref(&other), &secret, 1, 0).await, 1);
    let told = dry_run(&app, &ada, &id, 0).await;
    assert_eq!(told["code"], "rate_limited", "{told}");
    assert!(told["retry_after_seconds"].as_u64().unwrap() >= 50, "{told}");
    assert_eq!(remaining(&app.services, &secret).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_counts_calls_in_progress_on_other_nodes() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let other = app.second_node().await;
    shares(&other, true).await;
    let ada = app.sign_in("ada").await;
    let body = json!({"name": "two", "kind": "inference", "max_parallel": 2});
    let made = app.create(&ada, &body).await;
    let (id, secret) = (text(&made["api_key"]["id"]), text(&made["key"]));
    let (calls, _) = begin_together(std::slice::from_ref(&other), &secret, 2).await;
    for _ in 0..2 {
        let told = dry_run(&app, &ada, &id, 0).await;
        assert_eq!(told["code"], "too_many_parallel_requests", "{told}");
        assert_eq!((&told["limit"]["limit"], &told["limit"]["used"]), (&json!(2), &json!(2)));
    }
    drop(calls);
    other.settled().await;
    for _ in 0..3 {
        assert_eq!(dry_run(&app, &ada, &id, 0).await["code"], "valid", "it takes no slot");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_report_node_share_until_a_minute_after_redis_outage() {
    let redis = Redis::start().await;
    let port = redis.port;
    let app = app(&redis).await;
    let ada = app.sign_in("ada").await;
    let made = app.create(&ada, &json!({"name": "rpm", "rpm": 4})).await;
    let (id, secret) = (text(&made["api_key"]["id"]), text(&made["key"]));
    assert_eq!(admitted(std::slice::from_ref(&app.services), &secret, 3, 0).await, 3);
    drop(redis);
    shares(&app.services, false).await;
    assert_eq!(dry_run(&app, &ada, &id, 0).await["ratelimit"]["remaining"], 1);
    assert_eq!(remaining(&app.services, &secret).await, 1);
    let _again = Redis::start_on(port).await;
    shares(&app.services, true).await;
    assert_eq!(dry_run(&app, &ada, &id, 0).await["ratelimit"]["remaining"], 1);
    assert_eq!(remaining(&app.services, &secret).await, 1);
}
