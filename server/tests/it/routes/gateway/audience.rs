//! Who may use an upstream.

use serde_json::{Value, json};

use super::{Gateway, asks, refused};
use crate::test_app::{Backend, Session, on_both_databases};

async fn models(gateway: &Gateway, key: &str) -> Vec<String> {
    let answer = gateway.app.get("/v1/models").bearer_auth(key).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let models = answer["data"].as_array().unwrap().iter();
    models.map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}

async fn key(gateway: &Gateway, who: &Session, body: Value) -> String {
    super::inference_key(&gateway.app, who, body).await.0
}

on_both_databases! {
    async fn free_reaches_the_sandbox_alone_where_anybody_may_sign_up(app: TestApp) {
        let on_sqlite = app.config.database_url.starts_with("sqlite");
        let backend = if on_sqlite { Backend::Sqlite } else { Backend::Postgres };
        let gateway = Gateway::on(backend).await;
        let eve = gateway.app.sign_in("eve").await;
        let key = key(&gateway, &eve, json!({ "name": "k" })).await;
        assert_eq!(models(&gateway, &key).await, ["sandbox"]);
        refused(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await, 404, "model_not_found").await;
        assert_eq!(gateway.chat(&key, &asks("sandbox", "a")).await.status(), 200);
        assert!(gateway.upstream.seen().is_empty());
        // At once, on whatever was known of the key.
        gateway.app.set_tier(&eve, "pro").await;
        assert_eq!(models(&gateway, &key).await, ["bge-m3", "qwen3.6-27b", "gone"]);
        assert_eq!(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await.status(), 200);
        refused(gateway.chat(&key, &asks("sandbox", "a")).await, 404, "model_not_found").await;
        gateway.app.set_tier(&eve, "free").await;
        refused(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await, 404, "model_not_found").await;
        assert_eq!(gateway.upstream.seen().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn test_keys_of_every_tier_try_every_model() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let eve = gateway.app.sign_in("eve").await;
    let key = key(&gateway, &eve, json!({ "name": "k", "environment": "test" })).await;
    assert_eq!(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await.status(), 200);
    assert!(gateway.upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_people_are_invited_every_tier_is_served() {
    let gateway = Gateway::with(
        Backend::Sqlite,
        "",
        &["--latchkey-signup=invited", "--latchkey-admins=ada,root"],
    );
    let gateway = gateway.await;
    gateway.app.set_tier(&gateway.ada, "free").await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    assert_eq!(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_serves_the_tiers_and_organizations_it_names() {
    let one = "organizations = [\"org_01h455vb4pex5vsknk084sn02q\"]";
    let gateway = Gateway::with(Backend::Sqlite, &format!("tiers = [\"free\"]\n{one}"), &[]).await;
    let eve = gateway.app.sign_in("eve").await;
    let free = key(&gateway, &eve, json!({ "name": "k" })).await;
    assert_eq!(models(&gateway, &free).await, ["bge-m3", "qwen3.6-27b"]);
    assert_eq!(gateway.chat(&free, &asks("qwen3.6-27b", "a")).await.status(), 200);
    let (enterprise, _) = gateway.key(json!({ "name": "k" })).await;
    assert_eq!(models(&gateway, &enterprise).await, ["gone"]);
    refused(gateway.chat(&enterprise, &asks("bge-m3", "a")).await, 404, "model_not_found").await;
}
