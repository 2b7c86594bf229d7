//! A key that is disabled and enabled again, on three nodes at once.
#![expect(
    clippy::disallowed_methods,
    reason = "what holds within a second is timed by a real clock"
)]

use std::time::{Duration, Instant};

use latchkey_services::Database;
use serde_json::json;

use super::{disable, new_key};
use crate::consistency::nodes::hears;
use crate::test_app::{TestApp, on_both_databases};

/// Asks a node until it answers with a status; how long that took.
async fn until(app: &TestApp, url: &str, key: &str, status: u16) -> Duration {
    let began = Instant::now();
    loop {
        let answer = app.http.get(url).header("x-api-key", key).send().await.unwrap();
        if answer.status() == status {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{}", answer.status());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

on_both_databases! {
    async fn disabled_key_is_refused_by_all_nodes_within_a_second(app: TestApp) {
        let hearing = app.second_node().await;
        let deaf = Database::open(&app.config.database_url).await.unwrap();
        // It hears of nothing, and asks the database.
        let deaf = app.node(deaf).await;
        hears(&app.services).await;
        hears(&hearing).await;
        let ada = app.sign_in("ada").await;
        let (key, path) = new_key(&app, &ada, json!({"name": "k"})).await;
        let bases = [app.base.clone(), app.serve(hearing).await, app.serve(deaf).await];
        let urls = bases.map(|base| format!("{base}/v1/check/{}", ada.project));
        for _ in 0..3 {
            for url in &urls {
                until(&app, url, &key, 200).await;
            }
            disable(&app, &ada, &path, true).await;
            let own = app.http.get(&urls[0]).header("x-api-key", &key).send().await.unwrap();
            assert_eq!(own.status(), 401, "at once where it was disabled");
            for url in &urls {
                assert!(until(&app, url, &key, 401).await < Duration::from_secs(1));
            }
            disable(&app, &ada, &path, false).await;
            for url in &urls {
                assert!(until(&app, url, &key, 200).await < Duration::from_secs(1));
            }
        }
    }
}
