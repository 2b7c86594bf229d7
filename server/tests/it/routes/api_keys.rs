//! `/apikey`.

use serde_json::{Value, json};

use crate::test_app::{Backend, TestApp, on_both_databases, problem, text};

on_both_databases! {
    async fn a_generated_key_works_until_it_is_revoked_and_never_after(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        assert!(secret.starts_with("lk_live_") && secret.len() == 46, "{secret}");
        for _ in 0..3 {
            assert_eq!(app.ingest(&secret).await.status(), 200);
        }
        let key = text(&app.keys(&ada).await[0]["id"]);
        assert_eq!(app.revoke(&ada, &key).await.status(), 204);
        problem(app.ingest(&secret).await, 401, "revoked_key").await;
        assert_eq!(app.revoke(&ada, &key).await.status(), 204, "again: the same");
        problem(app.ingest(&secret).await, 401, "revoked_key").await;
        let listed = &app.keys(&ada).await[0];
        assert_eq!(listed["status"], "revoked");
        assert!(listed["revoked_at"].is_string());
    }

    async fn the_list_is_masked_and_has_the_documented_shape(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        let listed = app.keys(&ada).await.remove(0);
        let masked = format!("{}...{}", &secret[..12], &secret[42..]);
        assert_eq!(listed["masked"], masked);
        assert_eq!(listed["name"], format!("My application {}{}", &secret[8..12], &secret[42..]));
        assert_eq!(listed["application_id"], ada.application);
        assert_eq!(listed["project_id"], ada.project);
        let fields = [
            "allowed_cidrs", "allowed_models", "application_id", "archived", "archived_at", "budgets", "created_at",
            "created_by", "disabled", "environment", "expires_at", "external_id", "id", "kind", "last_used_at",
            "masked", "max_parallel", "metadata", "name", "permissions", "project_id", "revoked_at", "rpm",
            "scopes", "spend_limit", "spend_limit_period", "status", "tags", "token_limit", "token_limit_period", "tpm",
        ];
        let mut own: Vec<_> = listed.as_object().unwrap().keys().cloned().collect();
        own.sort();
        assert_eq!(own, fields);
    }

    async fn name_and_environment_can_be_chosen(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let path = format!("/apikey?ApplicationId={}", ada.application);
        let body = json!({"name": " Web checkout ", "environment": "test"});
        let response = app.post(&path).bearer_auth(&ada.jwt).json(&body).send().await.unwrap();
        let secret: String = response.json().await.unwrap();
        assert!(secret.starts_with("lk_test_"), "{secret}");
        let listed = &app.keys(&ada).await[0];
        assert_eq!((&listed["name"], &listed["environment"]), (&json!("Web checkout"), &json!("test")));
        let taken = app.post(&path).bearer_auth(&ada.jwt).json(&body).send().await.unwrap();
        let taken = problem(taken, 409, "name_taken").await;
        assert_eq!(taken["detail"], "This project already has a key named “Web checkout”.");
        app.revoke(&ada, &text(&listed["id"])).await;
        let freed = app.post(&path).bearer_auth(&ada.jwt).json(&body).send().await.unwrap();
        assert_eq!(freed.status(), 200, "a revoked key gives its name back");
    }

    async fn active_keys_never_exceed_the_tier(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let path = format!("/apikey?ApplicationId={}", ada.application);
        let creates = (0..64).map(|_| app.post(&path).bearer_auth(&ada.jwt).send());
        let mut made = 0;
        for response in futures::future::join_all(creates).await {
            let response = response.unwrap();
            if response.status() == 200 {
                made += 1;
            } else {
                let refused = problem(response, 409, "tier_limit_reached").await;
                assert!(text(&refused["detail"]).contains("2 of 2 keys on Free"));
            }
        }
        assert_eq!(made, 2);
        assert_eq!(app.keys(&ada).await.len(), 2);
    }

    async fn lists_come_in_pages(app: TestApp) {
        let ada = app.sign_in("ada").await;
        for _ in 0..5 {
            let secret = app.generate(&ada).await;
            let newest = &app.keys(&ada).await[0];
            assert_eq!(newest["masked"], format!("{}...{}", &secret[..12], &secret[42..]));
            app.revoke(&ada, &text(&newest["id"])).await;
        }
        let path = format!("/apikey?ApplicationId={}&limit=2", ada.application);
        let mut cursor = String::new();
        let mut seen = Vec::new();
        for pages_left in [2, 1, 0] {
            let page = app.json(&format!("{path}{cursor}"), &ada.jwt).await;
            seen.extend(page["data"].as_array().unwrap().iter().map(|key| text(&key["id"])));
            match &page["next_cursor"] {
                Value::Null => assert_eq!(pages_left, 0),
                next => cursor = format!("&cursor={}", text(next)),
            }
        }
        assert_eq!(seen.len(), 5);
        assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice");
    }
}

#[tokio::test]
async fn a_wrong_application_id_is_refused_in_words() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let generate = async |query: &str| {
        app.post(&format!("/apikey{query}")).bearer_auth(&ada.jwt).send().await.unwrap()
    };
    let missing = problem(generate("").await, 422, "invalid").await;
    assert_eq!(missing["errors"][0]["field"], "ApplicationId");
    problem(generate("?ApplicationId=").await, 422, "invalid").await;
    for id in ["nonsense", &ada.project, "app_00000000000000000000000000", "%00", "%ff"] {
        let response = generate(&format!("?ApplicationId={id}")).await;
        assert!([400, 404].contains(&response.status().as_u16()), "{id}");
    }
    problem(generate("?ApplicationId=app_00000000000000000000000000").await, 404, "not_found")
        .await;
    for id in ["nonsense", "key_00000000000000000000000000"] {
        problem(app.revoke(&ada, id).await, 404, "not_found").await;
    }
}

#[tokio::test]
async fn anonymous_requests_get_401() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let path = format!("/apikey?ApplicationId={}", ada.application);
    for request in
        [app.post(&path), app.get(&path), app.delete("/apikey/key_x"), app.post("/apikey")]
    {
        problem(request.send().await.unwrap(), 401, "unauthenticated").await;
    }
    assert!(app.keys(&ada).await.is_empty());
}

#[tokio::test]
async fn the_secret_stands_in_one_answer_and_nowhere_else() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let secret = app.generate(&ada).await;
    app.ingest(&secret).await;
    let key = text(&app.keys(&ada).await[0]["id"]);
    app.services.checker.flush_usage().await.unwrap();
    let mut answers = vec![app.keys(&ada).await.iter().map(Value::to_string).collect::<String>()];
    app.revoke(&ada, &key).await;
    answers.push(app.ingest(&secret).await.text().await.unwrap());
    answers.push(
        app.json(&format!("/v1/applications/{}/traces", ada.application), &ada.jwt)
            .await
            .to_string(),
    );
    let body = &secret[8..40];
    assert!(!answers.concat().contains(body));
    // Not in the database's files either.
    for entry in std::fs::read_dir(app.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(body.len()).any(|window| window == body.as_bytes()));
    }
}
