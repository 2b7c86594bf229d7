//! `DATABASE_DIRECT_URL`: where a node listens beside a pooler.
#![expect(clippy::disallowed_methods, reason = "whether a node hears is seen over real time")]

use std::time::{Duration, Instant};

use latchkey_services::Database;

use crate::test_app::{Backend, TestApp, keep_in_sync, new_postgres_database};

/// The beat goes the way that revocations go: where it does not come back, nothing is believed.
#[tokio::test(flavor = "multi_thread")]
async fn a_direct_url_of_another_database_is_never_trusted() {
    let app = TestApp::on(Backend::Postgres).await;
    let elsewhere = new_postgres_database().await;
    let open = Database::open_beside(&app.config.database_url, Some(&elsewhere)).await.unwrap();
    let misled = app.node(open).await;
    keep_in_sync(&misled);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        assert!(!misled.checker.is_listening(), "it hears itself, and nobody else");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
