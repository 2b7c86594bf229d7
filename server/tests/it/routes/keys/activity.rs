//! The lines in the pages' list of keys: the last 24 hours of many keys at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::routes::usage::new_key;
use crate::test_app::{Session, TestApp, on_both_databases, problem};

/// Hours go by; the session of before is over by then.
async fn later(app: &TestApp, hours: u64) -> Session {
    app.advance(Duration::from_hours(hours));
    app.sign_in("ada").await
}

async fn activity(app: &TestApp, who: &Session, project: &str, keys: &[&str]) -> Value {
    let body = json!({ "project_id": project, "key_ids": keys });
    let request = app.post("/api/usage/keys").bearer_auth(&who.jwt).json(&body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

on_both_databases! {
    async fn key_activity_includes_unwritten_counts(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (secret, used) = new_key(&app, &ada, "live").await;
        let (_, unused) = new_key(&app, &ada, "live").await;
        let keys = [&*used, &*unused];
        assert_eq!(activity(&app, &ada, &ada.project, &keys).await, json!([]));
        app.ingest(&secret).await;
        let ada = later(&app, 3).await;
        app.ingest(&secret).await;
        app.revoke(&ada, &used).await;
        app.ingest(&secret).await;
        let before = activity(&app, &ada, &ada.project, &keys).await;
        assert_eq!(before[0]["key_id"], *used);
        let hours = before[0]["hours"].as_array().unwrap();
        assert_eq!(hours.len(), 24);
        assert_eq!(hours[23], json!({ "allowed": 1, "denied": 1 }));
        assert_eq!(hours[20], json!({ "allowed": 1, "denied": 0 }));
        assert_eq!(hours[22], json!({ "allowed": 0, "denied": 0 }));
        assert_eq!(before.as_array().unwrap().len(), 1, "a key that was not used is left out");
        app.services.checker.flush_usage().await.unwrap();
        assert_eq!(activity(&app, &ada, &ada.project, &keys).await, before, "writing changes nothing");
        let ada = later(&app, 21).await;
        let tomorrow = activity(&app, &ada, &ada.project, &keys).await;
        assert_eq!(tomorrow[0]["hours"][2], json!({ "allowed": 1, "denied": 1 }));
        let ada = later(&app, 3).await;
        assert_eq!(activity(&app, &ada, &ada.project, &keys).await, json!([]), "a day later");
    }

    async fn key_activity_hides_keys_of_other_tenants(app: TestApp) {
        let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
        let (secret, key) = new_key(&app, &ada, "live").await;
        app.ingest(&secret).await;
        assert_eq!(activity(&app, &eve, &eve.project, &[&key]).await, json!([]));
        app.services.checker.flush_usage().await.unwrap();
        assert_eq!(activity(&app, &eve, &eve.project, &[&key]).await, json!([]));
        let ask = |project: &str, keys: Vec<&str>| {
            let body = json!({ "project_id": project, "key_ids": keys });
            app.post("/api/usage/keys").bearer_auth(&eve.jwt).json(&body).send()
        };
        problem(ask(&ada.project, vec![&key]).await.unwrap(), 404, "not_found").await;
        let refused = problem(ask(&eve.project, vec![&key; 101]).await.unwrap(), 422, "invalid").await;
        assert_eq!(refused["errors"][0]["field"], "key_ids");
    }
}
