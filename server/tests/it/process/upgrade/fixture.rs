//! Databases that an earlier version made (`server/tests/fixtures/previous-release`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sea_orm::ConnectionTrait;
use serde_json::Value;
use tempfile::TempDir;

use super::{Release, audit_events, check, stop, used};
use crate::process::backup::{Site, latchkey, succeed};
use crate::process::{Process, client};
use crate::test_app::{new_postgres_database, text};

fn fixture(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/previous-release");
    Path::new(folder).join(name)
}

/// What the database has to hold.
fn expected(database: &str) -> Value {
    let text = fs::read_to_string(fixture("keys.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()[database].take()
}

/// Starts this version on the database and compares, then verifies the audit log.
async fn check_upgrade(folder: &TempDir, more: &[String], expected: &Value) {
    let pepper = text(&expected["pepper"]);
    let mut server = Release::Current.command(folder);
    server.args(more).env("LATCHKEY_PEPPER", &pepper);
    let process = Process::start_command(server, folder, &client()).await;
    let site = Site::on(&process).await;
    assert_eq!(site.organization, text(&expected["organization"]));
    let keys = expected["keys"].as_array().unwrap();
    let verifier = text(&keys[0]["secret"]);
    for key in keys {
        let outcome = text(&key["outcome"]);
        let cost = u64::from(outcome == "token_budget_exhausted");
        let found = check(&site, &verifier, &text(&key["secret"]), cost).await;
        assert_eq!(found, outcome, "{key}");
    }
    let by_name = |name: &str| text(&keys.iter().find(|key| key["name"] == name).unwrap()["id"]);
    let key = site.get(&format!("/v1/keys/{}", by_name("application"))).await;
    assert!(key["last_used_at"].is_string(), "{key}");
    assert_eq!(used(&site, &by_name("metered")).await, expected["used"].as_u64().unwrap());
    let events = expected["audit_events"].as_u64().unwrap();
    assert_eq!(audit_events(&site).await, usize::try_from(events).unwrap());
    stop(process);
    let data = format!("--latchkey-data-dir={}", folder.path().join("data").display());
    let pepper = format!("--latchkey-pepper={pepper}");
    let mut line: Vec<&str> = vec!["audit", "verify", &data, &pepper];
    line.extend(more.iter().map(String::as_str));
    succeed(latchkey(&line));
}

#[tokio::test(flavor = "multi_thread")]
async fn database_of_an_earlier_version_goes_on_on_sqlite() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    for (script, file) in
        [("sqlite.sql", "latchkey.db"), ("sqlite-telemetry.sql", "latchkey-telemetry.db")]
    {
        // Early versions kept telemetry in the main file.
        let Ok(script) = fs::read_to_string(fixture(script)) else { continue };
        let url = format!("sqlite://{}?mode=rwc", data.join(file).display());
        let database = sea_orm::Database::connect(&url).await.unwrap();
        database.execute_unprepared(&script).await.unwrap();
        database.close().await.unwrap();
    }
    check_upgrade(&folder, &[], &expected("sqlite")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn database_of_an_earlier_version_goes_on_on_postgres() {
    let folder = TempDir::new().unwrap();
    let url = new_postgres_database().await;
    let mut psql = Command::new("psql");
    psql.args(["--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file"]);
    succeed(psql.arg(fixture("postgres.sql")).arg(&url).output().unwrap());
    let url = format!("--database-url={url}");
    check_upgrade(&folder, &[url], &expected("postgres")).await;
}
