//! Shared limits go by Redis' clock: neither the nodes' clocks nor a step of Redis' own open the
//! gate.
#![expect(clippy::disallowed_methods, reason = "Redis goes by a real clock")]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use latchkey_checker::CheckRequest;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use latchkey_domain::token_usage::TokenUsage;
use latchkey_services::Database;
use latchkey_services::clock::ManualClock;
use serde_json::json;

use crate::consistency::shared_limits::{Redis, admitted, app, refused, shares};
use crate::test_app::{START, TestApp, keep_in_sync, text, token_estimate};

/// A key with these limits: its id and its secret.
async fn key(app: &TestApp, limits: serde_json::Value) -> (String, String) {
    let made = app.create(&app.sign_in("ada").await, &limits).await;
    (text(&made["api_key"]["id"]), text(&made["key"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_whose_clocks_differ_share_the_servers_minute() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(START - 3_600_000)));
    clock.advance(Duration::from_mins(10));
    let database = Database::open(&app.config.database_url).await.unwrap();
    let other = app.node_by(database, Arc::clone(&clock)).await;
    keep_in_sync(&other);
    shares(&other, true).await;
    let (_, secret) = key(&app, json!({"name": "rpm", "rpm": 10})).await;
    assert_eq!(admitted(std::slice::from_ref(&app.services), &secret, 6, 0).await, 6);
    assert_eq!(admitted(std::slice::from_ref(&other), &secret, 6, 0).await, 4);
    // A minute of the nodes is none of Redis'.
    clock.advance(Duration::from_mins(2));
    app.advance(Duration::from_mins(2));
    assert_eq!(admitted(&[app.services.clone(), other], &secret, 6, 0).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_clock_set_back_denies_for_at_most_a_minute() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let (id, secret) = key(&app, json!({"name": "rpm", "rpm": 3})).await;
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    // Two were admitted before the clock went back by an hour.
    let window = format!("latchkey:{{{id}}}:r");
    redis.ask(&["HSET", &window, &(now() + 3_600).to_string(), "2"]);
    assert_eq!(admitted(std::slice::from_ref(&app.services), &secret, 4, 0).await, 1);
    let denial = refused(&app.services, &secret, 0).await;
    assert_eq!(denial.outcome, Outcome::RateLimited);
    assert!(denial.detail.starts_with("rpm 3 reached: 3 used "), "{}", denial.detail);
    let wait = denial.retry_after.unwrap();
    assert!((Duration::from_secs(50)..=Duration::from_secs(61)).contains(&wait), "{wait:?}");
    let seconds = redis.ask(&["HKEYS", &window]);
    for second in seconds.lines() {
        assert!(second.parse::<u64>().unwrap() <= now(), "{second} would stay for an hour");
    }
    assert!(redis.ask(&["TTL", &window]).parse::<u64>().unwrap() <= 62);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_in_the_future_are_reported_when_redis_clock_goes_back() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let (id, secret) = key(&app, json!({"name": "both", "rpm": 30, "tpm": 100})).await;
    let ahead = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() + 3_600;
    redis.ask(&["HSET", &format!("latchkey:{{{id}}}:t"), &ahead.to_string(), "95"]);
    let denial = refused(&app.services, &secret, 10).await;
    assert_eq!(denial.outcome, Outcome::TokenRateLimited);
    let told = "tpm 100 reached: 95 used in the last 60 s, 10 requested; retry in ";
    assert!(denial.detail.starts_with(told), "{}", denial.detail);
    assert_eq!(denial.limits.tokens.unwrap().remaining, 5);
    assert_eq!(denial.limits.requests.unwrap().remaining, 30, "it took no request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_tokens_needs_none_of_an_overrun_minute() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let (_, secret) = key(&app, json!({"name": "tpm", "tpm": 100})).await;
    let found = app.services.checker.authenticate_for_server(Some(&secret)).await.unwrap();
    let estimate = token_estimate(10, 0);
    let pending = app.services.checker.begin(&found, CheckRequest::default()).await.unwrap();
    let reserved = app.services.checker.reserve(&found, CheckRequest::default(), estimate, pending);
    let reserved = reserved.await.unwrap();
    reserved.settle(TokenUsage { prompt: 200, ..TokenUsage::default() }).await;
    app.services.settled().await;
    let admission =
        app.services.checker.check(Some(&secret), CheckRequest::default()).await.unwrap();
    assert_eq!(admission.limits.tokens.unwrap().remaining, 0);
    let denial = refused(&app.services, &secret, 1).await;
    assert_eq!(denial.outcome, Outcome::TokenRateLimited);
    assert!(denial.detail.starts_with("tpm 100 reached: 200 used "), "{}", denial.detail);
}
