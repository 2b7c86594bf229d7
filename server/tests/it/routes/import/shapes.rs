//! `/v1/projects/{id}/key-shapes`.

use reqwest::Method;
use serde_json::{Value, json};

use super::{fields, register};
use crate::test_app::{Session, TestApp, on_both_databases, problem, text};

fn shape(prefix: &str, min: u64, max: u64) -> Value {
    json!({"prefix": prefix, "min_length": min, "max_length": max, "alphabet": "base62"})
}

async fn list(app: &TestApp, who: &Session) -> Value {
    app.json(&format!("/v1/projects/{}/key-shapes", who.project), &who.jwt).await
}

on_both_databases! {
    async fn registered_shape_is_listed_once(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let created = register(&app, &ada, &shape("sk-", 20, 60)).await;
        assert_eq!(created.status(), 201);
        let created: Value = created.json().await.unwrap();
        assert!(text(&created["id"]).starts_with("ksh_"));
        assert_eq!((&created["prefix"], &created["max_length"]), (&json!("sk-"), &json!(60)));
        let listed = list(&app, &ada).await;
        assert_eq!(listed, json!({"data": [created], "next_cursor": null}));
        problem(register(&app, &ada, &shape("sk-", 20, 60)).await, 409, "conflict").await;
        assert_eq!(register(&app, &ada, &shape("sk-", 20, 61)).await.status(), 201);
        let eve = app.sign_in("eve").await;
        assert_eq!(list(&app, &eve).await["data"], json!([]));
    }

    async fn shape_that_matches_everybodys_keys_is_refused(app: TestApp) {
        let ada = app.sign_in("ada").await;
        for (wrong, field) in [
            (shape("", 19, 60), "prefix"), (shape("s", 10, 60), "prefix"),
            (shape("lk_live_", 46, 46), "prefix"), (shape("lk_test_a", 46, 46), "prefix"),
            (shape("lk_", 46, 46), "prefix"), (shape("s k", 20, 60), "prefix"),
            (shape("sk-", 60, 20), "max_length"), (shape("sk-", 3, 20), "max_length"),
            (shape("sk-", 0, 20), "min_length"), (shape("sk-", 20, 1_025), "max_length"),
        ] {
            let refused = problem(register(&app, &ada, &wrong).await, 422, "invalid").await;
            assert_eq!(fields(&refused), [field], "{wrong}");
        }
        let mut unknown = shape("sk-", 20, 60);
        unknown["alphabet"] = "base32".into();
        let refused = problem(register(&app, &ada, &unknown).await, 422, "invalid").await;
        assert_eq!(fields(&refused), ["alphabet"]);
        assert_eq!(list(&app, &ada).await["data"], json!([]));
    }

    async fn shape_of_the_projects_own_prefix_is_refused(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let path = format!("/v1/projects/{}", ada.project);
        let changed = app.send(Method::PATCH, &path, &ada, &json!({"key_prefix": "acme"})).await;
        assert_eq!(changed.status(), 200);
        let own = register(&app, &ada, &shape("acme_live_", 48, 48)).await;
        assert_eq!(fields(&problem(own, 422, "invalid").await), ["prefix"]);
        assert_eq!(register(&app, &ada, &shape("sk_live_", 40, 40)).await.status(), 201);
    }

    async fn project_has_at_most_32_shapes(app: TestApp) {
        let ada = app.sign_in("ada").await;
        for length in 20..52 {
            assert_eq!(register(&app, &ada, &shape("", length, 60)).await.status(), 201);
        }
        problem(register(&app, &ada, &shape("", 52, 60)).await, 409, "limit_reached").await;
        assert_eq!(list(&app, &ada).await["data"].as_array().unwrap().len(), 32);
    }

    async fn repeated_registration_is_a_replay(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let path = format!("/v1/projects/{}/key-shapes", ada.project);
        let send = async |body: &Value| {
            let request = app.post(&path).bearer_auth(&ada.jwt).header("idempotency-key", "once");
            request.json(body).send().await.unwrap()
        };
        let created: Value = send(&shape("sk-", 20, 60)).await.json().await.unwrap();
        let replay = problem(send(&shape("sk-", 20, 60)).await, 409, "idempotency_replay").await;
        assert!(text(&replay["detail"]).contains(&text(&created["id"])), "{replay}");
        problem(send(&shape("sk-", 20, 61)).await, 422, "idempotency_mismatch").await;
    }
}
