//! Clocks that are set while the nodes run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use latchkey_checker::CheckRequest;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use latchkey_services::clock::ManualClock;
use latchkey_services::{Database, Services};
use serde_json::json;

use crate::consistency::nodes::hears;
use crate::test_app::{START, TestApp, keep_in_sync, on_both_databases, outcome_of, text};

const DAY: i64 = 24 * 3_600 * 1_000;

/// A node with a clock of its own that is `ahead` milliseconds of the others.
async fn node(app: &TestApp, ahead: i64) -> (Services, Arc<ManualClock>) {
    let database = Database::open(&app.config.database_url).await.unwrap();
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(START)));
    let services = app.node_by(database, Arc::clone(&clock)).await;
    keep_in_sync(&services);
    hears(&services).await;
    clock.set_by(ahead);
    (services, clock)
}

async fn outcome(services: &Services, secret: &str, cost: u64) -> Outcome {
    let call = CheckRequest { cost, ..CheckRequest::default() };
    outcome_of(services.checker.check(Some(secret), call).await)
}

on_both_databases! {
    async fn clocks_that_differ_and_jump_admit_no_revoked_key(app: TestApp) {
        let (ahead, ahead_clock) = node(&app, DAY).await;
        let (behind, behind_clock) = node(&app, -DAY).await;
        let ada = app.sign_in("ada").await;
        for jump in [0, -3 * DAY, 3 * DAY] {
            let secret = app.generate(&ada).await;
            for other in [&ahead, &behind] {
                hears(other).await;
                assert_eq!(outcome(other, &secret, 0).await, Outcome::Valid);
            }
            ahead_clock.set_by(jump);
            behind_clock.set_by(-jump);
            app.revoke(&ada, &text(&app.keys(&ada).await[0]["id"])).await;
            let began = Instant::now();
            for other in [&ahead, &behind] {
                while outcome(other, &secret, 0).await == Outcome::Valid {
                    assert!(began.elapsed() < Duration::from_secs(1));
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                assert_eq!(outcome(other, &secret, 0).await, Outcome::RevokedKey);
            }
        }
    }

    async fn setting_the_clock_frees_no_rate_limit(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = text(&app.create(&ada, &json!({"name": "Limited", "rpm": 20})).await["key"]);
        for _ in 0..20 {
            assert_eq!(outcome(&app.services, &secret, 0).await, Outcome::Valid);
        }
        for jump in [3_600_000, -DAY, DAY, -7_200_000, 60_000] {
            app.clock.set_by(jump);
            assert_eq!(outcome(&app.services, &secret, 0).await, Outcome::RateLimited);
        }
        app.advance(Duration::from_mins(1));
        assert_eq!(outcome(&app.services, &secret, 0).await, Outcome::Valid, "time frees it");
    }

    async fn budgets_are_unchanged_when_clock_is_set_back(app: TestApp) {
        let (other, clock) = node(&app, 0).await;
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "Metered", "token_limit": 100, "token_limit_period": "day"});
        let secret = text(&app.create(&ada, &body).await["key"]);
        let spend_all = async |node: &Services| {
            let mut spent = 0;
            while outcome(node, &secret, 10).await == Outcome::Valid {
                spent += 10;
            }
            spent
        };
        assert_eq!(spend_all(&other).await, 100);
        clock.set_by(DAY);
        assert_eq!(spend_all(&other).await, 100, "its calendar says that it is tomorrow");
        clock.set_by(-DAY);
        assert_eq!(spend_all(&other).await, 0, "today’s is spent");
        assert_eq!(spend_all(&app.services).await, 0, "for everybody");
        app.advance(Duration::from_millis(DAY.unsigned_abs()));
        assert_eq!(spend_all(&app.services).await, 0, "tomorrow’s was spent ahead");
    }
}
