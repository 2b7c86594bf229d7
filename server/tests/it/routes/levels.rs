//! Limits over all keys of a project or an organization.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::test_app::{Session, TestApp, on_both_databases, problem, text};

/// A project's and an organization's path.
fn paths(who: &Session) -> [String; 2] {
    [format!("/v1/projects/{}", who.project), format!("/v1/organizations/{}", who.organization)]
}

async fn patch(app: &TestApp, who: &Session, path: &str, body: &Value) -> Response {
    app.send(Method::PATCH, path, who, body).await
}

/// A key of the person's application.
async fn new_key(app: &TestApp, who: &Session, name: &str) -> String {
    let body = json!({"name": name, "application_id": who.application});
    text(&app.create(who, &body).await["key"])
}

on_both_databases! {
    async fn level_has_the_limits_that_a_patch_names(app: TestApp) {
        let ada = app.sign_in("ada").await;
        for path in paths(&ada) {
            let limits = |of: &Value| {
                ["rpm", "tpm", "max_parallel", "budgets"].map(|field| of[field].clone())
            };
            let before = app.json(&path, &ada.jwt).await;
            assert_eq!(limits(&before), [json!(null), json!(null), json!(null), json!([])]);
            let body = json!({
                "rpm": 600, "tpm": 90_000, "max_parallel": 50,
                "budgets": [
                    {"unit": "usd", "limit": 200, "period": "day"},
                    {"unit": "requests", "limit": 1_000, "period": "total"},
                ],
            });
            let changed: Value = patch(&app, &ada, &path, &body).await.json().await.unwrap();
            let budgets = json!([
                {
                    "unit": "usd", "limit": "200", "period": "day", "used": "0", "reserved": "0",
                    "remaining": "200", "resets_at": "2026-11-19T00:00:00.000Z",
                },
                {
                    "unit": "requests", "limit": 1_000, "period": "total", "used": 0, "reserved": 0,
                    "remaining": 1_000, "resets_at": null,
                },
            ]);
            let expected = [json!(600), json!(90_000), json!(50), budgets.clone()];
            assert_eq!(limits(&changed), expected);
            assert_eq!(app.json(&path, &ada.jwt).await, changed);
            let named = patch(&app, &ada, &path, &json!({"rpm": null})).await;
            let named: Value = named.json().await.unwrap();
            assert_eq!(limits(&named), [json!(null), json!(90_000), json!(50), budgets]);
            let log = format!("/v1/organizations/{}/audit?limit=2", ada.organization);
            let log = app.json(&log, &ada.jwt).await;
            assert_eq!(log["data"][0]["changes"], json!({"rpm": {"before": 600, "after": null}}));
            let first = &log["data"][1]["changes"];
            assert_eq!(first["budgets"]["after"], "$200 a day, 1000 requests for life");
            assert_eq!(first["tpm"], json!({"before": null, "after": 90_000}));
            let none = json!({"tpm": null, "max_parallel": null, "budgets": []});
            let cleared: Value = patch(&app, &ada, &path, &none).await.json().await.unwrap();
            assert_eq!(cleared, before);
        }
        let lists = [
            format!("/v1/organizations/{}/projects", ada.organization),
            "/v1/organizations".to_owned(),
        ];
        for (path, list) in paths(&ada).into_iter().zip(lists) {
            let body = json!({"budgets": [{"unit": "tokens", "limit": 5, "period": "total"}]});
            let changed: Value = patch(&app, &ada, &path, &body).await.json().await.unwrap();
            assert_eq!(app.json(&list, &ada.jwt).await["data"][0], changed);
        }
        let me = app.json("/v1/me", &ada.jwt).await;
        assert_eq!(me["organizations"][0]["budgets"][0]["limit"], 5);
    }

    async fn bad_limits_of_a_level_are_refused_by_field(app: TestApp) {
        let ada = app.sign_in("ada").await;
        for path in paths(&ada) {
            for (body, field) in [
                (json!({"rpm": 0}), "rpm"),
                (json!({"tpm": -1}), "tpm"),
                (json!({"max_parallel": 1.5}), "max_parallel"),
                (json!({"max_parallel": 1_000_001}), "max_parallel"),
                (json!({"token_limit": 5}), "token_limit"),
            ] {
                let refused = problem(patch(&app, &ada, &path, &body).await, 422, "invalid").await;
                assert_eq!(refused["errors"][0]["field"], field, "{path} {body}");
            }
        }
        let [project, organization] = paths(&ada);
        for (defaults, field) in [
            (json!({"rpm": 0}), "key_defaults.rpm"),
            (json!({"allowed_models": []}), "key_defaults.allowed_models"),
            (json!({"expires_at": null}), "key_defaults.expires_at"),
            (json!([]), "key_defaults"),
        ] {
            let body = json!({"key_defaults": defaults});
            let refused = problem(patch(&app, &ada, &project, &body).await, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field, "{body}");
        }
        let body = json!({"key_defaults": {}});
        problem(patch(&app, &ada, &organization, &body).await, 422, "invalid").await;
    }

    async fn budget_of_a_level_holds_for_all_its_keys_at_once(app: TestApp) {
        let ada = app.pro("ada").await;
        let eve = app.sign_in("eve").await;
        let [theirs, one, other] = [
            new_key(&app, &eve, "e").await, new_key(&app, &ada, "1").await, new_key(&app, &ada, "2").await,
        ];
        // All are cached without a limit.
        for key in [&theirs, &one, &other] {
            assert_eq!(app.ingest(key).await.status(), 200);
        }
        for (path, scope) in paths(&ada).into_iter().zip(["project", "organization"]) {
            let budget = json!([{"unit": "requests", "limit": 2, "period": "total"}]);
            let changed = patch(&app, &ada, &path, &json!({"budgets": budget})).await;
            assert_eq!(changed.status(), 200);
            assert_eq!(app.ingest(&one).await.status(), 200);
            assert_eq!(app.ingest(&other).await.status(), 200);
            for key in [&one, &other] {
                let refused = problem(app.ingest(key).await, 429, "request_budget_exhausted").await;
                assert_eq!(refused["limit"], json!({
                    "scope": scope, "unit": "requests", "period": "total", "limit": 2, "used": 2,
                    "reserved": 0, "resets_at": null,
                }));
            }
            let verified = app.verify(&ada, json!({"key": one})).await;
            assert_eq!((&verified["limit"]["scope"], &verified["budgets"]), (&json!(scope), &json!([])));
            assert_eq!(app.ingest(&theirs).await.status(), 200, "other tenants go on");
            assert_eq!(app.json(&path, &ada.jwt).await["budgets"][0]["used"], 2);
            patch(&app, &ada, &path, &json!({"budgets": null})).await;
            assert_eq!(app.ingest(&one).await.status(), 200);
        }
    }

    async fn limits_of_levels_are_for_admins_and_owners(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        let root = app.sign_in("root").await;
        let (admin, member, viewer) = (
            app.join(&ada, "adam", "admin").await,
            app.join(&ada, "mia", "member").await,
            app.join(&ada, "vic", "viewer").await,
        );
        let every = ["keys:read", "keys:write", "keys:verify", "usage:read"];
        let service = Session { jwt: app.service_key(&ada, &every).await.0, ..ada.clone() };
        for path in paths(&ada) {
            let budget = json!({"budgets": [{"unit": "usd", "limit": 5, "period": "day"}]});
            for body in [json!({"rpm": 5}), json!({"max_parallel": null}), budget] {
                for who in [&admin, &ada] {
                    assert_eq!(patch(&app, who, &path, &body).await.status(), 200);
                }
                for who in [&member, &viewer, &service] {
                    problem(patch(&app, who, &path, &body).await, 403, "forbidden").await;
                }
                for who in [&eve, &root] {
                    problem(patch(&app, who, &path, &body).await, 404, "not_found").await;
                }
            }
        }
        let [project, organization] = paths(&ada);
        let defaults = json!({"key_defaults": {"rpm": 5}});
        problem(patch(&app, &member, &project, &defaults).await, 403, "forbidden").await;
        // The tier is the instance's, the limits are the organization's own.
        let both = json!({"tier": "pro", "rpm": 5});
        problem(patch(&app, &root, &organization, &both).await, 404, "not_found").await;
        problem(patch(&app, &ada, &organization, &both).await, 403, "forbidden").await;
    }
}
