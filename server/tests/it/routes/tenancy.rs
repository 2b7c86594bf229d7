//! Another tenant's ids answer 404, whatever the verb; a viewer reads and does not write.

use sea_orm::ConnectionTrait;

use crate::world::{on_both_databases, problem, text};

on_both_databases! {
    async fn another_tenants_ids_answer_404_whatever_the_verb(world: World) {
        let ada = world.sign_in("ada").await;
        let eve = world.sign_in("eve").await;
        let secret = world.generate(&ada).await;
        let key = text(&world.keys(&ada).await[0]["id"]);
        let of_ada = format!("?ApplicationId={}", ada.application);
        for request in [
            world.post(&format!("/apikey{of_ada}")),
            world.get(&format!("/apikey{of_ada}")),
            world.delete(&format!("/apikey/{key}")),
            world.get(&format!("/v1/organizations/{}", ada.organization)),
            world.get(&format!("/v1/organizations/{}/projects", ada.organization)),
            world.get(&format!("/v1/projects/{}", ada.project)),
            world.get(&format!("/v1/projects/{}/applications", ada.project)),
            world.get(&format!("/v1/applications/{}", ada.application)),
            world.get(&format!("/v1/applications/{}/traces", ada.application)),
            world.get(&format!("/v1/applications/{}/logs", ada.application)),
            world.get(&format!("/v1/keys/{key}/usage")),
            world.get(&format!("/v1/inference/keys/{key}/usage")),
            world.get(&format!("/v1/projects/{}/usage", ada.project)),
        ] {
            problem(request.bearer_auth(&eve.jwt).send().await.unwrap(), 404, "not_found").await;
        }
        for (function, field, id) in [
            ("applications/get", "application_id", &ada.application),
            ("applications/list", "project_id", &ada.project),
            ("projects/list", "organization_id", &ada.organization),
            ("keys/list", "application_id", &ada.application),
            ("keys/revoke", "key_id", &key),
            ("traces/list", "application_id", &ada.application),
            ("logs/list", "application_id", &ada.application),
            ("usage/key", "key_id", &key),
            ("usage/project", "project_id", &ada.project),
        ] {
            let mut body = serde_json::json!({ field: id });
            if function.starts_with("usage/") {
                body["range"] = "24h".into();
            }
            let request = world.post(&format!("/api/{function}")).json(&body);
            let own = request.try_clone().unwrap().send().await.unwrap();
            assert_eq!(own.status(), 401, "{function}: {}", own.text().await.unwrap());
            problem(request.bearer_auth(&eve.jwt).send().await.unwrap(), 404, "not_found").await;
        }
        assert_eq!(world.ingest(&secret).await.status(), 200, "the key is as it was");
        assert_eq!(world.json("/v1/organizations", &eve.jwt).await["data"][0]["id"], eve.organization);
    }

    async fn a_viewer_reads_and_cannot_write(world: World) {
        let ada = world.sign_in("ada").await;
        world.generate(&ada).await;
        let key = text(&world.keys(&ada).await[0]["id"]);
        let admin = sea_orm::Database::connect(&world.config.database_url).await.unwrap();
        admin.execute_unprepared("UPDATE memberships SET role = 'viewer'").await.unwrap();
        let path = format!("/apikey?ApplicationId={}", ada.application);
        let create = world.post(&path).bearer_auth(&ada.jwt).send().await.unwrap();
        problem(create, 403, "forbidden").await;
        problem(world.revoke(&ada, &key).await, 403, "forbidden").await;
        assert_eq!(world.keys(&ada).await[0]["status"], "active");
        admin.execute_unprepared("DELETE FROM memberships").await.unwrap();
        problem(world.revoke(&ada, &key).await, 404, "not_found").await;
    }
}
