//! The check and its cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use latchkey_checker::CheckRequest;
use latchkey_domain::key::KeyKind;
use latchkey_domain::outcome::Outcome;
use latchkey_services::{Services, accounts};

use crate::consistency::nodes::hears;
use crate::test_app::{Backend, TestApp, on_both_databases, outcome_of, problem, text};

const CALL: CheckRequest<'static> = CheckRequest {
    kind: Some(KeyKind::Api),
    application: None,
    elsewhere: false,
    ip: None,
    model: None,
    scopes: None,
    cost: 0,
};

async fn outcome(services: &Services, secret: &str) -> Outcome {
    outcome_of(services.checker.check(Some(secret), CALL).await)
}

on_both_databases! {
    async fn a_check_with_a_cached_key_takes_no_query(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        hears(&app.services).await;
        assert_eq!(outcome(&app.services, &secret).await, Outcome::Valid);
        let before = app.services.database.statements();
        for _ in 0..1_000 {
            assert_eq!(outcome(&app.services, &secret).await, Outcome::Valid);
        }
        assert_eq!(app.services.database.statements(), before);
        let another = app.generate(&ada).await;
        assert_eq!(outcome(&app.services, &another).await, Outcome::Valid);
        assert!(app.services.database.statements() > before, "the counter counts");
    }

    async fn a_mistyped_key_is_refused_without_a_query(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        let before = app.services.database.statements();
        let last = if secret.ends_with('0') { "1" } else { "0" };
        let mistyped = format!("{}{last}", &secret[..secret.len() - 1]);
        assert_eq!(outcome(&app.services, &mistyped).await, Outcome::MalformedKey);
        assert_eq!(outcome(&app.services, &secret[..secret.len() - 1]).await, Outcome::MalformedKey);
        assert_eq!(app.services.database.statements(), before);
    }

    async fn once_a_revoke_has_answered_no_check_admits_the_key(app: TestApp) {
        let ada = app.sign_in("ada").await;
        // More checks than the Free tier's month has.
        app.set_tier(&ada, "enterprise").await;
        for _ in 0..1_000 {
            let secret = app.generate(&ada).await;
            let key = text(&app.keys(&ada).await[0]["id"]);
            let revoked = Arc::new(AtomicBool::new(false));
            let checkers = (0..8).map(|_| {
                let (services, secret) = (app.services.clone(), secret.clone());
                let revoked = Arc::clone(&revoked);
                tokio::spawn(async move {
                    let mut admitted = 0;
                    loop {
                        let was_revoked = revoked.load(Ordering::SeqCst);
                        match outcome(&services, &secret).await {
                            Outcome::Valid => assert!(!was_revoked, "admitted after the revoke had answered"),
                            other => assert_eq!(other, Outcome::RevokedKey),
                        }
                        admitted += 1;
                        if was_revoked && admitted > 20 {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                })
            });
            let checkers: Vec<_> = checkers.collect();
            assert_eq!(app.revoke(&ada, &key).await.status(), 204);
            revoked.store(true, Ordering::SeqCst);
            for checker in checkers {
                checker.await.unwrap();
            }
        }
    }

    async fn if_the_store_cannot_be_asked_a_check_is_refused(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        app.services.database.close().await.unwrap();
        assert_eq!(outcome(&app.services, &secret).await, Outcome::Unavailable);
        let refused = app.ingest(&secret).await;
        assert!(refused.headers().contains_key("retry-after"));
        problem(refused, 503, "unavailable").await;
        let me = app.get("/v1/me").bearer_auth(&ada.jwt).send().await.unwrap();
        problem(me, 503, "unavailable").await;
        assert_eq!(app.get("/readyz").send().await.unwrap().status(), 503);
        assert_eq!(app.get("/healthz").send().await.unwrap().status(), 200);
    }

    async fn start_fails_with_a_different_pepper(app: TestApp) {
        let mut settings = app.config.services.clone();
        settings.pepper = latchkey_services::Pepper::new(b"another pepper of enough bytes..");
        let database = latchkey_services::Database::open(&app.config.database_url).await.unwrap();
        let random = Arc::new(latchkey_server::system::SystemRandom);
        let clock = Arc::clone(&app.clock) as Arc<_>;
        let Err(refused) = Services::start(database, settings, clock, random).await else {
            panic!("it started")
        };
        assert!(refused.to_string().contains("LATCHKEY_PEPPER"), "{refused}");
    }

    async fn the_last_use_moves_forward_only(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        assert!(app.keys(&ada).await[0]["last_used_at"].is_null());
        app.advance(Duration::from_mins(1));
        app.ingest(&secret).await;
        app.services.checker.flush_usage().await.unwrap();
        let used = app.keys(&ada).await[0]["last_used_at"].clone();
        assert_eq!(used, "2026-11-18T11:07:40.001Z");
        let admin = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
        sea_orm::ConnectionTrait::execute_unprepared(&admin, "UPDATE keys SET last_used_at = 9000000000000")
            .await
            .unwrap();
        app.ingest(&secret).await;
        app.services.checker.flush_usage().await.unwrap();
        assert_eq!(app.keys(&ada).await[0]["last_used_at"], "2255-03-14T16:00:00.000Z");
    }
}

#[tokio::test]
async fn an_unknown_key_and_none_are_told_apart() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let elsewhere = TestApp::on(Backend::Sqlite).await;
    let foreign = elsewhere.generate(&elsewhere.sign_in("ada").await).await;
    problem(app.ingest(&foreign).await, 401, "unknown_key").await;
    problem(app.ingest("").await, 401, "malformed_key").await;
    problem(app.post("/ingest/traces").send().await.unwrap(), 401, "missing_key").await;
    problem(app.ingest(&ada.jwt).await, 401, "malformed_key").await;
}

#[tokio::test]
async fn a_check_carries_little_along() {
    let app = TestApp::on(Backend::Sqlite).await;
    let services = &app.services;
    let checked = size_of_val(&services.checker.check(None, CALL));
    let authenticated = size_of_val(&accounts::authenticate(services, None, None));
    // Whatever waits for the database is kilobytes of states: boxed, where a check may not need it.
    assert!(checked.max(authenticated) < 2_048, "{checked} and {authenticated} bytes");
}
