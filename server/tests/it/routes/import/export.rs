//! `/v1/projects/{id}/keys/export`.

use reqwest::Method;
use serde_json::{Value, json};

use super::{import, mover, row};
use crate::test_app::{Session, TestApp, key_path, on_both_databases, problem, text};

async fn export(app: &TestApp, who: &Session) -> (String, Vec<Value>) {
    let path = format!("/v1/projects/{}/keys/export", who.project);
    let response = app.get(&path).bearer_auth(&who.jwt).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let body = response.text().await.unwrap();
    let rows = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (body, rows)
}

on_both_databases! {
    async fn export_has_every_key_and_no_secret(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let limits = json!({
            "name": "Own", "rpm": 60, "tags": ["beta"], "metadata": {"n": 1},
            "budgets": [{"unit": "usd", "limit": "5", "period": "month"}],
        });
        let created = app.create(&ada, &limits).await;
        let gone = app.create(&ada, &json!({"name": "Gone"})).await;
        app.send(Method::DELETE, &key_path(&gone), &ada, &Value::Null).await;
        let (service, _) = app.service_key(&ada, &["keys:read"]).await;
        import(&app, &ada, &[row("Moved in")]).await;
        let (body, rows) = export(&app, &ada).await;
        assert_eq!(rows.len(), 4);
        for secret in [text(&created["key"]), text(&gone["key"]), service] {
            assert!(!body.contains(&secret));
        }
        let named = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
        let own = named("Own");
        assert_eq!((&own["rpm"], &own["status"]), (&json!(60), &json!("active")));
        assert_eq!((&own["tags"], &own["metadata"]), (&json!(["beta"]), &json!({"n": 1})));
        assert_eq!(own["budgets"][0]["limit"], "5");
        assert_eq!(own["scheme"], "latchkey-hmac-sha256");
        let digest = app.services.checker.pepper().digest(&text(&created["key"]));
        assert_eq!(own["stored"], digest.to_hex());
        assert_eq!(own["imported_scheme"], Value::Null);
        assert_eq!(named("Gone")["status"], "revoked");
        let moved = named("Moved in");
        assert_eq!(moved["masked"], "imported");
        assert_eq!(moved["imported_scheme"], "sha256:whole");
    }

    async fn export_of_many_keys_comes_whole_and_is_recorded(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let many: Vec<Value> = (0..1_234).map(|number| row(&format!("k{number}"))).collect();
        import(&app, &ada, &many).await;
        let (_, rows) = export(&app, &ada).await;
        assert_eq!(rows.len(), 1_234);
        let path = format!("/v1/organizations/{}/audit?limit=1", ada.organization);
        assert_eq!(app.json(&path, &ada.jwt).await["data"][0]["action"], "keys.exported");
    }

    async fn only_admins_and_owners_export(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let path = format!("/v1/projects/{}/keys/export", ada.project);
        for (login, role, status) in [("amy", "admin", 200), ("mia", "member", 403)] {
            let who = app.join(&ada, login, role).await;
            let answer = app.get(&path).bearer_auth(&who.jwt).send().await.unwrap();
            assert_eq!(answer.status(), status, "{role}");
        }
        let all = ["keys:read", "keys:write", "keys:verify", "usage:read"];
        let (service, _) = app.service_key(&ada, &all).await;
        let refused = app.get(&path).bearer_auth(&service).send().await.unwrap();
        problem(refused, 403, "forbidden").await;
        let eve = app.sign_in("eve").await;
        let refused = app.get(&path).bearer_auth(&eve.jwt).send().await.unwrap();
        problem(refused, 404, "not_found").await;
    }
}
