//! Limits of projects and organizations: what all their keys may do together, on one node and on
//! several that share a Redis.

use std::time::Duration;

use latchkey_checker::{CheckRequest, Denial, PendingCall};
use latchkey_domain::api::LimitUnit;
use latchkey_domain::budget::{BudgetAmount, LimitScope};
use latchkey_domain::limit::Period;
use latchkey_domain::outcome::Outcome;
use latchkey_services::Services;
use serde_json::{Value, json};

use crate::consistency::nodes::hears;
use crate::consistency::shared_limits::{Redis, admitted, app, heard, refused, shares};
use crate::test_app::{Session, TestApp, on_both_databases, outcome_of, problem, text};

/// Limits the person's project.
pub(super) async fn limit_project(app: &TestApp, who: &Session, limits: &Value) {
    let path = format!("/v1/projects/{}", who.project);
    let response = app.send(reqwest::Method::PATCH, &path, who, limits).await;
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
}

/// Limits the person's organization.
pub(super) async fn limit_organization(app: &TestApp, who: &Session, limits: &Value) {
    let path = format!("/v1/organizations/{}", who.organization);
    let response = app.send(reqwest::Method::PATCH, &path, who, limits).await;
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
}

/// Two keys of the person's project without limits of their own.
async fn two_keys(app: &TestApp, who: &Session) -> [String; 2] {
    let one = app.create(who, &json!({"name": "one"})).await;
    let two = app.create(who, &json!({"name": "two"})).await;
    [text(&one["key"]), text(&two["key"])]
}

/// How many of so many parallel calls with each key on each node are admitted.
async fn admitted_together(
    nodes: &[Services],
    keys: &[String; 2],
    calls: usize,
    cost: u64,
) -> usize {
    let [one, two] = keys;
    let (one, two) =
        tokio::join!(admitted(nodes, one, calls, cost), admitted(nodes, two, calls, cost));
    one + two
}

async fn begin(services: &Services, secret: &str) -> Result<PendingCall, Denial> {
    let found = services.checker.authenticate_for_server(Some(secret)).await.unwrap();
    services.checker.begin(&found, CheckRequest::default()).await
}

on_both_databases! {
    async fn keys_of_a_project_share_its_requests_a_minute(app: TestApp) {
        let ada = app.sign_in("ada").await;
        limit_project(&app, &ada, &json!({"rpm": 50})).await;
        let keys = two_keys(&app, &ada).await;
        let node = std::slice::from_ref(&app.services);
        assert_eq!(admitted_together(node, &keys, 40, 0).await, 50);
        let denial = refused(&app.services, &keys[0], 0).await;
        assert_eq!(denial.outcome, Outcome::RateLimited);
        let told = "rpm 50 of the project reached: 50 used in the last 60 s. Retry in ";
        assert!(denial.detail.starts_with(told), "{}", denial.detail);
        let limit = denial.limit.unwrap();
        assert_eq!((limit.scope, limit.unit), (LimitScope::Project, LimitUnit::Requests));
        assert_eq!((limit.limit, limit.used), (BudgetAmount::Count(50), BudgetAmount::Count(50)));
        assert_eq!(limit.period, Some(Period::Minute));
        assert!(limit.resets_at.is_some());
        app.advance(Duration::from_secs(61));
        assert_eq!(admitted_together(node, &keys, 40, 0).await, 50);
    }

    async fn answers_name_the_level_and_show_the_tightest(app: TestApp) {
        let ada = app.sign_in("ada").await;
        limit_organization(&app, &ada, &json!({"rpm": 2})).await;
        limit_project(&app, &ada, &json!({"rpm": 9})).await;
        let body = json!({"name": "one", "rpm": 5, "application_id": ada.application});
        let key = text(&app.create(&ada, &body).await["key"]);
        for left in ["1", "0"] {
            let answer = app.ingest(&key).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.headers()["x-ratelimit-limit-requests"], "2");
            assert_eq!(answer.headers()["x-ratelimit-remaining-requests"], left);
        }
        let answer = app.ingest(&key).await;
        assert_eq!(answer.headers()["x-ratelimit-limit-requests"], "2");
        let told = problem(answer, 429, "rate_limited").await;
        assert_eq!(told["limit"]["scope"], "organization", "{told}");
        assert_eq!(told["limit"]["unit"], "requests");
        assert_eq!(told["limit"]["period"], "minute");
        assert_eq!((&told["limit"]["limit"], &told["limit"]["used"]), (&json!(2), &json!(2)));
    }

    async fn refused_call_takes_nothing_of_any_level(app: TestApp) {
        let ada = app.sign_in("ada").await;
        limit_organization(&app, &ada, &json!({"tpm": 100})).await;
        limit_project(&app, &ada, &json!({"rpm": 4})).await;
        let keys = two_keys(&app, &ada).await;
        for key in keys.iter().cycle().take(10) {
            let denial = refused(&app.services, key, 101).await;
            assert_eq!(denial.outcome, Outcome::TokenRateLimited);
            assert_eq!(denial.limit.unwrap().scope, LimitScope::Organization);
        }
        let node = std::slice::from_ref(&app.services);
        assert_eq!(admitted_together(node, &keys, 4, 10).await, 4);
    }

    async fn keys_of_a_project_share_its_parallel_calls(app: TestApp) {
        let ada = app.sign_in("ada").await;
        limit_organization(&app, &ada, &json!({"max_parallel": 9})).await;
        limit_project(&app, &ada, &json!({"max_parallel": 3})).await;
        let [one, two] = two_keys(&app, &ada).await;
        let mut calls = Vec::new();
        for key in [&one, &two, &one] {
            calls.push(begin(&app.services, key).await.unwrap());
        }
        let Err(denial) = begin(&app.services, &two).await else { panic!("a fourth call") };
        assert_eq!(denial.outcome, Outcome::TooManyParallelRequests);
        let told = "max_parallel 3 of the project reached: 3 calls of its keys are in progress. ";
        assert!(denial.detail.starts_with(told), "{}", denial.detail);
        let limit = denial.limit.unwrap();
        assert_eq!((limit.scope, limit.unit), (LimitScope::Project, LimitUnit::Calls));
        assert_eq!((limit.period, limit.resets_at), (None, None));
        drop(calls.pop());
        calls.push(begin(&app.services, &two).await.unwrap());
        // What the refused call had acquired of the key is free again: all slots are.
        drop(calls);
        limit_project(&app, &ada, &json!({"max_parallel": null})).await;
        let mut calls = Vec::new();
        for key in [&one, &two].into_iter().cycle().take(9) {
            calls.push(begin(&app.services, key).await.unwrap());
        }
        let Err(denial) = begin(&app.services, &one).await else { panic!("a tenth call") };
        assert_eq!(denial.limit.unwrap().scope, LimitScope::Organization);
    }

    async fn limits_of_a_project_leave_service_keys_cached(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let service = app.service_key(&ada, &["usage:read"]).await.0;
        let [limited, _] = two_keys(&app, &ada).await;
        hears(&app.services).await;
        let check = async |secret: &str| {
            outcome_of(app.services.checker.check(Some(secret), CheckRequest::default()).await)
        };
        for secret in [&service, &limited] {
            assert_eq!(check(secret).await, Outcome::Valid);
        }
        limit_project(&app, &ada, &json!({"rpm": 600})).await;
        let before = app.services.database.statements();
        assert_eq!(check(&service).await, Outcome::Valid);
        assert_eq!(app.services.database.statements(), before, "it has no limits of its project");
        assert_eq!(check(&limited).await, Outcome::Valid);
        assert!(app.services.database.statements() > before, "its limits have changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_share_the_limits_of_a_project() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let nodes = [app.services.clone(), app.second_node().await, app.second_node().await];
    for node in &nodes {
        shares(node, true).await;
    }
    let ada = app.sign_in("ada").await;
    limit_project(&app, &ada, &json!({"rpm": 50, "tpm": 10_000})).await;
    let keys = two_keys(&app, &ada).await;
    assert_eq!(admitted_together(&nodes, &keys, 20, 10).await, 50);
    let denial = refused(&nodes[1], &keys[1], 0).await;
    let told = "rpm 50 of the project reached: 50 used in the last 60 s. Retry in ";
    assert!(denial.detail.starts_with(told), "{}", denial.detail);
    let tokens = denial.limits.tokens.unwrap();
    assert_eq!((tokens.limit, tokens.remaining), (10_000, 9_500));
}

#[tokio::test(flavor = "multi_thread")]
async fn call_refused_by_organization_takes_nothing_in_redis() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let ada = app.sign_in("ada").await;
    limit_organization(&app, &ada, &json!({"tpm": 100})).await;
    limit_project(&app, &ada, &json!({"rpm": 3})).await;
    let key = text(&app.create(&ada, &json!({"name": "one", "rpm": 4})).await["key"]);
    for _ in 0..5 {
        let denial = refused(&app.services, &key, 101).await;
        assert_eq!(denial.outcome, Outcome::TokenRateLimited);
        assert_eq!(denial.limit.unwrap().scope, LimitScope::Organization);
        // It is given back without waiting for Redis.
        app.services.settled().await;
    }
    let windows = redis.ask(&["KEYS", "latchkey:*:[rt]"]);
    // A node writes to windows of its own when it starts.
    for window in windows.lines().filter(|window| !window.contains("{start}")) {
        let counts = redis.ask(&["HVALS", window]);
        assert!(counts.lines().all(|count| count == "0"), "{window}: {counts}");
    }
    let node = std::slice::from_ref(&app.services);
    assert_eq!(admitted(node, &key, 6, 10).await, 3);
    let denial = refused(&app.services, &key, 10).await;
    assert_eq!(denial.limit.unwrap().scope, LimitScope::Project);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_enforce_their_share_of_a_project_without_redis() {
    let redis = Redis::start().await;
    let app = app(&redis).await;
    let other = app.second_node().await;
    shares(&other, true).await;
    heard().await;
    let nodes = [app.services.clone(), other];
    let ada = app.sign_in("ada").await;
    limit_project(&app, &ada, &json!({"rpm": 40})).await;
    let keys = two_keys(&app, &ada).await;
    drop(redis);
    for node in &nodes {
        shares(node, false).await;
    }
    assert_eq!(admitted_together(&nodes, &keys, 40, 0).await, 40, "half of it on each node");
    let denial = refused(&app.services, &keys[0], 0).await;
    let told = "rpm 40 (currently 20 on this node) of the project reached: 20 used ";
    assert!(denial.detail.starts_with(told), "{}", denial.detail);
    assert_eq!(denial.limit.unwrap().limit, BudgetAmount::Count(40));
}
