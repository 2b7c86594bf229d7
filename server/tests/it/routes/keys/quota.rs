//! The month's quota of live requests.

use std::time::Duration;

use latchkey_checker::CheckRequest;
use latchkey_domain::id::ProjectId;
use latchkey_domain::time::Timestamp;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::routes::usage::{MONTHS, literal, new_key, project_usage, usage};
use crate::test_app::{
    START, Session, TestApp, denial, on_both_databases, problem, query_value, text, traces,
};

/// The instant at which the month of [`START`] ends: 2026-12-01T00:00:00Z.
const MONTH_END: i64 = 1_796_083_200_000;

/// Sets what the person's project has used of the month of [`START`].
pub(crate) async fn set_month(app: &TestApp, who: &Session, requests: i64) {
    let admin = app.telemetry().await;
    let project = literal(&admin, who.project.parse::<ProjectId>().unwrap());
    let month = Timestamp::parse("2026-11-01T00:00:00Z").unwrap().as_millis();
    let sql = format!("INSERT INTO project_months VALUES ({project}, {month}, {requests})");
    admin.execute_unprepared(&sql).await.unwrap();
}

async fn month(app: &TestApp) -> i64 {
    query_value(&app.telemetry().await, MONTHS).await
}

on_both_databases! {
    async fn the_quota_is_exact_under_parallel_calls(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (secret, key) = new_key(&app, &ada, "live").await;
        set_month(&app, &ada, 99_990).await;
        let calls: Vec<_> = (0..64)
            .map(|_| {
                let request = app.post("/ingest/traces").header("x-api-key", &secret);
                tokio::spawn(request.json(&traces(3)).send())
            })
            .collect();
        let mut admitted = 0;
        for call in calls {
            let answer = call.await.unwrap().unwrap();
            if answer.status() == 200 {
                admitted += 1;
                continue;
            }
            let wait = answer.headers()["retry-after"].to_str().unwrap().parse::<i64>().unwrap();
            // Whole seconds, never too early.
            assert!((0..1_000).contains(&(START + wait * 1_000 - MONTH_END)), "{wait}");
            let refused = problem(answer, 429, "quota_exceeded").await;
            assert_eq!(
                refused["detail"],
                "The monthly quota of 100,000 live requests is exhausted: 100,000 used. It resets \
                 at 2026-12-01T00:00:00.000Z."
            );
        }
        assert_eq!(admitted, 10);
        app.services.checker.flush_usage().await.unwrap();
        assert_eq!(month(&app).await, 100_000, "what was denied did not count");
        problem(app.ingest(&secret).await, 429, "quota_exceeded").await;
        let seen = usage(&app, &ada, &key).await;
        assert_eq!(seen["buckets"][47]["outcomes"], json!({"valid": 10, "quota_exceeded": 55}));
        assert!(text(&seen["denials"][0]["detail"]).contains("100,000 used"));
        let other = app.second_node().await;
        let error = other.checker.check(Some(&secret), CheckRequest::default()).await.unwrap_err();
        assert_eq!(denial(error).outcome.as_str(), "quota_exceeded", "another node knows it too");
    }

    async fn another_node_knows_of_the_quota_within_seconds(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (secret, _) = new_key(&app, &ada, "live").await;
        set_month(&app, &ada, 99_998).await;
        let other = app.second_node().await;
        other.checker.check(Some(&secret), CheckRequest::default()).await.unwrap();
        assert_eq!(app.ingest(&secret).await.status(), 200);
        app.services.checker.flush_usage().await.unwrap();
        other.checker.flush_usage().await.unwrap();
        assert_eq!(month(&app).await, 100_000);
        let error = other.checker.check(Some(&secret), CheckRequest::default()).await.unwrap_err();
        assert_eq!(denial(error).outcome.as_str(), "quota_exceeded", "its own batch brought the total");
        app.advance(Duration::from_millis(1_500));
        problem(app.ingest(&secret).await, 429, "quota_exceeded").await;
    }

    async fn a_test_key_never_counts(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (live, _) = new_key(&app, &ada, "live").await;
        let (test, key) = new_key(&app, &ada, "test").await;
        set_month(&app, &ada, 99_999).await;
        for _ in 0..3 {
            assert_eq!(app.ingest(&test).await.status(), 200);
        }
        assert_eq!(app.ingest(&live).await.status(), 200, "test calls took nothing");
        problem(app.ingest(&live).await, 429, "quota_exceeded").await;
        assert_eq!(app.ingest(&test).await.status(), 200, "and go on");
        app.services.checker.flush_usage().await.unwrap();
        assert_eq!(month(&app).await, 100_000);
        assert_eq!(usage(&app, &ada, &key).await["totals"]["valid"], 4, "they are charted");
        assert_eq!(project_usage(&app, &ada, "").await["totals"]["requests"], 6);
        let test = project_usage(&app, &ada, "?environment=test").await;
        assert_eq!((&test["totals"]["valid"], &test["totals"]["denied"]), (&json!(4), &json!(0)));
        let live = project_usage(&app, &ada, "?environment=live&range=1h").await;
        assert_eq!((&live["totals"]["valid"], &live["totals"]["denied"]), (&json!(1), &json!(1)));
        assert_eq!((test["denials"].as_array().unwrap().len(), live["denials"].as_array().unwrap().len()), (0, 1));
    }

    async fn the_quota_begins_anew_at_midnight_utc_of_the_first(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (secret, _) = new_key(&app, &ada, "live").await;
        set_month(&app, &ada, 100_000).await;
        let now = latchkey_services::clock::Clock::now(&*app.clock);
        app.advance(Duration::from_millis(u64::try_from(MONTH_END - now.as_millis() - 1).unwrap()));
        let refused = app.ingest(&secret).await;
        assert_eq!(refused.headers()["retry-after"], "1");
        problem(refused, 429, "quota_exceeded").await;
        app.advance(Duration::from_millis(1));
        assert_eq!(app.ingest(&secret).await.status(), 200);
        app.services.checker.flush_usage().await.unwrap();
        assert_eq!(month(&app).await, 100_001);
        let december = format!("SELECT requests FROM project_months WHERE month = {MONTH_END}");
        assert_eq!(query_value::<i64>(&app.telemetry().await, &december).await, 1);
    }

    async fn quota_follows_tier_at_once_and_unlimited_tier_still_counts(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (secret, _) = new_key(&app, &ada, "live").await;
        set_month(&app, &ada, 99_999_998).await;
        problem(app.ingest(&secret).await, 429, "quota_exceeded").await;
        app.set_tier(&ada, "enterprise").await;
        assert_eq!(app.ingest(&secret).await.status(), 200, "at once");
        app.set_tier(&ada, "team").await;
        problem(app.ingest(&secret).await, 429, "quota_exceeded").await;
        app.set_tier(&ada, "enterprise").await;
        assert_eq!(app.ingest(&secret).await.status(), 200, "at once");
        app.services.checker.flush_usage().await.unwrap();
        assert_eq!(month(&app).await, 100_000_000);
    }
}
