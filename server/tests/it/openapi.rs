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

/// Pages and API are one contract: what the pages call stands in the document, and nothing else
/// does there.
#[test]
fn openapi_describes_every_server_function_and_no_other() {
    let document = latchkey_server::openapi();
    // Langfuse's SDKs send to a path of its own below it.
    let is_ours = |path: &str| path.starts_with("/api/") && !path.starts_with("/api/public/");
    let described = document.paths.paths.iter().filter(|(path, _)| is_ours(path));
    let mut described: Vec<&str> = described
        .map(|(path, item)| {
            let operation = item.post.as_ref().unwrap();
            assert_eq!(operation.tags.as_deref(), Some(&["Dashboard".to_owned()][..]), "{path}");
            assert!(operation.security.is_some(), "{path} says nothing of who may call it");
            path.as_str()
        })
        .collect();
    let mut registered: Vec<&str> = leptos::server_fn::axum::server_fn_paths()
        .map(|(path, method)| {
            assert_eq!(method, "POST", "{path}");
            path
        })
        .collect();
    described.sort_unstable();
    registered.sort_unstable();
    assert!(!registered.is_empty());
    assert_eq!(described, registered);
}

/// A key may stand for any caller, so every call that wants one tells what too many bad ones come
/// to.
#[test]
fn openapi_says_that_bad_keys_are_told_to_wait_wherever_credentials_are_wanted() {
    let document = serde_json::to_value(latchkey_server::openapi()).unwrap();
    let operations = document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path, method, operation))
    });
    let mut wanting = 0;
    for (path, method, operation) in operations {
        let limited = operation["responses"]["429"]["description"].as_str().unwrap_or_default();
        let wanted = operation.get("security").is_some() && path != "/logout";
        assert!(!wanted || limited.contains("`too_many_failures`"), "{method} {path}: {limited}");
        wanting += usize::from(wanted);
    }
    assert!(wanting > 50, "{wanting}");
}

#[test]
fn openapi_refers_only_to_schemas_that_it_has() {
    let document = serde_json::to_value(latchkey_server::openapi()).unwrap();
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.contains(&"#/components/schemas/Page_ListedKey".to_owned()));
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} is not in the document");
    }
}

fn collect_references(value: &serde_json::Value, references: &mut Vec<String>) {
    if let Some(reference) = value.get("$ref").and_then(serde_json::Value::as_str) {
        references.push(reference.to_owned());
    }
    let parts: Vec<&serde_json::Value> = match value {
        serde_json::Value::Object(object) => object.values().collect(),
        serde_json::Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    for part in parts {
        collect_references(part, references);
    }
}
