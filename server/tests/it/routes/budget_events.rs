//! `/v1/projects/{id}/budget-events`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::test_app::{Session, TestApp, on_both_databases, problem, text};

fn path(who: &Session) -> String {
    format!("/v1/projects/{}/budget-events", who.project)
}

/// Limits tokens a day, of the project or the organization at `path`.
async fn limit(app: &TestApp, who: &Session, path: &str, tokens: u64) {
    let body = json!({"budgets": [{"unit": "tokens", "limit": tokens, "period": "day"}]});
    assert_eq!(app.send(Method::PATCH, path, who, &body).await.status(), 200);
}

/// Spends tokens of a key, and writes the events.
async fn spend(app: &TestApp, who: &Session, key: &str, cost: u64) {
    app.advance(Duration::from_secs(1));
    assert_eq!(app.verify(who, json!({"key": key, "cost": cost})).await["valid"], true);
    app.services.checker.write_budget_events().await.unwrap();
}

/// Scope, percentage, limit and use of each event.
async fn events(app: &TestApp, who: &Session) -> Vec<(String, u64, u64, u64)> {
    let list = app.json(&path(who), &who.jwt).await;
    assert_eq!(list["next_cursor"], Value::Null);
    let rows = list["data"].as_array().unwrap().iter().map(|row| {
        let number = |field: &str| row[field].as_u64().unwrap();
        (text(&row["scope"]), number("percent"), number("limit"), number("used"))
    });
    rows.collect()
}

on_both_databases! {
    async fn call_that_crosses_both_thresholds_lists_100_first(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "token_limit": 100, "token_limit_period": "day"});
        let key = text(&app.create(&ada, &body).await["key"]);
        spend(&app, &ada, &key, 100).await;
        let event = |percent| ("key".to_owned(), percent, 100, 100);
        assert_eq!(events(&app, &ada).await, [event(100), event(80)]);
    }

    async fn budget_has_one_event_at_80_and_one_at_100_percent(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        limit(&app, &ada, &format!("/v1/projects/{}", ada.project), 200).await;
        limit(&app, &ada, &format!("/v1/organizations/{}", ada.organization), 110).await;
        let body = json!({"name": "A", "token_limit": 100, "token_limit_period": "day"});
        let created = app.create(&ada, &body).await;
        let key = text(&created["key"]);
        spend(&app, &ada, &key, 79).await;
        assert!(events(&app, &ada).await.is_empty());
        spend(&app, &ada, &key, 1).await;
        let of_key = ("key".to_owned(), 80, 100, 80);
        assert_eq!(events(&app, &ada).await, std::slice::from_ref(&of_key));
        spend(&app, &ada, &key, 8).await;
        let of_organization = ("organization".to_owned(), 80, 110, 88);
        assert_eq!(events(&app, &ada).await, [of_organization.clone(), of_key.clone()]);
        spend(&app, &ada, &key, 12).await;
        let full = ("key".to_owned(), 100, 100, 100);
        assert_eq!(events(&app, &ada).await, [full, of_organization, of_key]);
        let row = app.json(&path(&ada), &ada.jwt).await["data"][0].clone();
        assert_eq!(row["key_id"], created["api_key"]["id"]);
        assert_eq!((&row["unit"], &row["period"]), (&json!("tokens"), &json!("day")));
        assert!(text(&row["id"]).starts_with("bev_") && row["at"].is_string());
        assert_eq!(app.json(&path(&ada), &ada.jwt).await["data"][1]["key_id"], Value::Null);
        assert!(events(&app, &eve).await.is_empty(), "another tenant’s are not among them");
    }

    async fn one_call_may_write_both_events(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "token_limit": 10, "token_limit_period": "total"});
        let key = text(&app.create(&ada, &body).await["key"]);
        spend(&app, &ada, &key, 10).await;
        let mut percent: Vec<_> = events(&app, &ada).await.iter().map(|event| event.1).collect();
        percent.sort_unstable();
        assert_eq!(percent, [80, 100]);
    }

    async fn events_come_in_pages(app: TestApp) {
        let ada = app.pro("ada").await;
        limit(&app, &ada, &format!("/v1/organizations/{}", ada.organization), 25).await;
        for name in ["a", "b", "c"] {
            let body = json!({"name": name, "token_limit": 10, "token_limit_period": "day"});
            let key = text(&app.create(&ada, &body).await["key"]);
            spend(&app, &ada, &key, 8).await;
        }
        let whole = app.json(&path(&ada), &ada.jwt).await["data"].clone();
        assert_eq!(whole.as_array().unwrap().len(), 4, "three keys and the organization");
        for limit in [1, 2, 3, 4] {
            let (mut rows, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = app.json(&format!("{}?limit={limit}{cursor}", path(&ada)), &ada.jwt).await;
                rows.extend(page["data"].as_array().unwrap().clone());
                let Some(next) = page["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(Value::from(rows), whole, "{limit}");
        }
        for query in ["limit=0", "limit=101", "cursor=x"] {
            let field = query.split('=').next().unwrap();
            let bad = app.get(&format!("{}?{query}", path(&ada))).bearer_auth(&ada.jwt).send().await;
            let refused = problem(bad.unwrap(), 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field);
        }
    }

    async fn events_are_for_whoever_may_read_usage(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        let viewer = app.join(&ada, "vic", "viewer").await;
        let (reader, _) = app.service_key(&ada, &["usage:read"]).await;
        let (other, _) = app.service_key(&ada, &["keys:read", "keys:write", "keys:verify"]).await;
        let ask = async |bearer: &str| app.get(&path(&ada)).bearer_auth(bearer).send().await.unwrap();
        for bearer in [&ada.jwt, &viewer.jwt, &reader] {
            assert_eq!(ask(bearer).await.status(), 200);
        }
        problem(ask(&other).await, 403, "forbidden").await;
        problem(ask(&eve.jwt).await, 404, "not_found").await;
        let (theirs, _) = app.service_key(&eve, &["usage:read"]).await;
        problem(ask(&theirs).await, 404, "not_found").await;
        problem(ask("nonsense").await, 401, "unauthenticated").await;
    }
}
