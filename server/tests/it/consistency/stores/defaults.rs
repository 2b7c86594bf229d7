//! A PostgreSQL whose administrator chose other defaults.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};
use serde_json::{Value, json};

use crate::test_app::{Backend, TestApp, key_path, problem, text};

/// Sets what connections to the app's database begin with, and ends those that there are.
async fn with_default(app: &TestApp, settings: &[&str]) -> DatabaseConnection {
    let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
    for setting in settings {
        let set = format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting}', current_database()); END $$"
        );
        database.execute_unprepared(&set).await.unwrap();
    }
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.execute_unprepared(end).await.unwrap();
    // A connection is asked whether it is still there once it was idle for a second.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn no_default_isolation_makes_a_write_fail() {
    let app = TestApp::on(Backend::Postgres).await;
    let ada = app.sign_in("ada").await;
    app.set_tier(&ada, "enterprise").await;
    with_default(&app, &["default_transaction_isolation = serializable"]).await;
    let writes = (0..40).map(async |number| {
        app.try_create(&ada, &json!({"name": format!("key {number}")})).await.status().as_u16()
    });
    let statuses = join_all(writes).await;
    assert!(statuses.iter().all(|&status| status == 201), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_timeout_answers_503_with_documented_text() {
    let app = TestApp::on(Backend::Postgres).await;
    let ada = app.sign_in("ada").await;
    for limit in ["lock_timeout = 500", "statement_timeout = 500"] {
        let resets = ["lock_timeout = 0", "statement_timeout = 0", limit];
        let held = with_default(&app, &resets).await;
        let holding = held.begin().await.unwrap();
        holding.execute_unprepared("SET LOCAL statement_timeout = 0").await.unwrap();
        holding.execute_unprepared("LOCK TABLE keys IN EXCLUSIVE MODE").await.unwrap();
        let refused = app.try_create(&ada, &json!({"name": "waits"})).await;
        let said = problem(refused, 503, "unavailable").await;
        assert!(text(&said["detail"]).contains("Try again shortly"), "{limit}: {said}");
        holding.rollback().await.unwrap();
        let made = app.try_create(&ada, &json!({"name": limit.split(' ').next()})).await;
        assert_eq!(made.status(), 201, "{limit}: nothing stays behind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_idle_sessions_is_never_a_500() {
    let app = TestApp::on(Backend::Postgres).await;
    let ada = app.sign_in("ada").await;
    with_default(&app, &["idle_session_timeout = 200"]).await;
    for idle in [300, 600, 1_300] {
        tokio::time::sleep(Duration::from_millis(idle)).await;
        let path = format!("/v1/projects/{}/keys", ada.project);
        let answer = app.send(Method::GET, &path, &ada, &Value::Null).await;
        let status = answer.status().as_u16();
        assert!(status == 200 || (status == 503 && idle < 1_000), "{status} after {idle} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_requires_key_lookups() {
    let app = TestApp::on(Backend::Postgres).await;
    let ready = async || app.get("/readyz").send().await.unwrap().status().as_u16();
    assert_eq!(ready().await, 200);
    let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
    for (breaks, mends) in [
        ("ALTER TABLE keys RENAME TO gone", "ALTER TABLE gone RENAME TO keys"),
        ("ALTER TABLE organizations RENAME TO gone", "ALTER TABLE gone RENAME TO organizations"),
    ] {
        database.execute_unprepared(breaks).await.unwrap();
        assert_eq!(ready().await, 503, "{breaks}");
        database.execute_unprepared(mends).await.unwrap();
        assert_eq!(ready().await, 200, "{mends}");
    }
}

/// Makes the first writes after each call of the function fail as PostgreSQL fails one of two that
/// are in each other's way.
async fn give_up(database: &DatabaseConnection, table: &str, times: i64) {
    let sql = format!(
        "CREATE SEQUENCE IF NOT EXISTS given_up; ALTER SEQUENCE given_up RESTART; \
         CREATE OR REPLACE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF nextval('given_up') <= {times} THEN RAISE EXCEPTION 'given up' USING ERRCODE = '40P01'; END IF; \
           RETURN NULL; END $$; \
         CREATE OR REPLACE TRIGGER gives_up AFTER INSERT OR UPDATE OR DELETE ON {table} \
           FOR EACH STATEMENT EXECUTE FUNCTION give_up()"
    );
    database.execute_unprepared(&sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn aborted_write_is_retried_and_finally_answers_503() {
    let app = TestApp::on(Backend::Postgres).await;
    let ada = app.pro("ada").await;
    let database = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
    let made = app.create(&ada, &json!({"name": "a key"})).await;
    let key = key_path(&made);
    let project = format!("/v1/projects/{}", ada.project);
    let organization = format!("/v1/organizations/{}", ada.organization);
    let application = format!("/v1/applications/{}", ada.application);
    // Each writes to its organization's log last, when all else was done.
    for (method, path, body) in [
        (Method::POST, format!("{project}/keys"), json!({"name": "another"})),
        (Method::PATCH, key.clone(), json!({"name": "renamed"})),
        (Method::POST, format!("{key}/rotate"), json!({})),
        (Method::DELETE, key.clone(), Value::Null),
        (Method::POST, format!("{project}/applications"), json!({"name": "another"})),
        (Method::PATCH, application.clone(), json!({"name": "renamed"})),
        (Method::DELETE, application, Value::Null),
        (Method::PATCH, project.clone(), json!({"name": "renamed"})),
        (Method::POST, format!("{organization}/projects"), json!({"name": "another"})),
        (
            Method::POST,
            format!("{organization}/members"),
            json!({"login": "bob", "role": "viewer"}),
        ),
        (Method::PATCH, organization.clone(), json!({"name": "renamed"})),
        (Method::DELETE, project.clone(), Value::Null),
    ] {
        give_up(&database, "audit_events", 2).await;
        let answer = app.send(method.clone(), &path, &ada, &body).await;
        let status = answer.status();
        assert!(status.is_success(), "{method} {path}: {status} {}", answer.text().await.unwrap());
    }
    give_up(&database, "audit_events", 1_000).await;
    let refused = app.send(Method::PATCH, &organization, &ada, &json!({"name": "never"})).await;
    let said = problem(refused, 503, "unavailable").await;
    assert!(text(&said["detail"]).contains("Try again shortly"));
}
