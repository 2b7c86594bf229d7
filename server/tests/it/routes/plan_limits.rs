//! What a plan allows, and what an administrator of the instance makes of it for one organization.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::routes::keys::quota::set_month;
use crate::test_app::{Backend, Session, TestApp, on_both_databases, problem, text};

/// Overrides limits of a person's organization, as the instance's administrator.
async fn override_limits(app: &TestApp, who: &Session, overrides: &Value) -> Response {
    let root = app.sign_in("root").await;
    let path = format!("/v1/organizations/{}", who.organization);
    app.send(Method::PATCH, &path, &root, &json!({ "tier_overrides": overrides })).await
}

async fn keys_limit(app: &TestApp, who: &Session) -> Value {
    app.json(&format!("/v1/projects/{}", who.project), &who.jwt).await["keys_limit"].clone()
}

on_both_databases! {
    async fn override_is_in_force_at_once_and_null_goes_back(app: TestApp) {
        let ada = app.sign_in("ada").await;
        assert_eq!(override_limits(&app, &ada, &json!({ "keys_per_project": 3 })).await.status(), 200);
        assert_eq!(keys_limit(&app, &ada).await, 3);
        for number in 0..3 {
            app.create(&ada, &json!({ "name": format!("key {number}") })).await;
        }
        let fourth = json!({ "name": "fourth" });
        let refused = problem(app.try_create(&ada, &fourth).await, 409, "tier_limit_reached").await;
        assert_eq!(refused["detail"], "You’ve used 3 of 3 keys on Free. Revoke an unused key or upgrade.");
        // What one does not name stays.
        assert_eq!(override_limits(&app, &ada, &json!({ "projects": 500 })).await.status(), 200);
        assert_eq!(keys_limit(&app, &ada).await, 3);
        assert_eq!(override_limits(&app, &ada, &json!({ "keys_per_project": null })).await.status(), 200);
        assert_eq!(keys_limit(&app, &ada).await, 2);
        app.set_tier(&ada, "pro").await;
        assert_eq!(override_limits(&app, &ada, &json!({ "keys_per_project": 4 })).await.status(), 200);
        app.create(&ada, &fourth).await;
        assert_eq!(override_limits(&app, &ada, &Value::Null).await.status(), 200);
        assert_eq!(keys_limit(&app, &ada).await, 10);
    }

    async fn override_of_the_month_is_in_force_at_once(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        set_month(&app, &ada, 100_000).await;
        problem(app.ingest(&secret).await, 429, "quota_exceeded").await;
        override_limits(&app, &ada, &json!({ "requests_per_month": 100_001 })).await;
        assert_eq!(app.ingest(&secret).await.status(), 200, "also for the key that is cached");
        app.services.checker.flush_usage().await.unwrap();
        let refused = problem(app.ingest(&secret).await, 429, "quota_exceeded").await;
        assert!(text(&refused["detail"]).contains("quota of 100,001 live requests"));
        override_limits(&app, &ada, &json!({ "requests_per_month": null })).await;
        let refused = problem(app.ingest(&secret).await, 429, "quota_exceeded").await;
        assert!(text(&refused["detail"]).contains("quota of 100,000 live requests"));
    }

    async fn overrides_are_for_administrators_and_audited(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        let path = format!("/v1/organizations/{}", ada.organization);
        let body = json!({ "tier_overrides": { "projects": 500, "telemetry_days": 14 } });
        problem(app.send(Method::PATCH, &path, &ada, &body).await, 403, "forbidden").await;
        problem(app.send(Method::PATCH, &path, &eve, &body).await, 404, "not_found").await;
        for (overrides, field) in [
            (json!({ "projects": 0 }), "tier_overrides.projects"),
            (json!({ "telemetry_bytes": -1 }), "tier_overrides.telemetry_bytes"),
            (json!({ "telemetry_days": 1.5 }), "tier_overrides.telemetry_days"),
            (json!({ "seats": 1 }), "tier_overrides.seats"),
        ] {
            let refused = problem(override_limits(&app, &ada, &overrides).await, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field);
        }
        assert_eq!(override_limits(&app, &ada, &body["tier_overrides"]).await.status(), 200);
        assert_eq!(override_limits(&app, &ada, &body["tier_overrides"]).await.status(), 200);
        let log = app.json(&format!("{path}/audit?action=organization.limits_changed"), &ada.jwt).await;
        let events = log["data"].as_array().unwrap();
        assert_eq!(events.len(), 1, "what changes nothing is no event");
        assert_eq!(events[0]["actor"]["name"], "root");
        assert_eq!(events[0]["changes"], json!({
            "projects": { "before": null, "after": 500 },
            "telemetry_days": { "before": null, "after": 14 },
        }));
    }

    async fn projects_end_at_the_plan_whatever_runs_in_parallel(app: TestApp) {
        let ada = app.sign_in("ada").await;
        override_limits(&app, &ada, &json!({ "projects": 3 })).await;
        let path = format!("/v1/organizations/{}/projects", ada.organization);
        let name = json!({ "name": "One more" });
        let create = |_| app.send(Method::POST, &path, &ada, &name);
        let answers = futures::future::join_all((0..12).map(create)).await;
        let made = answers.iter().filter(|answer| answer.status() == 201).count();
        assert_eq!(made, 2, "there was one");
        let refused = answers.into_iter().find(|answer| answer.status() != 201).unwrap();
        let refused = problem(refused, 409, "limit_reached").await;
        let words = text(&refused["detail"]);
        assert!(words.ends_with("has 3 of 3 projects on Free. Delete a project or upgrade."), "{words}");
        let project = format!("/v1/projects/{}", ada.project);
        assert_eq!(app.send(Method::DELETE, &project, &ada, &Value::Null).await.status(), 204);
        assert_eq!(create(0).await.status(), 201, "a deleted one counts no more");
    }

    async fn person_owns_at_most_twenty_organizations(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let name = json!({ "name": "One more" });
        let create = |_| app.send(Method::POST, "/v1/organizations", &ada, &name);
        let answers = futures::future::join_all((0..24).map(create)).await;
        let made = answers.iter().filter(|answer| answer.status() == 201).count();
        assert_eq!(made, 19, "the first sign-in made one");
        let refused = problem(create(0).await, 409, "limit_reached").await;
        assert_eq!(
            refused["detail"],
            "You own 20 of 20 organizations. Delete one, or make another member the owner of one \
             and leave it."
        );
        // Neither an invitation nor another owner's word gives them one more.
        let eve = app.sign_in("eve").await;
        app.invite(&eve, "ada", "owner").await;
        let invited = Session { jwt: ada.jwt.clone(), ..eve.clone() };
        problem(app.answer(&invited, "accept").await, 409, "limit_reached").await;
        assert_eq!(app.json("/v1/me/invitations", &ada.jwt).await["data"].as_array().unwrap().len(), 1);
        let path = format!("/v1/organizations/{}/invitations/ada", eve.organization);
        app.send(Method::DELETE, &path, &eve, &Value::Null).await;
        app.invite(&eve, "ada", "admin").await;
        assert_eq!(app.answer(&invited, "accept").await.status(), 204);
        let id = text(&app.json("/v1/me", &ada.jwt).await["id"]);
        let path = format!("/v1/organizations/{}/members/{id}", eve.organization);
        let owner = json!({ "role": "owner" });
        problem(app.send(Method::PATCH, &path, &eve, &owner).await, 409, "limit_reached").await;
    }

    async fn person_makes_at_most_sixty_invitations_an_hour(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let logins: Vec<String> = (0..64).map(|number| format!("guest{number}")).collect();
        let invite = async |login: &str| app.invite(&ada, login, "viewer").await;
        let answers = futures::future::join_all(logins.iter().map(|login| invite(login))).await;
        let made = answers.iter().filter(|answer| answer.status() == 201).count();
        assert_eq!(made, 60);
        let refused = invite("late").await;
        assert_eq!(refused.headers()["retry-after"], "3600");
        let refused = problem(refused, 429, "rate_limited").await;
        assert!(text(&refused["detail"]).starts_with("You sent 60 of 60 invitations in the last \
                                                      hour."));
        // Taking one back gives none: it was made.
        let path = format!("/v1/organizations/{}/invitations/guest0", ada.organization);
        app.send(Method::DELETE, &path, &ada, &Value::Null).await;
        problem(invite("late").await, 429, "rate_limited").await;
        app.advance(Duration::from_hours(1));
        let ada = app.sign_in("ada").await;
        assert_eq!(app.invite(&ada, "late", "viewer").await.status(), 201);
    }

    async fn plan_tells_every_limit_and_its_use(app: TestApp) {
        let ada = app.sign_in("ada").await;
        override_limits(&app, &ada, &json!({ "telemetry_bytes": 5 })).await;
        app.invite(&ada, "bob", "viewer").await;
        let request = app.post("/api/organizations/plan").bearer_auth(&ada.jwt);
        let plan = request.json(&json!({ "organization_id": ada.organization })).send().await.unwrap();
        assert_eq!(plan.json::<Value>().await.unwrap(), json!({
            "limits": {
                "projects": 20, "keys_per_project": 2, "requests_per_month": 100_000,
                "telemetry_days": 7, "telemetry_bytes": 5,
            },
            "projects": 1, "owned_organizations": 1, "invitations": 1, "writes_per_minute": 1_000_000,
        }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_counted_per_person_and_service_key() {
    let app = TestApp::with(Backend::Sqlite, &["--latchkey-writes-per-minute=5"]).await;
    let ada = app.pro("ada").await;
    let body = json!({ "name": "ci", "kind": "service", "permissions": ["keys:write"] });
    let service = app.create(&ada, &body).await;
    let ci = Session { jwt: text(&service["key"]), ..ada.clone() };
    let key = async |who: &Session, name: &str| app.try_create(who, &json!({ "name": name })).await;
    for name in ["a", "b", "c"] {
        assert_eq!(key(&ada, name).await.status(), 201);
    }
    // The pages' functions count as the API does.
    let create = json!({ "project_id": ada.project, "request": { "name": "d" } });
    let by_page = app.post("/api/project-keys/create").bearer_auth(&ada.jwt).json(&create);
    assert_eq!(by_page.try_clone().unwrap().send().await.unwrap().status(), 200);
    let refused = by_page.send().await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "60");
    problem(refused, 429, "rate_limited").await;
    let refused = key(&ada, "e").await;
    assert_eq!(refused.headers()["retry-after"], "60");
    let refused = problem(refused, 429, "rate_limited").await;
    assert!(
        text(&refused["detail"])
            .starts_with("You made 5 of 5 changes in the last minute. Wait 60 s")
    );
    assert_eq!(app.keys(&ada).await.len(), 0, "reading is no write");
    for name in ["f", "g", "h", "i", "j"] {
        assert_eq!(key(&ci, name).await.status(), 201, "a service key has its own");
    }
    problem(key(&ci, "k").await, 429, "rate_limited").await;
    app.advance(Duration::from_mins(1));
    assert_eq!(key(&ada, "l").await.status(), 201);
}
