//! `…/usage?group_by=…` and `format=csv`.

use std::sync::atomic::{AtomicU64, Ordering};

use latchkey_checker::CheckRequest;
use latchkey_domain::money::Usd;
use reqwest::Method;
use serde_json::{Value, json};

use super::{new_key, project_usage};
use crate::test_app::{Backend, Session, TestApp, on_both_databases, problem, text};

/// Makes an API key with these attributes; its secret and its id.
async fn key(app: &TestApp, who: &Session, name: &str, attributes: Value) -> (String, String) {
    let mut body = attributes;
    body["name"] = json!(name);
    let created = app.create(who, &body).await;
    (text(&created["key"]), text(&created["api_key"]["id"]))
}

async fn call(app: &TestApp, secret: &str, times: usize) {
    for _ in 0..times {
        let _ = app.services.checker.check(Some(secret), CheckRequest::default()).await;
    }
}

/// Group, label, requests and denied requests.
async fn groups(app: &TestApp, who: &Session, query: &str) -> Vec<Value> {
    let usage = project_usage(app, who, query).await;
    let rows = usage["data"].as_array().unwrap().iter();
    let row = |one: &Value| {
        assert_eq!(
            one["requests"],
            one["valid"].as_u64().unwrap() + one["denied"].as_u64().unwrap()
        );
        json!([one["group"], one["label"], one["requests"], one["denied"]])
    };
    rows.map(row).collect()
}

async fn inference_key(app: &TestApp, who: &Session) -> (String, String) {
    let path = format!("/v1/projects/{}/inference/keys", who.project);
    let created = app.send(Method::POST, &path, who, &json!({"name": "Bot"})).await;
    let created: Value = created.json().await.unwrap();
    (text(&created["key"]), text(&created["api_key"]["id"]))
}

async fn chat(app: &TestApp, secret: &str, model: &str) -> (u16, Value) {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
    let request = app.post("/v1/chat/completions").bearer_auth(secret).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

on_both_databases! {
    async fn project_usage_is_grouped_by_attributes_of_keys(app: TestApp) {
        let ada = app.pro("ada").await;
        let path = format!("/v1/applications/{}", ada.application);
        let shop = app.json(&path, &ada.jwt).await["name"].clone();
        let of_one = json!({"external_id": "u1", "tags": ["a", "b"], "application_id": ada.application});
        let of_two = json!({"external_id": "u2", "tags": ["b"], "application_id": ada.application});
        let (first, one) = key(&app, &ada, "one", of_one).await;
        let (second, two) = key(&app, &ada, "two", of_two).await;
        let (third, three) = key(&app, &ada, "three", json!({})).await;
        key(&app, &ada, "unused", json!({"tags": ["c"]})).await;
        let service = app.service_key(&ada, &["usage:read"]).await.0;
        for (secret, times) in [(&first, 1), (&second, 3), (&third, 6), (&service, 9)] {
            call(&app, secret, times).await;
        }
        app.revoke(&ada, &one).await;
        call(&app, &first, 1).await;
        for round in ["not written yet", "written"] {
            for (query, expected) in [
                ("group_by=key", json!([[three, "three", 6, 0], [two, "two", 3, 0], [one, "one", 2, 1]])),
                ("group_by=application", json!([[null, null, 6, 0], [ada.application, shop, 5, 1]])),
                ("group_by=external_id", json!([[null, null, 6, 0], ["u2", "u2", 3, 0], ["u1", "u1", 2, 1]])),
                ("group_by=tag", json!([[null, null, 6, 0], ["b", "b", 5, 1], ["a", "a", 2, 1]])),
                ("group_by=key&tag=a", json!([[one, "one", 2, 1]])),
                ("group_by=tag&external_id=u2&range=30d", json!([["b", "b", 3, 0]])),
                ("group_by=key&environment=test", json!([])),
                ("group_by=model", json!([[null, null, 11, 1]])),
            ] {
                let seen = groups(&app, &ada, &format!("?{query}")).await;
                assert_eq!(json!(seen), expected, "{query}, {round}");
            }
            app.services.checker.flush_usage().await.unwrap();
        }
        let grouped = project_usage(&app, &ada, "?group_by=external_id&range=7d").await;
        assert_eq!((&grouped["range"], &grouped["group_by"]), (&json!("7d"), &json!("external_id")));
        app.advance(std::time::Duration::from_hours(2));
        // Access tokens expire sooner.
        let ada = app.sign_in("ada").await;
        assert_eq!(json!(groups(&app, &ada, "?group_by=key&range=1h").await), json!([]));
    }

    async fn project_usage_is_grouped_by_model_with_cost(app: TestApp) {
        let ada = app.pro("ada").await;
        let (secret, id) = inference_key(&app, &ada).await;
        let (mut prompt, mut completion) = (0, 0);
        for _ in 0..3 {
            let (status, answer) = chat(&app, &secret, "sandbox").await;
            assert_eq!(status, 200, "{answer}");
            prompt += answer["usage"]["prompt_tokens"].as_u64().unwrap();
            completion += answer["usage"]["completion_tokens"].as_u64().unwrap();
        }
        assert_eq!(chat(&app, &secret, "nope").await.0, 404);
        let only = json!({"allowed_models": ["nope"]});
        let path = format!("/v1/inference/keys/{id}");
        assert_eq!(app.send(Method::PATCH, &path, &ada, &only).await.status(), 200);
        assert_eq!(chat(&app, &secret, "sandbox").await.0, 403);
        app.services.settled().await;
        // A dollar and two dollars a million.
        let cost = Usd::from_billionths(prompt * 1_000 + completion * 2_000).to_string();
        for round in ["not written yet", "written"] {
            let usage = project_usage(&app, &ada, "?group_by=model").await;
            assert_eq!(usage["data"], json!([
                {"group": "sandbox", "label": "sandbox", "requests": 4, "valid": 3, "denied": 1,
                    "prompt_tokens": prompt, "completion_tokens": completion, "cost_usd": cost},
                {"group": null, "label": null, "requests": 1, "valid": 1, "denied": 0,
                    "prompt_tokens": 0, "completion_tokens": 0, "cost_usd": "0"},
            ]), "{round}");
            let by_key = project_usage(&app, &ada, "?group_by=key").await;
            assert_eq!(by_key["data"][0]["cost_usd"], cost, "{round}");
            for path in [format!("/v1/keys/{id}/usage"), format!("/v1/projects/{}/usage", ada.project)] {
                let usage = app.json(&path, &ada.jwt).await;
                assert_eq!(usage["totals"]["cost_usd"], cost, "{path}, {round}");
                let last = usage["buckets"].as_array().unwrap().last().unwrap();
                assert_eq!(last["cost_usd"], cost, "{path}, {round}");
            }
            assert_eq!(groups(&app, &ada, "?group_by=model&environment=live").await.len(), 2);
            assert!(groups(&app, &ada, "?group_by=model&environment=test").await.is_empty());
            app.services.checker.flush_usage().await.unwrap();
        }
    }
}

on_both_databases! {
    async fn report_counts_each_call_once_during_flushes(app: TestApp) {
        let ada = app.pro("ada").await;
        let (secret, _) = key(&app, &ada, "one", json!({"external_id": "u1"})).await;
        let made = AtomicU64::new(0);
        let calls = async {
            for _ in 0..100 {
                call(&app, &secret, 1).await;
                made.fetch_add(1, Ordering::SeqCst);
                app.services.checker.flush_usage_batch().await.unwrap();
            }
        };
        let reports = async {
            while made.load(Ordering::SeqCst) < 100 {
                for group_by in ["external_id", "model"] {
                    let before = made.load(Ordering::SeqCst);
                    let rows = groups(&app, &ada, &format!("?group_by={group_by}")).await;
                    let seen: u64 = rows.iter().map(|row| row[2].as_u64().unwrap()).sum();
                    let after = made.load(Ordering::SeqCst) + 1;
                    assert!((before..=after).contains(&seen), "{before} ≤ {seen} ≤ {after}");
                }
            }
        };
        tokio::join!(calls, reports);
        let rows = groups(&app, &ada, "?group_by=external_id").await;
        assert_eq!(json!(rows), json!([["u1", "u1", 100, 0]]));
    }
}

/// The body of a CSV.
async fn csv(app: &TestApp, who: &Session, path: &str) -> String {
    let answer = app.get(path).bearer_auth(&who.jwt).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    answer.text().await.unwrap()
}

#[tokio::test]
async fn usage_is_served_as_csv_without_formulas() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.pro("ada").await;
    let (secret, id) = key(&app, &ada, "=1+1", json!({"tags": ["@a"]})).await;
    call(&app, &secret, 2).await;
    let of_project = format!("/v1/projects/{}/usage", ada.project);
    for path in [format!("/v1/keys/{id}/usage"), of_project.clone()] {
        let text = csv(&app, &ada, &format!("{path}?format=csv")).await;
        let lines: Vec<_> = text.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 49, "{path}");
        assert!(lines[0].starts_with("start,requests,valid,denied,"), "{}", lines[0]);
        assert_eq!(lines[48], "2026-11-18T11:00:00.000Z,2,2,0,0,0,0,0");
    }
    let header = "group,label,requests,valid,denied,prompt_tokens,completion_tokens,cost_usd\r\n";
    for (group_by, row) in [("key", format!("{id},'=1+1")), ("tag", "'@a,'@a".to_owned())] {
        let text = csv(&app, &ada, &format!("{of_project}?group_by={group_by}&format=csv")).await;
        assert_eq!(text, format!("{header}{row},2,2,0,0,0,0\r\n"));
    }
    let json = app.json(&format!("{of_project}?format=json"), &ada.jwt).await;
    assert_eq!(json["totals"]["requests"], 2);
}

#[tokio::test]
async fn invalid_group_or_format_is_rejected_by_name() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (_, key) = new_key(&app, &ada, "live").await;
    let of_project = format!("/v1/projects/{}/usage", ada.project);
    for (path, query, field) in [
        (&of_project, "group_by=keys", "group_by"),
        (&of_project, "group_by=external-id", "group_by"),
        (&of_project, "group_by=key&format=xml", "format"),
        (&of_project, "format=CSV", "format"),
        (&format!("/v1/keys/{key}/usage"), "format=xlsx", "format"),
        (&of_project, "group_by=key&range=2h", "range"),
        (&of_project, "group_by=model&tag=a", "tag"),
        (&of_project, "group_by=model&external_id=u1", "external_id"),
    ] {
        let request = app.get(&format!("{path}?{query}")).bearer_auth(&ada.jwt);
        let refused = problem(request.send().await.unwrap(), 422, "invalid").await;
        assert_eq!(refused["errors"][0]["field"], field, "{query}");
    }
}

#[tokio::test]
async fn grouped_usage_of_another_tenant_is_not_found() {
    let app = TestApp::on(Backend::Sqlite).await;
    let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
    let (secret, _) = new_key(&app, &ada, "live").await;
    call(&app, &secret, 1).await;
    for group_by in ["key", "model", "application", "external_id", "tag"] {
        for format in ["json", "csv"] {
            let query = format!("group_by={group_by}&format={format}");
            let path = format!("/v1/projects/{}/usage?{query}", ada.project);
            let refused = app.get(&path).bearer_auth(&eve.jwt).send().await.unwrap();
            problem(refused, 404, "not_found").await;
        }
        assert!(groups(&app, &eve, &format!("?group_by={group_by}")).await.is_empty());
    }
}
