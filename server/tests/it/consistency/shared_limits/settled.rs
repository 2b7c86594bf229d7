//! What is reserved of limits that nodes share and not used: it is free again in Redis, and in the
//! node's own windows, which decide alone when Redis goes away.

use latchkey_checker::{CheckRequest, Reservation};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::token_usage::TokenUsage;
use serde_json::json;

use crate::consistency::shared_limits::{Redis, app, shares};
use crate::test_app::{TestApp, outcome_of, text, token_estimate};

const TPM: u64 = 1_000;

/// A key of that many tokens a minute.
async fn key(app: &TestApp) -> String {
    let ada = app.sign_in("ada").await;
    text(&app.create(&ada, &json!({"name": "tpm", "tpm": TPM})).await["key"])
}

/// Reserves most of what the key has in a minute.
async fn reserve(app: &TestApp, secret: &str) -> Reservation {
    let found = app.services.checker.authenticate_for_server(Some(secret)).await.unwrap();
    let estimate = token_estimate(100, 800);
    let pending = app.services.checker.begin(&found, CheckRequest::default()).await.unwrap();
    let reserved = app.services.checker.reserve(&found, CheckRequest::default(), estimate, pending);
    let reserved = reserved.await.unwrap();
    assert_eq!(reserved.granted().answer, 800);
    reserved
}

/// The call has used little of it.
async fn settle(app: &TestApp, reserved: Reservation) {
    reserved.settle(TokenUsage { prompt: 50, ..TokenUsage::default() }).await;
    // Redis is told without waiting.
    app.services.settled().await;
}

async fn ask(app: &TestApp, secret: &str, cost: u64) -> Outcome {
    let call = CheckRequest { cost, ..CheckRequest::default() };
    outcome_of(app.services.checker.check(Some(secret), call).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn settlement_frees_unused_tokens_in_redis_and_on_node() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let secret = key(&app).await;
    let reserved = reserve(&app, &secret).await;
    settle(&app, reserved).await;
    let admission =
        app.services.checker.check(Some(&secret), CheckRequest::default()).await.unwrap();
    assert_eq!(admission.limits.tokens.unwrap().remaining, TPM - 50);
    drop(redis);
    shares(&app.services, false).await;
    assert_eq!(ask(&app, &secret, TPM - 49).await, Outcome::TokenRateLimited);
    assert_eq!(ask(&app, &secret, TPM - 50).await, Outcome::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn settlement_during_redis_outage_frees_local_window() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let secret = key(&app).await;
    let reserved = reserve(&app, &secret).await;
    drop(redis);
    shares(&app.services, false).await;
    assert_eq!(ask(&app, &secret, 101).await, Outcome::TokenRateLimited, "it is reserved");
    settle(&app, reserved).await;
    let reserved = reserve(&app, &secret).await;
    settle(&app, reserved).await;
    assert_eq!(ask(&app, &secret, TPM - 100).await, Outcome::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn settlement_frees_both_in_the_minute_after_redis_outage() {
    let redis = Redis::start().await;
    let port = redis.port;
    let app = app(&redis).await;
    let secret = key(&app).await;
    let reserved = reserve(&app, &secret).await;
    settle(&app, reserved).await;
    drop(redis);
    shares(&app.services, false).await;
    let _again = Redis::start_on(port).await;
    shares(&app.services, true).await;
    // The node's own windows know of the first, Redis does not.
    for _ in 0..2 {
        let reserved = reserve(&app, &secret).await;
        settle(&app, reserved).await;
    }
    assert_eq!(ask(&app, &secret, TPM - 149).await, Outcome::TokenRateLimited);
    // Redis would have admitted it: what it took there goes back without waiting.
    app.services.settled().await;
    assert_eq!(ask(&app, &secret, TPM - 150).await, Outcome::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn call_denied_by_budget_leaves_local_rate_limit_unused() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let ada = app.sign_in("ada").await;
    let body = json!({"name": "all", "rpm": 3, "tpm": 100, "token_limit": 50, "token_limit_period": "day"});
    let secret = text(&app.create(&ada, &body).await["key"]);
    for _ in 0..5 {
        assert_eq!(ask(&app, &secret, 60).await, Outcome::TokenBudgetExhausted);
        app.services.settled().await;
    }
    drop(redis);
    shares(&app.services, false).await;
    for _ in 0..3 {
        assert_eq!(ask(&app, &secret, 10).await, Outcome::Valid);
    }
    assert_eq!(ask(&app, &secret, 10).await, Outcome::RateLimited);
}
