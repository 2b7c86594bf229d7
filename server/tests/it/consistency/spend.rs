//! Budgets in dollars, tokens and requests hold exactly, for a key, its project and its
//! organization at once, whatever runs in parallel.

use std::time::Duration;

use latchkey_checker::{
    AnswerCap, CheckRequest, Denial, IdentifiedKey, Reservation, ReservationRequest, TokenEstimate,
};
use latchkey_domain::money::Usd;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::price::Price;
use latchkey_domain::token_usage::TokenUsage;
use latchkey_services::Services;
use reqwest::Method;
use serde_json::{Value, json};

use crate::consistency::nodes::hears;
use crate::test_app::{Session, TestApp, key_path, on_both_databases, text};

/// A call of 100 prompt tokens and at most 100 of an answer: at most 300 millionths of a dollar.
const CALL: TokenEstimate = TokenEstimate {
    prompt_estimate: 100,
    prompt_bound: 100,
    answers: 1,
    answer: AnswerCap::Client(100),
};

async fn reserve(services: &Services, found: &IdentifiedKey) -> Result<Reservation, Denial> {
    let call = CheckRequest { model: Some("m"), ..CheckRequest::default() };
    let pending = services.checker.begin(found, call).await?;
    let request =
        ReservationRequest { estimate: CALL, exact_count: None, price: Some(Price::SANDBOX) };
    services.checker.reserve(found, call, request, pending).await
}

async fn settle(reserved: Reservation, completion: u64) {
    drop(reserved.settle(used_by(completion)).await);
}

fn used_by(completion: u64) -> TokenUsage {
    TokenUsage { prompt: 100, completion, ..TokenUsage::default() }
}

fn budgets(dollars: &str, tokens: u64) -> Value {
    json!([
        {"unit": "usd", "limit": dollars, "period": "month"},
        {"unit": "tokens", "limit": tokens, "period": "total"},
        {"unit": "requests", "limit": 1_000_000, "period": "day"},
    ])
}

async fn limit(app: &TestApp, who: &Session, path: &str, budgets: &Value) {
    let body = json!({ "budgets": budgets });
    let changed = app.send(Method::PATCH, path, who, &body).await;
    assert_eq!(changed.status(), 200, "{path}");
}

fn paths(who: &Session) -> [String; 2] {
    [format!("/v1/projects/{}", who.project), format!("/v1/organizations/{}", who.organization)]
}

/// An inference key with these budgets; its path and what identifies it.
async fn key(app: &TestApp, who: &Session, budgets: &Value) -> (String, String) {
    let body =
        json!({"name": "Metered", "kind": "inference", "budgets": budgets, "max_parallel": 1_000});
    let created = app.create(who, &body).await;
    (key_path(&created), text(&created["key"]))
}

async fn found(services: &Services, secret: &str) -> IdentifiedKey {
    hears(services).await;
    services.checker.authenticate_for_server(Some(secret)).await.unwrap()
}

/// Used, reserved and remaining of each budget, in billionths of a dollar or as counted.
async fn states(app: &TestApp, who: &Session, path: &str) -> Vec<[u64; 4]> {
    let counted = |value: &Value| match value.as_str() {
        Some(dollars) => dollars.parse::<Usd>().unwrap().billionths(),
        None => value.as_u64().unwrap(),
    };
    let budgets = app.json(path, &who.jwt).await["budgets"].clone();
    let budgets = budgets.as_array().unwrap().iter();
    let state = |budget: &Value| {
        ["used", "reserved", "remaining", "limit"].map(|field| counted(&budget[field]))
    };
    budgets.map(state).collect()
}

/// Calls one after the other until a budget refuses one; what they have used.
async fn exhaust(services: Services, found: IdentifiedKey, mut seed: u64) -> (u64, u64) {
    let (mut calls, mut completions) = (0, 0);
    loop {
        match reserve(&services, &found).await {
            Ok(reserved) => {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let completion = (seed >> 33) % (reserved.granted().answer + 1);
                calls += 1;
                completions += completion;
                settle(reserved, completion).await;
            }
            Err(denial) => {
                let expected = [Outcome::SpendLimitReached, Outcome::TokenBudgetExhausted];
                assert!(expected.contains(&denial.outcome), "{denial:?}");
                let limit = denial.limit.unwrap();
                assert!(limit.used.counted() <= limit.limit.counted(), "{limit:?}");
                return (calls, completions);
            }
        }
    }
}

on_both_databases! {
    async fn parallel_calls_never_pass_a_budget_of_any_level(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let [project, organization] = paths(&ada);
        // The organization's dollars are the tightest, then the key's tokens.
        let (of_key, secret) = key(&app, &ada, &budgets("9", 400_000)).await;
        limit(&app, &ada, &project, &budgets("0.5", 500_000)).await;
        limit(&app, &ada, &organization, &budgets("0.3", 600_000)).await;
        let found = found(&app.services, &secret).await;
        let callers = (0..64).map(|seed| {
            tokio::spawn(exhaust(app.services.clone(), found.clone(), seed))
        });
        let callers: Vec<_> = callers.collect();
        let (mut calls, mut completions) = (0, 0);
        for caller in callers {
            let (more_calls, more_completions) = caller.await.unwrap();
            calls += more_calls;
            completions += more_completions;
        }
        app.services.checker.return_leases(true).await.unwrap();
        let tokens = calls * 100 + completions;
        let dollars = (calls * 100 + completions * 2) * 1_000;
        for path in [&of_key, &project, &organization] {
            let states = states(&app, &ada, path).await;
            assert_eq!([states[0][0], states[1][0], states[2][0]], [dollars, tokens, calls], "{path}");
            for [used, reserved, remaining, limit] in states {
                assert_eq!((used + remaining, reserved), (limit, 0), "{path}");
            }
        }
        let left = 300_000_000 - dollars;
        assert!(left < 102_000, "{left} billionths are left, less than the smallest call needs");
    }

    async fn two_nodes_never_pass_a_budget_though_one_crashes(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let [project, organization] = paths(&ada);
        let (_, secret) = key(&app, &ada, &json!([])).await;
        limit(&app, &ada, &project, &budgets("0.2", 500_000)).await;
        limit(&app, &ada, &organization, &budgets("0.3", 600_000)).await;
        let other = app.second_node().await;
        let mut callers = Vec::new();
        for (node, services) in [&app.services, &other].into_iter().enumerate() {
            let found = found(services, &secret).await;
            for seed in 0..8 {
                let seed = seed + 100 * u64::try_from(node).unwrap();
                callers.push(tokio::spawn(exhaust(services.clone(), found.clone(), seed)));
            }
        }
        let mut dollars = 0;
        for caller in callers {
            let (calls, completions) = caller.await.unwrap();
            dollars += (calls * 100 + completions * 2) * 1_000;
        }
        // The other node is gone without returning anything.
        drop(other);
        app.services.checker.return_leases(true).await.unwrap();
        let [used, _, remaining, limit] = states(&app, &ada, &project).await[0];
        assert!(dollars <= used && used + remaining == limit, "{dollars} {used} {remaining}");
        assert!(dollars <= limit, "{dollars} of {limit}");
    }

    async fn call_that_fits_is_not_refused(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (path, secret) = key(&app, &ada, &budgets("0.03", 40_000)).await;
        let found = found(&app.services, &secret).await;
        // 95 calls of 300 millionths: 95 per cent of the dollars, one at a time.
        for _ in 0..95 {
            settle(reserve(&app.services, &found).await.unwrap(), 100).await;
        }
        assert_eq!(states(&app, &ada, &path).await[0], [28_500_000, 0, 1_500_000, 30_000_000]);
        for _ in 0..5 {
            settle(reserve(&app.services, &found).await.unwrap(), 100).await;
        }
        let denial = reserve(&app.services, &found).await.err().unwrap();
        assert_eq!(denial.outcome, Outcome::SpendLimitReached);
        assert_eq!(states(&app, &ada, &path).await[0], [30_000_000, 0, 0, 30_000_000]);
    }

    async fn call_charges_the_period_in_which_it_was_reserved(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let daily = json!([{"unit": "usd", "limit": 1, "period": "day"}]);
        let (path, secret) = key(&app, &ada, &daily).await;
        let before = found(&app.services, &secret).await;
        let reserved = reserve(&app.services, &before).await.unwrap();
        let state = states(&app, &ada, &path).await[0];
        assert_eq!([state[0], state[1]], [0, 300_000], "reserved is not used");
        app.advance(Duration::from_hours(24));
        let ada = app.sign_in("ada").await;
        let after = found(&app.services, &secret).await;
        settle(reserve(&app.services, &after).await.unwrap(), 0).await;
        settle(reserved, 100).await;
        assert_eq!(states(&app, &ada, &path).await[0][0], 100_000, "the new day's call alone");
    }

    async fn budget_keeps_its_use_when_it_is_changed_or_set_again(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let daily = |limit: &str| json!([{"unit": "usd", "limit": limit, "period": "day"}]);
        let (path, secret) = key(&app, &ada, &daily("1")).await;
        let first = found(&app.services, &secret).await;
        settle(reserve(&app.services, &first).await.unwrap(), 100).await;
        limit(&app, &ada, &path, &daily("0.0003")).await;
        assert_eq!(states(&app, &ada, &path).await[0], [300_000, 0, 0, 300_000]);
        let lowered = found(&app.services, &secret).await;
        let denial = reserve(&app.services, &lowered).await.err().unwrap();
        assert_eq!(denial.outcome, Outcome::SpendLimitReached);
        limit(&app, &ada, &path, &json!([])).await;
        limit(&app, &ada, &path, &daily("2")).await;
        assert_eq!(states(&app, &ada, &path).await[0][0], 300_000);
    }

    async fn organization_keeps_the_share_of_what_is_deleted(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let [project, organization] = paths(&ada);
        limit(&app, &ada, &organization, &budgets("1", 1_000)).await;
        let (path, secret) = key(&app, &ada, &json!([])).await;
        let found = found(&app.services, &secret).await;
        settle(reserve(&app.services, &found).await.unwrap(), 100).await;
        let used = states(&app, &ada, &organization).await;
        assert_eq!([used[0][0], used[1][0], used[2][0]], [300_000, 200, 1]);
        for gone in [&path, &project] {
            let deleted = app.send(Method::DELETE, gone, &ada, &Value::Null).await;
            assert_eq!(deleted.status(), 204, "{gone}");
            assert_eq!(states(&app, &ada, &organization).await, used, "{gone}");
        }
    }

    async fn thresholds_are_told_once_though_two_nodes_cross_them(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (_, secret) = key(&app, &ada, &json!([{"unit": "requests", "limit": 10, "period": "day"}])).await;
        let other = app.second_node().await;
        for services in [&app.services, &other] {
            hears(services).await;
            for _ in 0..5 {
                services.checker.check(Some(&secret), CheckRequest::default()).await.unwrap();
                services.checker.return_leases(true).await.unwrap();
            }
        }
        for services in [&app.services, &other] {
            assert!(services.checker.check(Some(&secret), CheckRequest::default()).await.is_err());
            services.checker.write_budget_events().await.unwrap();
        }
        let path = format!("/v1/projects/{}/budget-events", ada.project);
        let events = app.json(&path, &ada.jwt).await["data"].clone();
        let mut told: Vec<_> = events
            .as_array()
            .unwrap()
            .iter()
            .map(|event| ["percent", "used", "limit"].map(|field| event[field].as_u64().unwrap()))
            .collect();
        told.sort_unstable();
        assert_eq!(told, [[80, 8, 10], [100, 10, 10]], "{events}");
    }
}
