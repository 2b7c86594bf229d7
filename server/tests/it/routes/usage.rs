//! `…/usage`.

mod budgets;
mod groups;

use std::time::Duration;

use latchkey_checker::CheckRequest;
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_services::usage::purge;
use reqwest::{Method, Response};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::test_app::{
    Backend, START, Session, TestApp, count_rows, on_both_databases, problem, query_value, text,
    traces,
};

/// What all projects have used of all months.
pub(crate) const MONTHS: &str =
    "SELECT CAST(COALESCE(SUM(requests), 0) AS BIGINT) FROM project_months";
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// A key of the person's application, live or test: its secret and its id.
pub(crate) async fn new_key(app: &TestApp, who: &Session, environment: &str) -> (String, String) {
    app.advance(Duration::from_millis(1));
    let path = format!("/apikey?ApplicationId={}", who.application);
    let body = json!({ "environment": environment });
    let made = app.post(&path).bearer_auth(&who.jwt).json(&body).send().await.unwrap();
    assert_eq!(made.status(), 200);
    (made.json().await.unwrap(), text(&app.keys(who).await[0]["id"]))
}

pub(crate) async fn usage(app: &TestApp, who: &Session, key: &str) -> Value {
    app.json(&format!("/v1/keys/{key}/usage"), &who.jwt).await
}

pub(crate) async fn project_usage(app: &TestApp, who: &Session, query: &str) -> Value {
    app.json(&format!("/v1/projects/{}/usage{query}", who.project), &who.jwt).await
}

/// A call with a key that names another application than the key's.
async fn out_of_scope(app: &TestApp, key: &str, application: &str) -> Response {
    let request = app.post("/ingest/traces").header("x-api-key", key);
    request.header("x-application-id", application).json(&traces(1)).send().await.unwrap()
}

pub(crate) async fn admin(app: &TestApp) -> DatabaseConnection {
    sea_orm::Database::connect(&app.config.database_url).await.unwrap()
}

/// An id as a literal of the database's SQL.
pub(crate) fn literal(admin: &DatabaseConnection, id: impl Into<Uuid>) -> String {
    let id: Uuid = id.into();
    match admin.get_database_backend() {
        DbBackend::Sqlite => format!("x'{}'", id.simple()),
        _ => format!("'{id}'"),
    }
}

on_both_databases! {
    async fn calls_are_counted_by_outcome_as_soon_as_they_are_made(app: TestApp) {
        let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
        let (secret, key) = new_key(&app, &ada, "live").await;
        assert!(usage(&app, &ada, &key).await["last_used"].is_null());
        for _ in 0..3 {
            assert_eq!(app.ingest(&secret).await.status(), 200);
        }
        problem(out_of_scope(&app, &secret, &eve.application).await, 403, "wrong_scope").await;
        app.revoke(&ada, &key).await;
        problem(app.ingest(&secret).await, 401, "revoked_key").await;
        let before = usage(&app, &ada, &key).await;
        assert_eq!(before["totals"], json!({
            "requests": 5, "valid": 3, "denied": 2, "prompt_tokens": 0, "completion_tokens": 0,
            "estimated_tokens": 0, "cached_tokens": 0, "cost_usd": "0", "rejected_items": 0,
        }));
        let buckets = before["buckets"].as_array().unwrap();
        assert_eq!((&*before["range"].to_string(), buckets.len()), ("\"24h\"", 48));
        assert_eq!(buckets[47], json!({
            "start": "2026-11-18T11:00:00.000Z",
            "outcomes": {"valid": 3, "wrong_scope": 1, "revoked_key": 1},
            "prompt_tokens": 0, "completion_tokens": 0, "estimated_tokens": 0, "cost_usd": "0",
        }));
        assert_eq!(buckets[0]["outcomes"], json!({}));
        assert_eq!(before["last_used"], json!({"at": "2026-11-18T11:06:40.001Z", "ip": "127.0.0.1"}));
        assert_eq!(before["budget"], Value::Null);
        app.services.checker.flush_usage().await.unwrap();
        assert_eq!(usage(&app, &ada, &key).await, before, "writing changes nothing");
        assert_eq!(project_usage(&app, &ada, "").await, before, "its only key");
        for range in ["1h", "7d", "30d"] {
            let wider = app.json(&format!("/v1/keys/{key}/usage?range={range}"), &ada.jwt).await;
            assert_eq!(wider["totals"], before["totals"], "{range}");
            assert_eq!(wider["range"], range);
        }
    }

    async fn recent_denials_tell_why_newest_first(app: TestApp) {
        let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
        let (secret, key) = new_key(&app, &ada, "live").await;
        for number in 0..70 {
            app.advance(Duration::from_millis(1));
            out_of_scope(&app, &secret, &eve.application).await;
            if number % 10 == 0 {
                app.services.checker.flush_usage().await.unwrap();
            }
        }
        app.revoke(&ada, &key).await;
        app.ingest(&secret).await;
        let seen = usage(&app, &ada, &key).await;
        let denials = seen["denials"].as_array().unwrap();
        assert_eq!((denials.len(), &seen["totals"]["denied"]), (50, &json!(71)));
        assert_eq!(denials[0], json!({
            "at": "2026-11-18T11:06:40.071Z", "code": "revoked_key",
            "detail": "This key was revoked. Use another key.", "ip": "127.0.0.1",
        }));
        assert_eq!(denials[1]["code"], "wrong_scope");
        assert_eq!(denials[49]["at"], "2026-11-18T11:06:40.023Z");
        app.services.checker.flush_usage().await.unwrap();
        assert_eq!(usage(&app, &ada, &key).await, seen);
        assert_eq!(project_usage(&app, &ada, "").await["denials"], seen["denials"]);
        assert_eq!(count_rows(&app.telemetry().await, "denials").await, 50);
    }

    async fn usage_of_several_nodes_is_summed(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (secret, key) = new_key(&app, &ada, "live").await;
        let other = app.second_node().await;
        for _ in 0..5 {
            app.ingest(&secret).await;
            other.checker.check(Some(&secret), CheckRequest::default()).await.unwrap();
            let (ours, theirs) = tokio::join!(app.services.checker.flush_usage(), other.checker.flush_usage());
            ours.and(theirs).unwrap();
        }
        assert_eq!(usage(&app, &ada, &key).await["totals"]["valid"], 10);
        assert_eq!(project_usage(&app, &ada, "").await["totals"]["valid"], 10);
        assert_eq!(query_value::<i64>(&app.telemetry().await, MONTHS).await, 10);
    }

    async fn failed_usage_writes_are_retried_exactly_once(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (secret, key) = new_key(&app, &ada, "live").await;
        let admin = app.telemetry().await;
        // The last table that a batch writes to: what was written before it must not stay.
        for table in ["key_usage", "project_months", "denials"] {
            app.ingest(&secret).await;
            let networks = async |networks| {
                let body = json!({"allowed_cidrs": networks});
                let path = format!("/v1/keys/{key}");
                let changed = app.send(Method::PATCH, &path, &ada, &body).await;
                assert_eq!(changed.status(), 200);
            };
            networks(json!(["203.0.113.0/24"])).await;
            app.ingest(&secret).await;
            networks(json!(null)).await;
            admin.execute_unprepared(&format!("ALTER TABLE {table} RENAME TO away")).await.unwrap();
            assert!(app.services.checker.flush_usage().await.is_err(), "{table}");
            admin.execute_unprepared(&format!("ALTER TABLE away RENAME TO {table}")).await.unwrap();
        }
        for _ in 0..2 {
            app.services.checker.flush_usage().await.unwrap();
            let seen = usage(&app, &ada, &key).await;
            assert_eq!((&seen["totals"]["valid"], &seen["totals"]["denied"]), (&json!(3), &json!(3)));
            assert_eq!(seen["denials"].as_array().unwrap().len(), 3);
            assert_eq!(query_value::<i64>(&admin, MONTHS).await, 3);
        }
    }

    async fn last_use_write_skips_keys_being_changed(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (secret, key) = new_key(&app, &ada, "live").await;
        let admin = admin(&app).await;
        if admin.get_database_backend() == DbBackend::Sqlite {
            return; // One writer at a time: there is nobody to wait for.
        }
        app.ingest(&secret).await;
        let change = sea_orm::TransactionTrait::begin(&admin).await.unwrap();
        change.execute_unprepared("UPDATE keys SET name = 'changing'").await.unwrap();
        app.services.checker.flush_usage().await.unwrap();
        assert_eq!(usage(&app, &ada, &key).await["totals"]["valid"], 1);
        assert!(app.keys(&ada).await[0]["last_used_at"].is_null());
        change.commit().await.unwrap();
        app.services.checker.flush_usage().await.unwrap();
        assert_eq!(app.keys(&ada).await[0]["last_used_at"], "2026-11-18T11:06:40.001Z");
        assert_eq!(usage(&app, &ada, &key).await["totals"]["valid"], 1);
    }

    async fn denials_name_the_limit_what_was_used_and_when_it_frees(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "Narrow", "application_id": ada.application, "rpm": 1,
            "token_limit": 100, "token_limit_period": "day"});
        let made = app.create(&ada, &body).await;
        let (secret, key) = (text(&made["key"]), text(&made["api_key"]["id"]));
        assert_eq!(app.ingest(&secret).await.status(), 200);
        problem(app.ingest(&secret).await, 429, "rate_limited").await;
        let seen = usage(&app, &ada, &key).await;
        let detail = "rpm 1 reached: 1 used in the last 60 s. Retry in 60 s.";
        assert_eq!(seen["denials"][0]["detail"], detail);
        assert_eq!(seen["budget"], json!({"limit": 100, "used": 0, "remaining": 100, "period": "day",
            "resets_at": "2026-11-19T00:00:00.000Z"}));
        let verify = json!({"key": secret, "cost": 70});
        app.advance(Duration::from_secs(61));
        let answer = app.send(Method::POST, "/v1/keys/verify", &ada, &verify).await;
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(usage(&app, &ada, &key).await["budget"], answer["budget"]);
        app.advance(Duration::from_secs(61));
        app.send(Method::POST, "/v1/keys/verify", &ada, &verify).await;
        let seen = usage(&app, &ada, &key).await;
        assert_eq!(seen["denials"][0]["code"], "token_budget_exhausted");
        assert!(text(&seen["denials"][0]["detail"]).contains("70 used"));
        app.services.checker.flush_usage().await.unwrap();
        let months: i64 = query_value(&app.telemetry().await, MONTHS).await;
        assert_eq!(months, 2, "what the budget refused does not count against the quota");
    }

    async fn service_key_reads_usage_but_adds_none_to_its_project(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (secret, key) = new_key(&app, &ada, "live").await;
        let service = async |permissions: &[&str]| {
            let body = json!({"name": permissions[0], "kind": "service", "permissions": permissions});
            let made = app.create(&ada, &body).await;
            (text(&made["key"]), text(&made["api_key"]["id"]))
        };
        let ((reader, reader_id), (other, _)) = (service(&["usage:read"]).await, service(&["keys:read"]).await);
        app.ingest(&secret).await;
        let (of_key, of_project) = (format!("/v1/keys/{key}/usage"), format!("/v1/projects/{}/usage", ada.project));
        for path in [&of_key, &of_project] {
            assert_eq!(app.json(path, &reader).await["totals"]["requests"], 1, "{path}");
            let refused = app.get(path).bearer_auth(&other).send().await.unwrap();
            problem(refused, 403, "forbidden").await;
        }
        problem(app.ingest(&reader).await, 403, "wrong_scope").await;
        assert_eq!(usage(&app, &ada, &reader_id).await["totals"]["requests"], 3);
        let seen = project_usage(&app, &ada, "").await;
        app.services.checker.flush_usage().await.unwrap();
        assert_eq!(project_usage(&app, &ada, "").await, seen);
        assert_eq!((&seen["totals"]["requests"], &seen["denials"]), (&json!(1), &json!([])));
        assert_eq!(query_value::<i64>(&app.telemetry().await, MONTHS).await, 1);
    }

    async fn the_old_secrets_last_use_is_told_until_its_grace_ends(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (old, key) = new_key(&app, &ada, "live").await;
        let rotate = format!("/v1/keys/{key}/rotate");
        let rotated = app.send(Method::POST, &rotate, &ada, &json!({"grace_seconds": 600})).await;
        let rotated: Value = rotated.json().await.unwrap();
        let new = text(&rotated["key"]);
        for secret in [&old, &new] {
            app.advance(Duration::from_mins(1));
            assert_eq!(app.ingest(secret).await.status(), 200);
        }
        app.services.checker.flush_usage().await.unwrap();
        let body = json!({"key_id": key});
        let listed = app.send(Method::POST, "/api/keys/get", &ada, &body).await;
        let listed: Value = listed.json().await.unwrap();
        assert_eq!(listed["last_used_at"], "2026-11-18T11:08:40.001Z");
        assert_eq!(listed["old_secret"]["last_used_at"], "2026-11-18T11:07:40.001Z");
    }

    async fn a_month_of_ten_million_requests_is_read_in_a_few_statements(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (secret, key) = new_key(&app, &ada, "live").await;
        let admin = app.telemetry().await;
        let (key_id, project) = (
            literal(&admin, key.parse::<KeyId>().unwrap()),
            literal(&admin, ada.project.parse::<ProjectId>().unwrap()),
        );
        let today = START - START.rem_euclid(DAY);
        let rows: Vec<String> = (0..60)
            .map(|back| format!("({key_id}, {project}, 'day', {}, 'valid', 333333, 7, 5, 2)", today - back * DAY))
            .collect();
        let columns = "key_id, project_id, resolution, start, outcome, requests, prompt_tokens, \
                       completion_tokens, estimated_tokens";
        let sql = format!("INSERT INTO key_usage ({columns}) VALUES {}", rows.join(","));
        admin.execute_unprepared(&sql).await.unwrap();
        for _ in 0..10 {
            app.ingest(&secret).await;
        }
        let before = app.services.database.statements();
        let seen = app.json(&format!("/v1/keys/{key}/usage?range=30d"), &ada.jwt).await;
        assert_eq!(seen["totals"], json!({
            "requests": 10_000_000, "valid": 10_000_000, "denied": 0,
            "prompt_tokens": 210, "completion_tokens": 150, "estimated_tokens": 60,
            "cached_tokens": 0, "cost_usd": "0", "rejected_items": 0,
        }));
        assert_eq!(seen["buckets"].as_array().unwrap().len(), 30);
        assert!(app.services.database.statements() - before <= 6);
    }

    async fn usage_is_kept_for_400_days(app: TestApp) {
        let admin = app.telemetry().await;
        let id = literal(&admin, Uuid::from_u128(7));
        // Of keys there are more rows to delete than one statement deletes.
        for (table, columns, values, before) in [
            ("key_usage", "key_id, outcome, estimated_tokens", format!("{id}, 'valid', 0"), 2_500),
            ("project_usage", "environment, outcome, estimated_tokens", "'live', 'valid', 0".to_owned(), 3),
            ("model_usage", "environment, model", "'live', 'm'".to_owned(), 3),
        ] {
            let mut rows = Vec::new();
            for (resolution, days) in [("minute", 2), ("hour", 35), ("day", 400)] {
                let oldest = START - days * DAY;
                rows.extend((-before..=2).map(|minute| {
                    format!("({id}, '{resolution}', {}, 1, 0, 0, {values})", oldest + minute * MINUTE)
                }));
            }
            let columns = format!("project_id, resolution, start, requests, prompt_tokens, completion_tokens, {columns}");
            for some in rows.chunks(1_000) {
                let sql = format!("INSERT INTO {table} ({columns}) VALUES {}", some.join(","));
                admin.execute_unprepared(&sql).await.unwrap();
            }
        }
        purge(&app.services).await.unwrap();
        for table in ["key_usage", "project_usage", "model_usage"] {
            for resolution in ["minute", "hour", "day"] {
                let sql = format!("SELECT COUNT(*) FROM {table} WHERE resolution = '{resolution}'");
                let left: i64 = query_value(&admin, &sql).await;
                assert_eq!(left, 3, "{table}, {resolution}: from the oldest one kept on");
            }
        }
    }

    async fn old_denials_are_deleted(app: TestApp) {
        let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
        let (secret, _) = new_key(&app, &ada, "live").await;
        out_of_scope(&app, &secret, &eve.application).await;
        app.services.checker.flush_usage().await.unwrap();
        let left = async || {
            purge(&app.services).await.unwrap();
            count_rows(&app.telemetry().await, "denials").await
        };
        app.advance(Duration::from_hours(29 * 24));
        assert_eq!(left().await, 1);
        app.advance(Duration::from_hours(24));
        assert_eq!(left().await, 0);
    }
}

#[tokio::test]
async fn invalid_range_is_rejected_by_name() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (_, key) = new_key(&app, &ada, "live").await;
    for path in [format!("/v1/keys/{key}/usage"), format!("/v1/projects/{}/usage", ada.project)] {
        for range in ["2h", "24H", "30", "1h%00", "forever"] {
            let request = app.get(&format!("{path}?range={range}")).bearer_auth(&ada.jwt);
            let refused = problem(request.send().await.unwrap(), 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], "range");
        }
    }
    let path = format!("/v1/projects/{}/usage?environment=prod", ada.project);
    let refused = app.get(&path).bearer_auth(&ada.jwt).send().await.unwrap();
    assert_eq!(problem(refused, 422, "invalid").await["errors"][0]["field"], "environment");
    let body = json!({"key_id": key, "range": "2h"});
    let refused = app.post("/api/usage/key").bearer_auth(&ada.jwt).json(&body).send().await;
    problem(refused.unwrap(), 422, "invalid").await;
}

#[tokio::test]
async fn usage_requires_credentials_and_matching_key_kind() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (_, key) = new_key(&app, &ada, "live").await;
    let stranger = app.get(&format!("/v1/keys/{key}/usage")).send().await.unwrap();
    problem(stranger, 401, "unauthenticated").await;
    for path in [
        format!("/v1/inference/keys/{key}/usage"),
        format!("/v1/keys/{}/usage", ada.project),
        "/v1/projects/nonsense/usage".to_owned(),
    ] {
        let missing = app.get(&path).bearer_auth(&ada.jwt).send().await.unwrap();
        problem(missing, 404, "not_found").await;
    }
    admin(&app).await.execute_unprepared("UPDATE keys SET kind = 'inference'").await.unwrap();
    let path = format!("/v1/inference/keys/{key}/usage");
    assert_eq!(app.json(&path, &ada.jwt).await["totals"]["requests"], 0);
}

#[tokio::test]
async fn the_pages_read_the_same_usage() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (secret, key) = new_key(&app, &ada, "live").await;
    app.ingest(&secret).await;
    let call = async |function: &str, body: Value| -> Value {
        let request = app.post(&format!("/api/usage/{function}")).bearer_auth(&ada.jwt);
        request.json(&body).send().await.unwrap().json().await.unwrap()
    };
    let of_key = call("key", json!({"key_id": key, "range": "24h"})).await;
    assert_eq!(of_key, usage(&app, &ada, &key).await);
    let body = json!({"project_id": ada.project, "environment": "live", "range": "24h"});
    assert_eq!(call("project", body).await, of_key);
}
