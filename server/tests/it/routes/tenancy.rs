//! Another tenant's ids answer 404, whatever the verb; a viewer reads and does not write.

use sea_orm::ConnectionTrait;

use crate::test_app::{on_both_databases, problem, text};

on_both_databases! {
    async fn foreign_ids_answer_404_for_every_method(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        let secret = app.generate(&ada).await;
        let key = text(&app.keys(&ada).await[0]["id"]);
        let of_ada = format!("?ApplicationId={}", ada.application);
        for request in [
            app.post(&format!("/apikey{of_ada}")),
            app.get(&format!("/apikey{of_ada}")),
            app.delete(&format!("/apikey/{key}")),
            app.get(&format!("/v1/organizations/{}", ada.organization)),
            app.get(&format!("/v1/organizations/{}/projects", ada.organization)),
            app.get(&format!("/v1/projects/{}", ada.project)),
            app.get(&format!("/v1/projects/{}/applications", ada.project)),
            app.get(&format!("/v1/applications/{}", ada.application)),
            app.get(&format!("/v1/applications/{}/traces", ada.application)),
            app.get(&format!("/v1/applications/{}/logs", ada.application)),
            app.get(&format!("/v1/keys/{key}/usage")),
            app.get(&format!("/v1/inference/keys/{key}/usage")),
            app.get(&format!("/v1/projects/{}/usage", ada.project)),
            app.get(&format!("/v1/projects/{}/budget-events", ada.project)),
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
            let request = app.post(&format!("/api/{function}")).json(&body);
            let own = request.try_clone().unwrap().send().await.unwrap();
            assert_eq!(own.status(), 401, "{function}: {}", own.text().await.unwrap());
            problem(request.bearer_auth(&eve.jwt).send().await.unwrap(), 404, "not_found").await;
        }
        assert_eq!(app.ingest(&secret).await.status(), 200, "the key is as it was");
        assert_eq!(app.json("/v1/organizations", &eve.jwt).await["data"][0]["id"], eve.organization);
    }

    async fn a_viewer_reads_and_cannot_write(app: TestApp) {
        let ada = app.sign_in("ada").await;
        app.generate(&ada).await;
        let key = text(&app.keys(&ada).await[0]["id"]);
        let admin = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
        admin.execute_unprepared("UPDATE memberships SET role = 'viewer'").await.unwrap();
        let path = format!("/apikey?ApplicationId={}", ada.application);
        let create = app.post(&path).bearer_auth(&ada.jwt).send().await.unwrap();
        problem(create, 403, "forbidden").await;
        problem(app.revoke(&ada, &key).await, 403, "forbidden").await;
        assert_eq!(app.keys(&ada).await[0]["status"], "active");
        admin.execute_unprepared("DELETE FROM memberships").await.unwrap();
        problem(app.revoke(&ada, &key).await, 404, "not_found").await;
    }
}
