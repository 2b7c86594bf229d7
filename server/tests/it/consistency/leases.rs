//! What calls had reserved of a token budget and did not use: it goes back without a write for each
//! of them, and others may spend it.

use std::time::Duration;

use futures::FutureExt;
use latchkey_checker::{CheckRequest, IdentifiedKey, Reservation};
use latchkey_domain::token_usage::TokenUsage;
use latchkey_services::Services;
use serde_json::json;

use crate::consistency::nodes::hears;
use crate::test_app::{TestApp, count_rows, denial, on_both_databases, text, token_estimate};

/// What each call uses, whatever it had reserved.
const USED: u64 = 10;

/// A key of that budget, found on the app's node.
async fn key(app: &TestApp, limit: u64) -> (String, IdentifiedKey) {
    let ada = app.sign_in("ada").await;
    let body = json!({"name": "Metered", "token_limit": limit, "token_limit_period": "month"});
    let secret = text(&app.create(&ada, &body).await["key"]);
    hears(&app.services).await;
    let found = app.services.checker.authenticate_for_server(Some(&secret)).await.unwrap();
    (secret, found)
}

async fn reserve(services: &Services, found: &IdentifiedKey, tokens: u64) -> Reservation {
    let pending = services.checker.begin(found, CheckRequest::default()).await.unwrap();
    let estimate = token_estimate(tokens, 0);
    services.checker.reserve(found, CheckRequest::default(), estimate, pending).await.unwrap()
}

async fn settle(reserved: Reservation) {
    drop(reserved.settle(TokenUsage { prompt: USED, ..TokenUsage::default() }).await);
}

/// A call that reserves as much; what is used of the budget then, its reservation included.
async fn call(services: &Services, found: &IdentifiedKey, tokens: u64) -> u64 {
    let reserved = reserve(services, found, tokens).await;
    let used = used(services, found).await;
    settle(reserved).await;
    used
}

/// What is used and reserved of the key's budget, as its node knows.
async fn used(services: &Services, found: &IdentifiedKey) -> u64 {
    let states = services.checker.key_budget_states(found.key()).await.unwrap();
    states[0].as_token_budget().used
}

/// Asks for so many tokens; what is used then, or the code of the refusal.
async fn spend(services: &Services, secret: &str, cost: u64) -> Result<u64, &'static str> {
    match services
        .checker
        .check(Some(secret), CheckRequest { cost, ..CheckRequest::default() })
        .await
    {
        Ok(admission) => {
            let states = services.checker.key_budget_states(&admission.key).await.unwrap();
            Ok(states[0].as_token_budget().used)
        }
        Err(error) => Err(denial(error).outcome.as_str()),
    }
}

/// Whether a call of so many tokens is admitted.
async fn admits(services: &Services, secret: &str, cost: u64) -> bool {
    let call = CheckRequest { cost, ..CheckRequest::default() };
    services.checker.check(Some(secret), call).await.is_ok()
}

on_both_databases! {
    async fn small_calls_after_a_large_one_write_nothing_each(app: TestApp) {
        let (secret, found) = key(&app, 100_000_000).await;
        let services = &app.services;
        assert_eq!(call(services, &found, 1_000_000).await, 1_000_000);
        let before = services.database.statements();
        for calls in 1..=200 {
            settle(reserve(services, &found, 400).await).await;
            if calls % 50 == 0 {
                services.checker.return_leases(false).await.unwrap();
            }
        }
        let statements = services.database.statements() - before;
        assert!(statements <= 4, "{statements} statements");
        assert_eq!(call(services, &found, 400).await, USED * 201 + 400);
        services.checker.return_leases(true).await.unwrap();
        assert_eq!(services.checker.lease_count(), 0);
        let other = app.second_node().await;
        assert_eq!(spend(&other, &secret, 0).await, Ok(USED * 202), "nothing is lost");
    }

    async fn long_calls_whose_lease_is_gone_write_nothing_each(app: TestApp) {
        let (secret, found) = key(&app, 100_000).await;
        let services = &app.services;
        let mut under_way = Vec::new();
        for _ in 0..20 {
            under_way.push(reserve(services, &found, 1_000).await);
        }
        app.advance(Duration::from_secs(2));
        services.checker.return_leases(false).await.unwrap();
        assert_eq!(services.checker.lease_count(), 0, "nobody draws on it");
        let before = services.database.statements();
        for reserved in under_way {
            settle(reserved).await;
        }
        assert_eq!(services.database.statements(), before);
        services.checker.return_leases(false).await.unwrap();
        assert_eq!(services.database.statements(), before + 1, "one for all");
        assert_eq!(services.checker.lease_count(), 0, "nothing is kept");
        assert_eq!(spend(services, &secret, 0).await, Ok(USED * 20));
        assert_eq!(spend(services, &secret, 100_000 - USED * 20).await, Ok(100_000));
        assert_eq!(spend(services, &secret, 1).await, Err("token_budget_exhausted"));
    }

    async fn cancelled_settlement_charges_all_budgets(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let budget = |period| json!({"unit": "tokens", "limit": 100, "period": period});
        let budgets = json!({"name": "Metered", "budgets": [budget("total"), budget("month")]});
        let secret = text(&app.create(&ada, &budgets).await["key"]);
        let services = &app.services;
        hears(services).await;
        let found = services.checker.authenticate_for_server(Some(&secret)).await.unwrap();
        let reserved = reserve(services, &found, 60).await;
        app.advance(Duration::from_secs(2));
        services.checker.return_leases(false).await.unwrap();
        let used = TokenUsage { prompt: 150, ..TokenUsage::default() };
        let settled = reserved.settle(used).now_or_never();
        assert!(settled.is_none(), "it waits for the database, and its caller goes away");
        services.settled().await;
        for state in services.checker.key_budget_states(found.key()).await.unwrap() {
            assert_eq!((state.used.counted(), state.reserved.counted()), (150, 0), "{state:?}");
        }
        services.checker.write_budget_events().await.unwrap();
        let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
        assert_eq!(count_rows(&database, "budget_events").await, 4, "80 and 100, of each");
    }

    async fn returned_tokens_are_reused_before_they_are_written(app: TestApp) {
        let (secret, found) = key(&app, 1_000).await;
        let services = &app.services;
        let all = reserve(services, &found, 1_000).await;
        app.advance(Duration::from_secs(2));
        services.checker.return_leases(false).await.unwrap();
        assert_eq!(spend(services, &secret, 1).await, Err("token_budget_exhausted"));
        settle(all).await;
        assert_eq!(spend(services, &secret, 1_000 - USED).await, Ok(1_000));
        assert_eq!(spend(services, &secret, 1).await, Err("token_budget_exhausted"));
    }

    async fn other_nodes_get_what_a_lease_in_use_has_too_much_of(app: TestApp) {
        let (secret, found) = key(&app, 50_000).await;
        let (services, other) = (&app.services, app.second_node().await);
        hears(&other).await;
        let all = reserve(services, &found, 50_000).await;
        assert_eq!(spend(&other, &secret, 25_000).await, Err("token_budget_exhausted"));
        settle(all).await;
        // The first still keeps what another large call would need.
        for calls in 2..=3 {
            services.checker.return_leases(false).await.unwrap();
            assert_eq!(call(services, &found, 20).await, USED * (calls - 1) + 20);
        }
        services.checker.return_leases(false).await.unwrap();
        assert!(admits(&other, &secret, 25_000).await);
        let mut spent = USED * 3 + 25_000;
        for node in [services, &other, services] {
            while admits(node, &secret, 10).await {
                spent += 10;
            }
            node.checker.return_leases(true).await.unwrap();
        }
        assert_eq!(spent, 50_000, "all of it and nothing more");
    }

    async fn lease_is_not_spent_after_the_limit_is_lowered(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "b", "token_limit": 1_000, "token_limit_period": "month"});
        let created = app.create(&ada, &body).await;
        let (secret, id) = (text(&created["key"]), text(&created["api_key"]["id"]));
        hears(&app.services).await;
        let found = app.services.checker.authenticate_for_server(Some(&secret)).await.unwrap();
        let large = reserve(&app.services, &found, 800).await;
        let lower = json!({"token_limit": 100});
        assert_eq!(crate::consistency::nodes::change(&app, &ada, &id, lower).await, 200);
        hears(&app.services).await;
        assert_eq!(spend(&app.services, &secret, 1).await, Err("token_budget_exhausted"));
        settle(large).await;
        let mut spent = USED;
        while admits(&app.services, &secret, 1).await {
            spent += 1;
        }
        assert_eq!(spent, 100);
    }
}
