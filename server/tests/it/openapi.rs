//! `/openapi.json`.

use crate::world::{Backend, World};

#[tokio::test]
async fn openapi_is_served_as_it_is_described() {
    let world = World::on(Backend::Sqlite).await;
    let served: serde_json::Value =
        world.get("/openapi.json").send().await.unwrap().json().await.unwrap();
    assert_eq!(served, serde_json::to_value(latchkey_server::openapi()).unwrap());
    insta::assert_json_snapshot!("openapi", served);
}

/// Every path that the contract names for what is built so far has its description.
#[test]
fn openapi_names_every_endpoint() {
    let document = latchkey_server::openapi();
    let mut endpoints = Vec::new();
    let mut ids = std::collections::HashSet::new();
    for (path, item) in &document.paths.paths {
        let methods = [
            ("GET", &item.get),
            ("POST", &item.post),
            ("DELETE", &item.delete),
            ("PATCH", &item.patch),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                assert!(operation.summary.is_some(), "{method} {path} has no summary");
                assert!(
                    ids.insert(operation.operation_id.clone()),
                    "{method} {path} shares its id"
                );
                endpoints.push(format!("{method} {path}"));
            }
        }
    }
    endpoints.sort();
    insta::assert_snapshot!("endpoints", endpoints.join("\n"));
}
