//! Service keys: a backend on its own project, with what it was permitted alone.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::test_app::{TestApp, key_path, on_both_databases, problem, text};

async fn send(app: &TestApp, bearer: &str, method: Method, path: &str, body: &Value) -> Response {
    let request = app.http.request(method, format!("{}{path}", app.base)).bearer_auth(bearer);
    let request = if body.is_null() { request } else { request.json(body) };
    request.send().await.unwrap()
}

on_both_databases! {
    async fn service_keys_do_not_count_against_the_tier(app: TestApp) {
        let ada = app.sign_in("ada").await;
        for permissions in [["keys:read"], ["keys:write"], ["keys:verify"], ["usage:read"]] {
            app.service_key(&ada, &permissions).await;
        }
        let project = app.json(&format!("/v1/projects/{}", ada.project), &ada.jwt).await;
        assert_eq!(project["keys_used"], 0);
        for name in ["A", "B"] {
            app.create(&ada, &json!({"name": name})).await;
        }
        app.service_key(&ada, &["keys:read", "keys:write"]).await;
    }

    async fn a_service_key_reads_and_writes_as_it_was_permitted(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (reader, _) = app.service_key(&ada, &["keys:read"]).await;
        let (writer, writer_id) = app.service_key(&ada, &["keys:write"]).await;
        let keys = format!("/v1/projects/{}/keys", ada.project);
        let good = json!({"name": "Made by a backend"});
        problem(send(&app, &reader, Method::POST, &keys, &good).await, 403, "forbidden").await;
        let made = send(&app, &writer, Method::POST, &keys, &good).await;
        assert_eq!(made.status(), 201);
        let made: Value = made.json().await.unwrap();
        let path = key_path(&made);
        problem(send(&app, &writer, Method::GET, &path, &Value::Null).await, 403, "forbidden").await;
        assert_eq!(send(&app, &reader, Method::GET, &path, &Value::Null).await.status(), 200);
        assert_eq!(send(&app, &reader, Method::GET, &keys, &Value::Null).await.status(), 200);
        assert_eq!(send(&app, &writer, Method::PATCH, &path, &json!({"rpm": 5})).await.status(), 200);
        let service = json!({"name": "S", "kind": "service", "permissions": ["keys:read"]});
        problem(send(&app, &writer, Method::POST, &keys, &service).await, 403, "forbidden").await;
        for (method, path) in [
            (Method::PATCH, format!("/v1/keys/{writer_id}")),
            (Method::DELETE, format!("/v1/keys/{writer_id}")),
            (Method::POST, format!("/v1/keys/{writer_id}/rotate")),
        ] {
            let refused = send(&app, &writer, method, &path, &json!({})).await;
            problem(refused, 403, "forbidden").await;
        }
        assert_eq!(send(&app, &writer, Method::DELETE, &path, &Value::Null).await.status(), 204);
    }

    async fn a_service_key_is_for_its_own_project_alone(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        let all = ["keys:read", "keys:write", "keys:verify", "usage:read"];
        let (key, _) = app.service_key(&ada, &all).await;
        let theirs = app.create(&eve, &json!({"name": "A"})).await;
        for path in [
            format!("/v1/projects/{}/keys", eve.project),
            format!("/v1/projects/{}", eve.project),
            format!("/v1/organizations/{}/projects", eve.organization),
            format!("/v1/applications/{}", eve.application),
            key_path(&theirs),
        ] {
            let refused = send(&app, &key, Method::GET, &path, &Value::Null).await;
            problem(refused, 404, "not_found").await;
        }
        for path in [
            "/v1/me".to_owned(),
            "/v1/organizations".to_owned(),
            format!("/v1/projects/{}", ada.project),
            format!("/v1/projects/{}/applications", ada.project),
            format!("/v1/organizations/{}/projects", ada.organization),
            format!("/v1/applications/{}/traces", ada.application),
        ] {
            let refused = send(&app, &key, Method::GET, &path, &Value::Null).await;
            problem(refused, 403, "forbidden").await;
        }
    }

    async fn a_revoked_service_key_is_refused_at_once(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (key, id) = app.service_key(&ada, &["keys:read"]).await;
        let keys = format!("/v1/projects/{}/keys", ada.project);
        assert_eq!(send(&app, &key, Method::GET, &keys, &Value::Null).await.status(), 200);
        app.revoke(&ada, &id).await;
        let refused = send(&app, &key, Method::GET, &keys, &Value::Null).await;
        problem(refused, 401, "revoked_key").await;
    }

    async fn a_service_keys_own_limits_hold(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "S", "kind": "service", "permissions": ["keys:read"], "rpm": 1});
        let key = text(&app.create(&ada, &body).await["key"]);
        let keys = format!("/v1/projects/{}/keys", ada.project);
        assert_eq!(send(&app, &key, Method::GET, &keys, &Value::Null).await.status(), 200);
        let refused = send(&app, &key, Method::GET, &keys, &Value::Null).await;
        assert!(refused.headers().contains_key("retry-after"));
        problem(refused, 429, "rate_limited").await;
        let ingest = app.ingest(&key).await;
        problem(ingest, 403, "wrong_scope").await;
    }
}
