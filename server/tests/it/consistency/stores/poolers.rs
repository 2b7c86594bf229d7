//! PgBouncer, with settings that administrators choose.
#![expect(clippy::disallowed_methods, reason = "whether a node hears is seen over real time")]

use std::time::{Duration, Instant};

use latchkey_checker::CheckRequest;
use latchkey_services::Database;
use serde_json::json;
use tempfile::TempDir;

use super::programs::{Program, pgbouncer, refusal};
use crate::test_app::{Backend, TestApp, keep_in_sync, new_postgres_database, text};

fn port(url: &str) -> u16 {
    let (_, rest) = url.split_once('@').unwrap();
    let (_, port) = rest.split('/').next().unwrap().rsplit_once(':').unwrap();
    port.parse().unwrap()
}

async fn database() -> (String, u16) {
    let url = new_postgres_database().await;
    Database::open(&url).await.unwrap().close().await.unwrap();
    let port = port(&url);
    (url, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_pooler_fails_start_with_the_setting_to_change() {
    let folder = TempDir::new().unwrap();
    let (url, postgres) = database().await;
    let through = |program: &Program| format!("--database-url={}", program.url(&url));
    let direct = format!("--database-direct-url={url}");

    let transactions = pgbouncer(postgres, "pool_mode = transaction").await;
    let said = refusal(&folder, &[through(&transactions)]);
    assert!(said.contains("DATABASE_DIRECT_URL") && said.contains("session"), "{said}");

    // Debian 12's, before 1.21, and later ones with this setting: statements are lost.
    let loses = "pool_mode = transaction\nignore_startup_parameters = extra_float_digits";
    let loses = pgbouncer(postgres, loses).await;
    let version = std::process::Command::new("/usr/sbin/pgbouncer").arg("-V").output().unwrap();
    if String::from_utf8_lossy(&version.stdout).contains(" 1.18") {
        let said = refusal(&folder, &[through(&loses), direct]);
        assert!(said.contains("max_prepared_statements"), "{said}");
    }

    for (size, got) in [(6, "6 of the 22"), (2, "2 of the 22")] {
        let few = format!("pool_mode = session\ndefault_pool_size = {size}");
        let few = pgbouncer(postgres, &few).await;
        let said = refusal(&folder, &[through(&few)]);
        assert!(said.contains(got) && said.contains("default_pool_size"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn session_pooler_with_enough_connections_works() {
    let app = TestApp::on(Backend::Postgres).await;
    let url = app.config.database_url.clone();
    let pooler = pgbouncer(port(&url), "pool_mode = session\ndefault_pool_size = 40").await;
    Database::check_way(&pooler.url(&url), None, [7; 8]).await.unwrap();
    let database = Database::open(&pooler.url(&url)).await.unwrap();
    let node = app.node(database).await;
    keep_in_sync(&node);
    let began = Instant::now();
    while !node.checker.is_listening() {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing is heard: {}", pooler.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ada = app.sign_in("ada").await;
    let made = app.create(&ada, &json!({"name": "pooled"})).await;
    let secret = text(&made["key"]);
    node.checker.check(Some(&secret), CheckRequest::default()).await.unwrap();
    let revoked = app.revoke(&ada, made["api_key"]["id"].as_str().unwrap()).await;
    assert!(revoked.status().is_success());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let denied = node.checker.check(Some(&secret), CheckRequest::default()).await.unwrap_err();
    assert_eq!(crate::test_app::denial(denied).outcome.as_str(), "revoked_key");
}
