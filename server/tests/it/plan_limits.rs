//! What a plan allows, and what an administrator of the instance makes of it for one organization.

use latchkey_services::usage::flush;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::quota::set_month;
use crate::world::{Session, World, on_both_databases, problem, text};

/// Overrides limits of a person's organization, as the instance's administrator.
async fn override_limits(world: &World, who: &Session, overrides: &Value) -> Response {
    let root = world.sign_in("root").await;
    let path = format!("/v1/organizations/{}", who.organization);
    world.send(Method::PATCH, &path, &root, &json!({ "tier_overrides": overrides })).await
}

async fn keys_limit(world: &World, who: &Session) -> Value {
    world.json(&format!("/v1/projects/{}", who.project), &who.jwt).await["keys_limit"].clone()
}

on_both_databases! {
    async fn override_is_in_force_at_once_and_null_goes_back(world: World) {
        let ada = world.sign_in("ada").await;
        assert_eq!(override_limits(&world, &ada, &json!({ "keys_per_project": 3 })).await.status(), 200);
        assert_eq!(keys_limit(&world, &ada).await, 3);
        for number in 0..3 {
            world.create(&ada, &json!({ "name": format!("key {number}") })).await;
        }
        let fourth = json!({ "name": "fourth" });
        let refused = problem(world.try_create(&ada, &fourth).await, 409, "tier_limit_reached").await;
        assert_eq!(refused["detail"], "You’ve used 3 of 3 keys on Free. Revoke an unused key or upgrade.");
        // What one does not name stays.
        assert_eq!(override_limits(&world, &ada, &json!({ "projects": 500 })).await.status(), 200);
        assert_eq!(keys_limit(&world, &ada).await, 3);
        assert_eq!(override_limits(&world, &ada, &json!({ "keys_per_project": null })).await.status(), 200);
        assert_eq!(keys_limit(&world, &ada).await, 2);
        world.set_tier(&ada, "pro").await;
        assert_eq!(override_limits(&world, &ada, &json!({ "keys_per_project": 4 })).await.status(), 200);
        world.create(&ada, &fourth).await;
        assert_eq!(override_limits(&world, &ada, &Value::Null).await.status(), 200);
        assert_eq!(keys_limit(&world, &ada).await, 10);
    }

    async fn override_of_the_month_is_in_force_at_once(world: World) {
        let ada = world.sign_in("ada").await;
        let secret = world.generate(&ada).await;
        set_month(&world, &ada, 100_000).await;
        problem(world.ingest(&secret).await, 429, "quota_exceeded").await;
        override_limits(&world, &ada, &json!({ "requests_per_month": 100_001 })).await;
        assert_eq!(world.ingest(&secret).await.status(), 200, "also for the key that is cached");
        flush(&world.services).await.unwrap();
        let refused = problem(world.ingest(&secret).await, 429, "quota_exceeded").await;
        assert!(text(&refused["detail"]).contains("quota of 100,001 live requests"));
        override_limits(&world, &ada, &json!({ "requests_per_month": null })).await;
        let refused = problem(world.ingest(&secret).await, 429, "quota_exceeded").await;
        assert!(text(&refused["detail"]).contains("quota of 100,000 live requests"));
    }

    async fn overrides_are_for_administrators_and_audited(world: World) {
        let ada = world.sign_in("ada").await;
        let eve = world.sign_in("eve").await;
        let path = format!("/v1/organizations/{}", ada.organization);
        let body = json!({ "tier_overrides": { "projects": 500, "telemetry_days": 14 } });
        problem(world.send(Method::PATCH, &path, &ada, &body).await, 403, "forbidden").await;
        problem(world.send(Method::PATCH, &path, &eve, &body).await, 404, "not_found").await;
        for (overrides, field) in [
            (json!({ "projects": 0 }), "tier_overrides.projects"),
            (json!({ "telemetry_bytes": -1 }), "tier_overrides.telemetry_bytes"),
            (json!({ "telemetry_days": 1.5 }), "tier_overrides.telemetry_days"),
            (json!({ "seats": 1 }), "tier_overrides.seats"),
        ] {
            let refused = problem(override_limits(&world, &ada, &overrides).await, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field);
        }
        assert_eq!(override_limits(&world, &ada, &body["tier_overrides"]).await.status(), 200);
        assert_eq!(override_limits(&world, &ada, &body["tier_overrides"]).await.status(), 200);
        let log = world.json(&format!("{path}/audit?action=organization.limits_changed"), &ada.jwt).await;
        let events = log["data"].as_array().unwrap();
        assert_eq!(events.len(), 1, "what changes nothing is no event");
        assert_eq!(events[0]["actor"]["name"], "root");
        assert_eq!(events[0]["changes"], json!({
            "projects": { "before": null, "after": 500 },
            "telemetry_days": { "before": null, "after": 14 },
        }));
    }
}
