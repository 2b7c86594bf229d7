//! Budgets in usage reports, and how long their rows are kept.

use latchkey_domain::id::BudgetEventId;
use latchkey_domain::time::Timestamp;
use latchkey_services::usage::purge;
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{DAY, MINUTE, admin, literal, project_usage, usage};
use crate::test_app::{START, on_both_databases, query_value, text};

on_both_databases! {
    async fn usage_has_budgets_of_the_key_and_the_project(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let budgets = json!([
            {"unit": "requests", "limit": 5, "period": "day"},
            {"unit": "tokens", "limit": 100, "period": "total"},
        ]);
        let body = json!({"name": "k", "application_id": ada.application, "budgets": budgets});
        let made = app.create(&ada, &body).await;
        let (secret, key) = (text(&made["key"]), text(&made["api_key"]["id"]));
        let of_project = json!({"budgets": [{"unit": "requests", "limit": 9, "period": "month"}]});
        let path = format!("/v1/projects/{}", ada.project);
        assert_eq!(app.send(Method::PATCH, &path, &ada, &of_project).await.status(), 200);
        assert_eq!(app.ingest(&secret).await.status(), 200);
        let of_key = usage(&app, &ada, &key).await;
        assert_eq!(of_key["budgets"], json!([
            {"unit": "requests", "limit": 5, "period": "day", "used": 1, "reserved": 0,
                "remaining": 4, "resets_at": "2026-11-19T00:00:00.000Z"},
            {"unit": "tokens", "limit": 100, "period": "total", "used": 0, "reserved": 0,
                "remaining": 100, "resets_at": null},
        ]));
        assert_eq!(of_key["budget"], json!({
            "limit": 100, "used": 0, "remaining": 100, "period": "total", "resets_at": null,
        }));
        let of_project = project_usage(&app, &ada, "").await;
        assert_eq!(of_project["budgets"], json!([
            {"unit": "requests", "limit": 9, "period": "month", "used": 1, "reserved": 0,
                "remaining": 8, "resets_at": "2026-12-01T00:00:00.000Z"},
        ]));
        assert_eq!(of_project["budget"], Value::Null);
    }

    async fn use_of_past_periods_is_deleted_but_not_of_a_life(app: TestApp) {
        let admin = admin(&app).await;
        let owner = literal(&admin, Uuid::from_u128(7));
        let rows: Vec<String> = [
            ("total", 0),
            ("minute", START - 3 * DAY),
            ("minute", START - MINUTE),
            ("hour", START - 3 * DAY),
            ("day", START - 3 * DAY),
            ("month", START - 61 * DAY),
            ("month", START - 63 * DAY),
        ]
        .map(|(period, start)| format!("({owner}, 'usd', '{period}', {start}, 5)"))
        .to_vec();
        let sql = format!("INSERT INTO budget_usage (owner_id, unit, period, starts_at, used) VALUES {}", rows.join(","));
        admin.execute_unprepared(&sql).await.unwrap();
        for days in [399, 401] {
            let at = START - days * DAY;
            let id = BudgetEventId::new(Timestamp::from_millis(at), [0; 10]);
            let id = literal(&admin, id);
            let sql = format!(
                "INSERT INTO budget_events (id, at, organization_id, scope, owner_id, unit, period, starts_at, percent, \"limit\", used) \
                 VALUES ({id}, {at}, {owner}, 'organization', {owner}, 'usd', 'day', {at}, 80, 10, 8)"
            );
            admin.execute_unprepared(&sql).await.unwrap();
        }
        purge(&app.services).await.unwrap();
        let left = async |sql: &str| query_value::<i64>(&admin, sql).await;
        assert_eq!(left("SELECT COUNT(*) FROM budget_usage").await, 4);
        assert_eq!(left("SELECT COUNT(*) FROM budget_usage WHERE period = 'total'").await, 1);
        assert_eq!(left("SELECT COUNT(*) FROM budget_usage WHERE period = 'minute'").await, 1);
        assert_eq!(left("SELECT COUNT(*) FROM budget_events").await, 1);
    }
}
