//! Organizations, projects and applications: made, changed and deleted.

use std::time::Duration;

use latchkey_services::telemetry::{PurgeCount, purge_deleted};
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_app::{Session, TestApp, key_path, on_both_databases, problem, text};

/// Sends a request and returns its answer, which has to have this status.
async fn ask(
    app: &TestApp,
    method: Method,
    path: &str,
    who: &Session,
    body: Value,
    status: u16,
) -> Value {
    let answer = app.send(method, path, who, &body).await;
    let (got, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert_eq!(got, status, "{path}: {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

/// A person's project in an organization of theirs that was made for this.
async fn another_project(app: &TestApp, who: &Session) -> Session {
    let made = ask(app, Method::POST, "/v1/organizations", who, json!({ "name": "Fernside" }), 201);
    let organization = text(&made.await["id"]);
    let path = format!("/v1/organizations/{organization}/projects");
    let project = ask(app, Method::POST, &path, who, json!({ "name": "Storefront" }), 201).await;
    let project = text(&project["id"]);
    let path = format!("/v1/projects/{project}/applications");
    let body = json!({ "name": "Web" });
    let application = text(&ask(app, Method::POST, &path, who, body, 201).await["id"]);
    Session { organization, project, application, ..who.clone() }
}

on_both_databases! {
    async fn a_workspace_is_made_from_nothing(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let made = json!({ "name": " Fernside " });
        let made = ask(&app, Method::POST, "/v1/organizations", &ada, made, 201).await;
        assert_eq!(made["name"], "Fernside");
        assert_eq!((&made["tier"], &made["role"]), (&json!("free"), &json!("owner")));
        let organization = text(&made["id"]);
        let path = format!("/v1/organizations/{organization}");
        assert_eq!(app.json(&path, &ada.jwt).await, made);
        let projects = format!("{path}/projects");
        assert_eq!(app.json(&projects, &ada.jwt).await["data"], json!([]));
        let body = json!({ "name": "Storefront", "key_prefix": "shop" });
        let project = ask(&app, Method::POST, &projects, &ada, body, 201).await;
        assert_eq!(project["key_prefix"], "shop");
        assert_eq!(project["organization_id"], *organization);
        assert_eq!((&project["keys_used"], &project["keys_limit"]), (&json!(0), &json!(2)));
        let applications = format!("/v1/projects/{}/applications", text(&project["id"]));
        let body = json!({ "name": "Web", "description": "Sells.", "environment": "staging" });
        let application = ask(&app, Method::POST, &applications, &ada, body, 201).await;
        assert_eq!(application["environment"], "staging");
        let plain = ask(&app, Method::POST, &applications, &ada, json!({ "name": "App" }), 201).await;
        assert_eq!((&plain["description"], &plain["environment"]), (&json!(""), &json!("production")));
        let key = format!("/apikey?ApplicationId={}", text(&application["id"]));
        let key = ask(&app, Method::POST, &key, &ada, Value::Null, 200).await;
        assert!(text(&key).starts_with("shop_live_"));
    }

    async fn created_resources_can_be_updated(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let path = format!("/v1/organizations/{}", ada.organization);
        let changed = ask(&app, Method::PATCH, &path, &ada, json!({ "name": "New" }), 200).await;
        assert_eq!(changed["name"], "New");
        assert_eq!(changed["tier"], "free");
        let path = format!("/v1/projects/{}", ada.project);
        let body = json!({ "name": "Shop", "key_prefix": "shop" });
        let changed = ask(&app, Method::PATCH, &path, &ada, body, 200).await;
        assert_eq!((&changed["name"], &changed["key_prefix"]), (&json!("Shop"), &json!("shop")));
        let unchanged = ask(&app, Method::PATCH, &path, &ada, json!({}), 200).await;
        assert_eq!(unchanged, changed);
        let path = format!("/v1/applications/{}", ada.application);
        let body = json!({ "description": "Line\nby line.", "environment": "development" });
        let changed = ask(&app, Method::PATCH, &path, &ada, body, 200).await;
        assert_eq!(changed["name"], "My application");
        assert_eq!(changed["description"], "Line\nby line.");
        assert_eq!(app.json(&path, &ada.jwt).await, changed);
    }

    async fn bad_workspaces_are_refused_at_their_field(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let projects = format!("/v1/organizations/{}/projects", ada.organization);
        let applications = format!("/v1/projects/{}/applications", ada.project);
        let long = "n".repeat(65);
        for (path, body, field) in [
            ("/v1/organizations", json!({}), "name"),
            ("/v1/organizations", json!({ "name": "" }), "name"),
            ("/v1/organizations", json!({ "name": long }), "name"),
            ("/v1/organizations", json!({ "name": "a\u{202e}b" }), "name"),
            ("/v1/organizations", json!({ "name": "a", "tier": "pro" }), "tier"),
            (&*projects, json!({ "name": 7 }), "name"),
            (&*projects, json!({ "name": "a", "key_prefix": "LK" }), "key_prefix"),
            (&*projects, json!({ "name": "a", "key_prefix": "l" }), "key_prefix"),
            (&*projects, json!({ "name": "a", "key_prefix": null }), "key_prefix"),
            (&*applications, json!({ "name": "a", "environment": "moon" }), "environment"),
            (&*applications, json!({ "name": "a", "description": "d".repeat(501) }), "description"),
            (&*applications, json!({ "name": "a", "id": "app_1" }), "id"),
        ] {
            let refused = app.send(Method::POST, path, &ada, &body).await;
            let refused = problem(refused, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field, "{path} {body}");
        }
        let path = format!("/v1/projects/{}", ada.project);
        let refused = app.send(Method::PATCH, &path, &ada, &json!({ "name": null })).await;
        assert_eq!(problem(refused, 422, "invalid").await["errors"][0]["field"], "name");
    }

    async fn deleting_a_project_revokes_its_keys_at_once(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let gone = another_project(&app, &ada).await;
        let secret = app.generate(&gone).await;
        let whole = app.create(&gone, &json!({ "name": "whole" })).await;
        let service = json!({ "name": "s", "kind": "service", "permissions": ["keys:read"] });
        let service = text(&app.create(&gone, &service).await["key"]);
        assert_eq!(app.ingest(&secret).await.status(), 200);
        let path = format!("/v1/projects/{}", gone.project);
        ask(&app, Method::DELETE, &path, &gone, Value::Null, 204).await;
        problem(app.ingest(&secret).await, 401, "revoked_key").await;
        problem(app.ingest(&text(&whole["key"])).await, 401, "revoked_key").await;
        let keys = format!("/v1/projects/{}/keys", gone.project);
        let as_service = Session { jwt: service, ..gone.clone() };
        problem(app.send(Method::GET, &keys, &as_service, &Value::Null).await, 401, "revoked_key").await;
        for (method, path) in [
            (Method::GET, path.clone()),
            (Method::DELETE, path),
            (Method::GET, keys.clone()),
            (Method::POST, keys),
            (Method::GET, format!("/v1/applications/{}", gone.application)),
            (Method::GET, key_path(&whole)),
            (Method::GET, format!("/apikey?ApplicationId={}", gone.application)),
        ] {
            let body = if method == Method::POST { json!({ "name": "a" }) } else { Value::Null };
            problem(app.send(method, &path, &gone, &body).await, 404, "not_found").await;
        }
        let list = format!("/v1/organizations/{}/projects", gone.organization);
        assert_eq!(app.json(&list, &gone.jwt).await["data"], json!([]));
        assert_eq!(app.generate(&ada).await.len(), 46, "other projects go on");
    }

    async fn deleting_an_organization_takes_all_that_is_in_it(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let gone = another_project(&app, &ada).await;
        let secret = app.generate(&gone).await;
        let bob = app.join(&gone, "bob", "admin").await;
        let path = format!("/v1/organizations/{}", gone.organization);
        problem(app.send(Method::DELETE, &path, &bob, &Value::Null).await, 403, "forbidden").await;
        assert_eq!(app.ingest(&secret).await.status(), 200);
        ask(&app, Method::DELETE, &path, &gone, Value::Null, 204).await;
        problem(app.ingest(&secret).await, 401, "revoked_key").await;
        for who in [&gone, &bob] {
            let me = app.json("/v1/me", &who.jwt).await;
            let organizations = me["organizations"].as_array().unwrap();
            assert!(organizations.iter().all(|one| one["id"] != *gone.organization));
            problem(app.send(Method::GET, &path, who, &Value::Null).await, 404, "not_found").await;
            let project = format!("/v1/projects/{}", gone.project);
            problem(app.send(Method::GET, &project, who, &Value::Null).await, 404, "not_found").await;
        }
        let root = app.sign_in("root").await;
        let tier = json!({ "tier": "pro" });
        problem(app.send(Method::PATCH, &path, &root, &tier).await, 404, "not_found").await;
    }

    async fn deleting_an_application_takes_its_own_keys_and_what_it_sent(app: TestApp) {
        let ada = app.pro("ada").await;
        let secret = app.generate(&ada).await;
        let whole = text(&app.create(&ada, &json!({ "name": "whole" })).await["key"]);
        assert_eq!(app.ingest(&secret).await.status(), 200);
        let applications = format!("/v1/projects/{}/applications", ada.project);
        let other = ask(&app, Method::POST, &applications, &ada, json!({ "name": "Other" }), 201).await;
        let other = text(&other["id"]);
        let path = format!("/v1/applications/{}", ada.application);
        ask(&app, Method::DELETE, &path, &ada, Value::Null, 204).await;
        problem(app.ingest(&secret).await, 401, "revoked_key").await;
        let naming = async |application: &str| {
            let request = app.post("/ingest/traces").header("x-api-key", &whole);
            let request = request.header("x-application-id", application);
            request.json(&crate::test_app::traces(1)).send().await.unwrap()
        };
        problem(naming(&ada.application).await, 404, "not_found").await;
        assert_eq!(naming(&other).await.status(), 200, "the project's key goes on");
        let keys = format!("/apikey?ApplicationId={}", ada.application);
        problem(app.send(Method::POST, &keys, &ada, &Value::Null).await, 404, "not_found").await;
        let body = json!({ "name": "late", "application_id": ada.application });
        problem(app.try_create(&ada, &body).await, 404, "not_found").await;

        assert_eq!(purge_deleted(&app.services).await.unwrap(), PurgeCount::default(), "too early");
        app.advance(Duration::from_secs(61));
        let purged = purge_deleted(&app.services).await.unwrap();
        assert_eq!((purged.traces, purged.logs), (1, 0));
        assert_eq!(purge_deleted(&app.services).await.unwrap(), PurgeCount::default());
    }

    async fn no_key_survives_project_deleted_during_creates(app: TestApp) {
        let ada = app.sign_in("ada").await;
        for round in 0..5 {
            let gone = another_project(&app, &ada).await;
            app.set_tier(&gone, "enterprise").await;
            let make = |number: usize| {
                let (app, gone) = (&app, &gone);
                async move {
                    let made = app.try_create(gone, &json!({ "name": format!("k{number}") })).await;
                    match made.status().as_u16() {
                        201 => Some(text(&made.json::<Value>().await.unwrap()["key"])),
                        404 => None,
                        other => panic!("{other}: {}", made.text().await.unwrap()),
                    }
                }
            };
            let path = format!("/v1/projects/{}", gone.project);
            let delete = async {
                tokio::time::sleep(Duration::from_millis(5 * round)).await;
                ask(&app, Method::DELETE, &path, &gone, Value::Null, 204).await;
            };
            let (secrets, ()) = tokio::join!(futures::future::join_all((0..16).map(make)), delete);
            for secret in secrets.into_iter().flatten() {
                problem(app.ingest(&secret).await, 401, "revoked_key").await;
            }
        }
    }
}
