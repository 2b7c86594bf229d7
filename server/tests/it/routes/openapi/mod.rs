//! `/openapi.json`.

mod limits;

use crate::test_app::{Backend, TestApp};

#[tokio::test]
async fn openapi_is_served_as_it_is_described() {
    let app = TestApp::on(Backend::Sqlite).await;
    let served: serde_json::Value =
        app.get("/openapi.json").send().await.unwrap().json().await.unwrap();
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

/// Readers scan a list of operations by what each does.
#[test]
fn openapi_summaries_start_with_a_verb_in_the_imperative() {
    let verbs = "Accept Archive Cancel Check Complete Create Decline Delete End Export Get Import \
                 Invite List Refresh Remove Revoke Rotate Send Sign Simulate Start Unarchive Update \
                 Verify Withdraw";
    for document in [latchkey_server::openapi(), latchkey_server::dashboard_openapi()] {
        for (path, item) in &document.paths.paths {
            let operations = [&item.get, &item.post, &item.delete, &item.patch];
            for operation in operations.into_iter().flatten() {
                let summary = operation.summary.as_deref().unwrap_or_default();
                let first = summary.split(' ').next().unwrap_or_default();
                assert!(verbs.split(' ').any(|verb| verb == first), "{path}: {summary}");
            }
        }
    }
}

/// What the pages call stands in a document of its own, and nothing else does there.
#[test]
fn openapi_describes_every_server_function_and_no_other() {
    let document = latchkey_server::dashboard_openapi();
    let described = document.paths.paths.iter().filter(|(path, _)| path.starts_with("/api/"));
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
    assert_eq!(described.len(), document.paths.paths.len());
    let api = latchkey_server::openapi();
    // Langfuse's SDKs send to a path of their own below it.
    let is_of_pages = |path: &str| path.starts_with("/api/") && !path.starts_with("/api/public/");
    assert!(!api.paths.paths.keys().any(|path| is_of_pages(path)));
}

/// A key may stand for any caller, so every call that wants one tells what too many bad ones come
/// to.
#[test]
fn openapi_documents_429_wherever_credentials_are_required() {
    let document = serde_json::to_value(latchkey_server::openapi()).unwrap();
    let operations = document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path, method, operation))
    });
    let mut wanting = 0;
    for (path, method, operation) in operations {
        let limited = operation["responses"]["429"]["description"].as_str().unwrap_or_default();
        let accepted = operation["security"].as_array().unwrap();
        // Proxies ask for many clients, who are not held up together.
        let is_check = path.starts_with("/v1/check/");
        let wanted = !accepted.is_empty() && path != "/logout" && !is_check;
        assert!(!wanted || limited.contains("`too_many_failures`"), "{method} {path}: {limited}");
        wanting += usize::from(wanted);
    }
    assert!(wanting > 40, "{wanting}");
}

#[test]
fn openapi_refers_only_to_schemas_that_it_has() {
    for (document, page) in [
        (latchkey_server::openapi(), "#/components/schemas/Page_ApiKey"),
        (latchkey_server::dashboard_openapi(), "#/components/schemas/Page_ListedKey"),
    ] {
        let document = serde_json::to_value(document).unwrap();
        let mut references = Vec::new();
        collect_references(&document, &mut references);
        assert!(references.contains(&page.to_owned()));
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} is not in the document");
        }
    }
}

fn document() -> serde_json::Value {
    serde_json::to_value(latchkey_server::openapi()).unwrap()
}

/// What a generated client reads the answer as: one object, of which an unknown key has two
/// members.
#[test]
fn openapi_has_the_answer_of_verify_as_one_object() {
    let document = document();
    let answer = &document["components"]["schemas"]["VerifyAnswer"];
    assert_eq!(answer["type"], "object");
    assert_eq!(answer["required"], serde_json::json!(["valid", "code"]));
    let members = answer["properties"].as_object().unwrap();
    for member in [
        "detail",
        "key_id",
        "retry_after_seconds",
        "ratelimit",
        "tokens",
        "budget",
        "budgets",
        "limit",
        "scopes",
        "external_id",
        "metadata",
        "tags",
    ] {
        assert!(members.contains_key(member), "{member}");
    }
    assert_eq!(members["name"]["type"], "string");
}

#[test]
fn openapi_names_things_as_they_are_on_the_wire() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let actions = schemas["AuditAction"]["enum"].as_array().unwrap();
    assert!(actions.contains(&"key.created".into()), "{actions:?}");
    assert!(actions.iter().all(|action| action.as_str().unwrap().contains('.')));
    let renewed = &document["paths"]["/refresh"]["post"]["responses"]["200"];
    let renewed = &renewed["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(renewed, "#/components/schemas/SessionTokens");
    assert_eq!(schemas["SessionTokens"]["type"], "object");
    assert_eq!(schemas["Tokens"]["type"], "integer");
}

#[test]
fn openapi_refers_to_the_rows_of_lists() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let pages = schemas.iter().filter(|(name, _)| name.starts_with("Page_"));
    for (name, page) in pages {
        let row = name.trim_start_matches("Page_");
        let reference = &page["properties"]["data"]["items"]["$ref"];
        assert_eq!(reference, &format!("#/components/schemas/{row}"));
    }
}

/// What is refused as null is not described as such.
#[test]
fn openapi_describes_no_null_that_is_refused() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    for (patch, fields) in [
        ("KeyPatch", &["name"][..]),
        ("OrganizationPatch", &["name", "tier"]),
        ("ProjectPatch", &["name", "key_prefix"]),
        ("ApplicationPatch", &["name", "description", "environment"]),
    ] {
        for field in fields {
            let schema = schemas[patch]["properties"][field].to_string();
            assert!(!schema.contains("null\""), "{patch}.{field}: {schema}");
        }
    }
    assert!(schemas["KeyPatch"]["properties"]["rpm"].to_string().contains("null\""));
    for path in ["/v1/keys/{keyId}/rotate", "/apikey", "/refresh"] {
        let body = &document["paths"][path]["post"]["requestBody"];
        assert_ne!(body["required"], true, "{path}");
        assert!(!body["content"].to_string().contains("null\""), "{path}: {body}");
    }
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let parameters = operation["parameters"].to_string();
            assert!(!parameters.contains("null\""), "{parameters}");
        }
    }
}

#[test]
fn openapi_describes_servers_headers_and_streams() {
    let document = document();
    assert_eq!(document["servers"][0]["url"], "/");
    let paths = &document["paths"];
    assert_eq!(paths["/healthz"]["get"]["security"], serde_json::json!([]));
    let chat = &paths["/v1/chat/completions"]["post"];
    let answers = &chat["responses"]["200"]["content"];
    assert!(
        answers.get("application/json").is_some() && answers.get("text/event-stream").is_some()
    );
    let fields = &chat["requestBody"]["content"]["application/json"]["schema"]["required"];
    assert_eq!(fields, &serde_json::json!(["model", "messages"]));
    let limited = &chat["responses"]["429"]["headers"];
    for header in ["Retry-After", "x-request-id", "x-ratelimit-remaining-tokens"] {
        assert!(limited.get(header).is_some(), "{header}");
    }
    let verify = &paths["/v1/keys/verify"]["post"]["responses"];
    assert!(verify["403"]["headers"].get("WWW-Authenticate").is_some());
    let key = paths["/v1/projects/{projectId}/keys"]["post"]["parameters"].as_array().unwrap();
    let key = key.iter().find(|one| one["name"] == "Idempotency-Key").unwrap();
    assert_eq!(key["schema"]["maxLength"], 255);
}

/// A client is generated for one shape of refusals.
#[test]
fn openapi_has_one_shape_of_refusals_for_each_operation() {
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            let refusals = responses.iter().filter(|(status, _)| status.as_str() >= "4");
            let refusals = refusals.filter_map(|(_, answer)| answer.get("content"));
            let shapes: std::collections::HashSet<_> = refusals.map(ToString::to_string).collect();
            assert!(shapes.len() == 1 || path == "/readyz", "{method} {path}: {shapes:?}");
        }
    }
}

#[test]
fn openapi_has_the_credentials_that_its_operations_take() {
    let schemes = |document| {
        let document = serde_json::to_value(document).unwrap();
        let schemes = document["components"]["securitySchemes"].as_object().unwrap();
        schemes.keys().cloned().collect::<Vec<_>>()
    };
    let all = ["basic_key", "bearer_key", "key", "service_key", "user"];
    assert_eq!(schemes(latchkey_server::openapi()), all);
    assert_eq!(schemes(latchkey_server::dashboard_openapi()), ["user"]);
}

#[test]
fn openapi_says_how_to_get_an_access_token() {
    let document = document();
    let schemes = &document["components"]["securitySchemes"];
    let description = schemes["user"]["description"].as_str().unwrap();
    assert!(description.contains("`POST /refresh`"), "{description}");
    assert!(document["paths"]["/refresh"]["post"].is_object());
}

/// A description that names an operation names its path as the document does.
#[test]
fn openapi_schemas_name_paths_that_exist() {
    let document = document();
    let mut named = 0;
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let description = schema["description"].as_str().unwrap_or_default();
        let Some((_, rest)) = description.split_once("Body of `") else { continue };
        let (operation, _) = rest.split_once('`').unwrap();
        let (method, path) = operation.split_once(' ').unwrap();
        let found = &document["paths"][path][method.to_lowercase()];
        assert!(found.is_object(), "{name}: {operation}");
        named += 1;
    }
    assert!(named > 5, "{named}");
}

/// What is refused is not described as fitting, so that a client can check before it calls.
#[test]
fn openapi_describes_the_limits_of_what_is_sent() {
    let document = document();
    assert_eq!(document["info"]["license"]["identifier"], "Apache-2.0 OR MIT");
    let schemas = &document["components"]["schemas"];
    for text in ["Name", "Description", "QueryText", "GithubLogin", "KeyPrefix"] {
        assert!(schemas[text]["pattern"].is_string(), "{text}");
    }
    for list in ["AllowList_Cidr", "AllowList_ModelName", "AllowList_ServicePermission"] {
        assert_eq!(
            (&schemas[list]["minItems"], &schemas[list]["maxItems"]),
            (&1.into(), &100.into())
        );
    }
    assert_eq!(schemas["AllowList_Cidr"]["items"]["format"], "cidr");
    assert_eq!(schemas["VerifyRequest"]["properties"]["ip"]["format"], "ip");
    let overrides = &schemas["TierOverridesPatch"]["properties"];
    assert_eq!(overrides["projects"]["maximum"], 1_000_000_000);
    let chat = &document["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"];
    let chat = &chat["application/json"]["schema"]["properties"];
    assert_eq!(chat["stream"]["type"], serde_json::json!(["boolean", "null"]));
    assert_eq!(chat["messages"]["items"]["required"], serde_json::json!(["role"]));
    let packing = &document["paths"]["/v1/traces"]["post"]["parameters"][0];
    assert_eq!(packing["schema"]["enum"], serde_json::json!(["gzip", "deflate", "zstd"]));
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
