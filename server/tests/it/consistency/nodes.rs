//! Several nodes on one database: what one changes, the others hear of.
#![expect(
    clippy::disallowed_methods,
    reason = "what holds within a second is timed by a real clock"
)]

use std::time::{Duration, Instant};

use latchkey_checker::CheckRequest;
use latchkey_domain::outcome::Outcome;
use latchkey_services::{Database, Services};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

use crate::test_app::{
    Backend, Session, TestApp, keep_in_sync, on_both_databases, outcome_of, query_value, text,
};

/// A call that takes tokens.
pub(crate) const TEN_TOKENS: CheckRequest<'static> = CheckRequest {
    kind: None,
    application: None,
    elsewhere: false,
    ip: None,
    model: None,
    scopes: None,
    cost: 10,
};

async fn outcome(services: &Services, secret: &str) -> Outcome {
    outcome_of(services.checker.check(Some(secret), CheckRequest::default()).await)
}

/// Changes a key; the answer's status.
pub(crate) async fn change(app: &TestApp, who: &Session, id: &str, body: Value) -> u16 {
    let path = format!("/v1/keys/{id}");
    app.send(reqwest::Method::PATCH, &path, who, &body).await.status().as_u16()
}

/// Waits until the node hears of changes.
pub(crate) async fn hears(services: &Services) {
    let began = Instant::now();
    while !services.checker.is_listening() {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing is heard");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How long the node goes on admitting the key.
async fn until_refused(services: &Services, secret: &str) -> Duration {
    let began = Instant::now();
    while outcome(services, secret).await == Outcome::Valid {
        assert!(began.elapsed() < Duration::from_secs(5), "still admitted");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    began.elapsed()
}

on_both_databases! {
    async fn another_node_refuses_a_revoked_key_within_a_second(app: TestApp) {
        let other = app.second_node().await;
        let ada = app.sign_in("ada").await;
        for _ in 0..5 {
            let secret = app.generate(&ada).await;
            hears(&other).await;
            assert_eq!(outcome(&other, &secret).await, Outcome::Valid);
            let before = other.database.statements();
            assert_eq!(outcome(&other, &secret).await, Outcome::Valid);
            assert_eq!(other.database.statements(), before, "it is cached there");
            app.revoke(&ada, &text(&app.keys(&ada).await[0]["id"])).await;
            assert!(until_refused(&other, &secret).await < Duration::from_secs(1));
        }
    }

    async fn disabling_and_enabling_reach_other_nodes_within_a_second(app: TestApp) {
        let other = app.second_node().await;
        let ada = app.sign_in("ada").await;
        let created = app.create(&ada, &json!({"name": "A"})).await;
        let (secret, id) = (text(&created["key"]), text(&created["api_key"]["id"]));
        hears(&other).await;
        for _ in 0..5 {
            assert_eq!(outcome(&other, &secret).await, Outcome::Valid);
            assert_eq!(change(&app, &ada, &id, json!({"disabled": true})).await, 200);
            assert!(until_refused(&other, &secret).await < Duration::from_secs(1));
            assert_eq!(outcome(&other, &secret).await, Outcome::DisabledKey);
            assert_eq!(change(&app, &ada, &id, json!({"disabled": false})).await, 200);
            let began = Instant::now();
            while outcome(&other, &secret).await != Outcome::Valid {
                assert!(began.elapsed() < Duration::from_secs(1), "still refused");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    async fn key_and_tier_changes_are_observed_by_other_nodes(app: TestApp) {
        let other = app.second_node().await;
        let ada = app.sign_in("ada").await;
        let created = app.create(&ada, &json!({"name": "Limited"})).await;
        let (secret, id) = (text(&created["key"]), text(&created["api_key"]["id"]));
        hears(&other).await;
        assert_eq!(outcome(&other, &secret).await, Outcome::Valid);
        let one_network = json!({"allowed_cidrs": ["203.0.113.0/24"]});
        assert_eq!(change(&app, &ada, &id, one_network).await, 200);
        until_refused(&other, &secret).await;
        assert_eq!(outcome(&other, &secret).await, Outcome::IpNotAllowed);
        let path = format!("/v1/projects/{}", ada.project);
        let deleted = app.delete(&path).bearer_auth(&ada.jwt).send().await.unwrap();
        assert_eq!(deleted.status(), 204);
        let began = Instant::now();
        while outcome(&other, &secret).await != Outcome::RevokedKey {
            assert!(began.elapsed() < Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn node_without_listener_queries_database_on_every_check(app: TestApp) {
        let database = Database::open(&app.config.database_url).await.unwrap();
        let deaf = app.node(database).await;
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        for _ in 0..3 {
            let before = deaf.database.statements();
            assert_eq!(outcome(&deaf, &secret).await, Outcome::Valid);
            assert!(deaf.database.statements() > before);
        }
        app.revoke(&ada, &text(&app.keys(&ada).await[0]["id"])).await;
        assert_eq!(outcome(&deaf, &secret).await, Outcome::RevokedKey, "at once");
    }

    async fn node_queries_database_soon_after_its_listener_fails(app: TestApp) {
        let database = Database::open(&app.config.database_url).await.unwrap();
        let other = app.node(database).await;
        let syncing = keep_in_sync(&other);
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        hears(&other).await;
        assert_eq!(outcome(&other, &secret).await, Outcome::Valid);
        syncing.abort();
        app.revoke(&ada, &text(&app.keys(&ada).await[0]["id"])).await;
        app.advance(Duration::from_millis(700));
        assert_eq!(outcome(&other, &secret).await, Outcome::RevokedKey);
    }

    async fn nodes_share_a_budget_and_never_overspend_it(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "Metered", "token_limit": 10_000, "token_limit_period": "month"});
        let secret = text(&app.create(&ada, &body).await["key"]);
        let nodes = [app.services.clone(), app.second_node().await, app.second_node().await];
        let calls = nodes.iter().flat_map(|node| std::iter::repeat_n(node, 500)).map(|node| {
            let (node, secret) = (node.clone(), secret.clone());
            tokio::spawn(async move { node.checker.check(Some(&secret), TEN_TOKENS).await.is_ok() })
        });
        let mut admitted = 0;
        for call in calls.collect::<Vec<_>>() {
            admitted += usize::from(call.await.unwrap());
        }
        assert!(admitted <= 1_000, "overspent: {admitted}");
        assert!(admitted >= 900, "leases near the end are small: {admitted}");
        for node in &nodes {
            node.checker.return_leases(true).await.unwrap();
        }
        while nodes[1].checker.check(Some(&secret), TEN_TOKENS).await.is_ok() {
            admitted += 1;
        }
        assert_eq!(admitted, 1_000, "what one node did not use, another does");
    }

    async fn leases_of_a_dead_node_count_as_used(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "Metered", "token_limit": 1_000, "token_limit_period": "month"});
        let secret = text(&app.create(&ada, &body).await["key"]);
        let dying = app.second_node().await;
        hears(&dying).await;
        let mut admitted = 0;
        for _ in 0..3 {
            dying.checker.check(Some(&secret), TEN_TOKENS).await.unwrap();
            admitted += 1;
        }
        let before = dying.database.statements();
        dying.checker.check(Some(&secret), TEN_TOKENS).await.unwrap();
        admitted += 1;
        assert_eq!(dying.database.statements(), before, "drawn on the lease, in memory");
        drop(dying);
        while app.services.checker.check(Some(&secret), TEN_TOKENS).await.is_ok() {
            admitted += 1;
        }
        assert!((90..100).contains(&admitted), "a lease is lost, nothing is overspent: {admitted}");
    }

    async fn a_lower_limit_holds_whatever_was_leased_before(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "Metered", "token_limit": 100_000, "token_limit_period": "month"});
        let created = app.create(&ada, &body).await;
        let (secret, id) = (text(&created["key"]), text(&created["api_key"]["id"]));
        let other = app.second_node().await;
        for node in [&app.services, &other] {
            hears(node).await;
            node.checker.check(Some(&secret), TEN_TOKENS).await.unwrap();
        }
        assert_eq!(change(&app, &ada, &id, json!({"token_limit": 50})).await, 200);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut admitted = 2;
        for node in [&app.services, &other] {
            // What the other has leased and not used is back only when it was asked for something.
            let _ = node.checker.check(Some(&secret), TEN_TOKENS).await.map(|_| admitted += 1);
        }
        for node in [&app.services, &other, &app.services] {
            while node.checker.check(Some(&secret), TEN_TOKENS).await.is_ok() {
                admitted += 1;
            }
        }
        assert_eq!(admitted, 5);
    }

    async fn an_unknown_key_is_looked_up_once(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        let elsewhere = TestApp::on(Backend::Sqlite).await;
        hears(&elsewhere.services).await;
        assert_eq!(outcome(&elsewhere.services, &secret).await, Outcome::UnknownKey);
        let before = elsewhere.services.database.statements();
        assert_eq!(outcome(&elsewhere.services, &secret).await, Outcome::UnknownKey);
        assert_eq!(elsewhere.services.database.statements(), before);
    }
}

/// The connections on which nodes listen to changes: they do nothing else.
pub(crate) const LISTENERS: &str = "query LIKE 'LISTEN%'";
/// Those on which nodes tell themselves that they still hear.
pub(crate) const TELLERS: &str = "query LIKE 'NOTIFY latchkey_beat%'";
/// All connections of clients.
pub(crate) const ALL: &str = "backend_type = 'client backend'";

/// Cuts other connections to the same database of PostgreSQL; how many.
pub(crate) async fn cut(admin: &DatabaseConnection, which: &str) -> i64 {
    let cut = format!(
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND ({which})"
    );
    query_value(admin, &cut).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reconnected_listener_misses_no_revocation() {
    let app = TestApp::on(Backend::Postgres).await;
    let other = app.second_node().await;
    let ada = app.sign_in("ada").await;
    let admin = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
    for which in [LISTENERS, TELLERS, LISTENERS, TELLERS] {
        let secret = app.generate(&ada).await;
        hears(&app.services).await;
        hears(&other).await;
        assert_eq!(outcome(&other, &secret).await, Outcome::Valid);
        assert!(cut(&admin, which).await >= 2, "those of both nodes");
        app.revoke(&ada, &text(&app.keys(&ada).await[0]["id"])).await;
        assert!(until_refused(&other, &secret).await < Duration::from_secs(1));
        hears(&other).await;
        assert_eq!(outcome(&other, &secret).await, Outcome::RevokedKey);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_behind_pooler_listens_on_direct_url() {
    let app = TestApp::on(Backend::Postgres).await;
    let url = &app.config.database_url;
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let open = Database::open_beside(url, Some(nowhere)).await.unwrap();
    let deaf = app.node(open).await;
    keep_in_sync(&deaf);
    let open = Database::open_beside(url, Some(url)).await.unwrap();
    let hearing = app.node(open).await;
    keep_in_sync(&hearing);
    hears(&hearing).await;
    assert!(!deaf.checker.is_listening(), "it listens to the direct URL only");
    let ada = app.sign_in("ada").await;
    let secret = app.generate(&ada).await;
    assert_eq!(outcome(&deaf, &secret).await, Outcome::Valid, "it asks the database");
}
