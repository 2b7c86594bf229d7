//! What a test key brought is gone 24 hours after its arrival.

use std::time::Duration;

use latchkey_services::telemetry::{PurgeCount, purge_sandbox};
use serde_json::{Value, json};

use crate::test_app::{START, Session, TestApp, count_rows, on_both_databases, traces};

const DAY: Duration = Duration::from_hours(24);
const MILLISECOND: Duration = Duration::from_millis(1);
const ALMOST_A_DAY: Duration = Duration::from_millis(24 * 60 * 60 * 1_000 - 1);

async fn test_key(app: &TestApp, who: &Session) -> String {
    let path = format!("/apikey?ApplicationId={}", who.application);
    let request = app.post(&path).bearer_auth(&who.jwt).json(&json!({"environment": "test"}));
    request.send().await.unwrap().json().await.unwrap()
}

async fn send(app: &TestApp, key: &str, path: &str, body: &Value) {
    let sent = app.post(path).header("x-api-key", key).json(body).send().await.unwrap();
    assert_eq!(sent.status(), 200);
}

fn logs(count: usize) -> Value {
    // What the application says of the time does not count: only the arrival does.
    let log =
        json!({"level": "info", "type": "app", "message": "m", "timestamp": START + 1_000_000_000});
    json!({"logs": vec![log; count]})
}

/// The environments of what is listed.
async fn listed(app: &TestApp, what: &str) -> Vec<String> {
    // Access tokens don't live for a day.
    let who = app.sign_in("ada").await;
    let page = app.json(&format!("/v1/applications/{}/{what}", who.application), &who.jwt).await;
    let rows = page["data"].as_array().unwrap();
    rows.iter().map(|row| crate::test_app::text(&row["environment"])).collect()
}

on_both_databases! {
    async fn the_sandbox_ends_to_the_millisecond_and_live_data_stays(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (live, test) = (app.generate(&ada).await, test_key(&app, &ada).await);
        for key in [&live, &test] {
            send(&app, key, "/ingest/traces", &traces(1)).await;
            send(&app, key, "/ingest/logs", &logs(1)).await;
        }
        app.advance(ALMOST_A_DAY);
        assert_eq!(purge_sandbox(&app.services).await.unwrap(), PurgeCount::default());
        for what in ["traces", "logs"] {
            assert_eq!(listed(&app, what).await.len(), 2, "{what}");
        }
        app.advance(MILLISECOND);
        for what in ["traces", "logs"] {
            assert_eq!(listed(&app, what).await, ["live"], "hidden before the job has run");
        }
        let database = app.telemetry().await;
        assert_eq!((count_rows(&database, "traces").await, count_rows(&database, "logs").await), (2, 2));
        assert_eq!(purge_sandbox(&app.services).await.unwrap(), PurgeCount { traces: 1, logs: 1 });
        assert_eq!((count_rows(&database, "traces").await, count_rows(&database, "logs").await), (1, 1));
        app.advance(DAY * 5);
        assert_eq!(purge_sandbox(&app.services).await.unwrap(), PurgeCount::default());
        assert_eq!(listed(&app, "traces").await, ["live"]);
    }

    async fn a_large_sandbox_is_purged_in_bounded_batches(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let test = test_key(&app, &ada).await;
        send(&app, &test, "/ingest/traces", &traces(2_500)).await;
        app.advance(MILLISECOND);
        let mut later = traces(7);
        for item in later["traces"].as_array_mut().unwrap() {
            item["durationMs"] = json!(1);
        }
        send(&app, &test, "/ingest/traces", &later).await;
        app.advance(ALMOST_A_DAY);
        let before = app.services.database.statements();
        let purged = purge_sandbox(&app.services).await.unwrap();
        assert_eq!(purged, PurgeCount { traces: 2_500, logs: 0 });
        let statements = app.services.database.statements() - before;
        assert_eq!(statements, 7, "three for traces and three for their sizes, one for logs");
        assert_eq!(listed(&app, "traces").await.len(), 7);
    }

    async fn nodes_that_purge_at_once_purge_everything_once(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let test = test_key(&app, &ada).await;
        send(&app, &test, "/ingest/logs", &logs(5_000)).await;
        app.advance(DAY);
        let other = app.second_node().await;
        let (a, b) = tokio::join!(purge_sandbox(&app.services), purge_sandbox(&other));
        assert_eq!(a.unwrap().logs + b.unwrap().logs, 5_000);
        let database = app.telemetry().await;
        assert_eq!(count_rows(&database, "logs").await, 0);
    }
}
