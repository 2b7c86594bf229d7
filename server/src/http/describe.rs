//! Completes the API's description, which the handlers' own put together: what is the same for
//! every operation, and what the derives can't say.

mod gateway;
mod media;

use latchkey_domain::limit::{AllowList, ModelName, Tokens};
use latchkey_domain::login::GithubLogin;
use latchkey_services::import::ImportSecret;
use serde_json::{Value, json};
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{ArrayItems, Schema, SchemaType, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::server::Server;
use utoipa::openapi::{
    Components, Content, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Required, Response,
};

const JSON: &str = "application/json";
/// What a client may say of an API's version: a date.
const LONGEST_VERSION: usize = 100;
const PROBLEM: &str = "application/problem+json";

/// Completes a description: refusals have their own media type, where a caller must say who they
/// are a limit may be met, and every operation may meet a refusal that it does not name, such as
/// 413, 415 or 503.
pub(crate) fn complete(document: &mut OpenApi) {
    document.servers = Some(vec![Server::new("/")]);
    if let Some(components) = &mut document.components {
        refer_to_rows(components);
        limit_lists(components);
        limit_amounts(components);
    }
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            complete_operation(path, operation);
            add_headers(path, operation, method);
            gateway::describe(path, operation);
            media::describe(path, operation);
        }
    }
    drop_unused_schemes(document);
}

/// Leaves out the credentials that no operation of this document takes.
fn drop_unused_schemes(document: &mut OpenApi) {
    let mut schemes = Vec::new();
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            // A requirement shows its names in its JSON alone.
            schemes.push(serde_json::to_value(&operation.security).unwrap_or_default());
        }
    }
    let is_used = |name: &str| {
        let accepted = schemes.iter().filter_map(Value::as_array).flatten();
        accepted.filter_map(Value::as_object).any(|requirement| requirement.contains_key(name))
    };
    if let Some(components) = &mut document.components {
        components.security_schemes.retain(|name, _| is_used(name));
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let named = [("get", get), ("put", put), ("post", post), ("delete", delete), ("patch", patch)];
    named.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The derive writes the rows of a generic page out in place.
fn refer_to_rows(components: &mut Components) {
    let pages: Vec<String> =
        components.schemas.keys().filter(|name| name.starts_with("Page_")).cloned().collect();
    for page in pages {
        let row = page.trim_start_matches("Page_").to_owned();
        let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(&page) else {
            continue;
        };
        let data = object.properties.get_mut("data");
        let Some(RefOr::T(Schema::Array(rows))) = data else { continue };
        let reference = Box::new(RefOr::Ref(Ref::from_schema_name(&row)));
        let written_out = std::mem::replace(&mut rows.items, ArrayItems::RefOrSchema(reference));
        if let ArrayItems::RefOrSchema(written_out) = written_out {
            components.schemas.entry(row).or_insert(*written_out);
        }
    }
}

/// What a generic list can't say of itself in the derive.
fn limit_lists(components: &mut Components) {
    for (name, schema) in &mut components.schemas {
        if name.starts_with("AllowList_")
            && let RefOr::T(Schema::Array(list)) = schema
        {
            list.min_items = Some(1);
            list.max_items = Some(AllowList::<()>::MAX);
        }
    }
}

/// What an amount of a budget can be, which the derive of an untagged enum can't say: at most the
/// largest limit.
fn limit_amounts(components: &mut Components) {
    let Some(RefOr::T(Schema::OneOf(amount))) = components.schemas.get_mut("BudgetAmount") else {
        return;
    };
    for form in &mut amount.items {
        if let RefOr::T(Schema::Object(count)) = form
            && count.schema_type == SchemaType::Type(Type::Integer)
        {
            let limited = ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(0))
                .maximum(Some(Tokens::MAX))
                .description(count.description.clone());
            *form = limited.into();
        }
    }
}

fn complete_operation(path: &str, operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(Response { content, .. }) = response else { continue };
        if content.get(JSON).is_some_and(is_problem)
            && let Some(problem) = content.shift_remove(JSON)
        {
            content.insert(PROBLEM.to_owned(), problem);
        }
    }
    let named = needs_credentials(operation);
    let responses = &mut operation.responses.responses;
    let shape = responses.get("401").and_then(content).unwrap_or_else(problem);
    if named {
        let limited = || refusal(LIMITED, shape.clone());
        responses.entry("429".to_owned()).or_insert_with(limited);
    }
    let other = refusal("Any other error, e.g. `too_large` or `unavailable`", shape.clone());
    responses.insert("default".to_owned(), other);
    // Where nothing is said a reader takes what holds for the whole document.
    operation.security.get_or_insert_with(Vec::new);
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter {
            complete_parameter(path, parameter);
        }
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        complete_body(body);
    }
}

/// A media type and what it has.
type ProblemContent = (String, RefOr<Content>);

/// What refuses everywhere but at the gateway.
fn problem() -> ProblemContent {
    let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
    (PROBLEM.to_owned(), RefOr::T(problem))
}

/// What an answer has: an operation's refusals all have the same.
fn content(response: &RefOr<Response>) -> Option<ProblemContent> {
    let RefOr::T(response) = response else { return None };
    response.content.first().map(|(kind, content)| (kind.clone(), content.clone()))
}

fn refusal(description: &str, (kind, content): ProblemContent) -> RefOr<Response> {
    let mut response = Response::new(description);
    response.content.insert(kind, content);
    RefOr::T(response)
}

/// What every call that may come with a service key can be answered.
const LIMITED: &str = "`too_many_failures` in place of `unknown_key`, after 60 unknown or \
                       malformed keys per minute from one IP address; or `rate_limited`, by the \
                       service key’s own limit or by the writes per minute of the caller. See \
                       `Retry-After`";

/// Whether a caller must say who they are. An empty requirement means that they need not.
fn needs_credentials(operation: &Operation) -> bool {
    let accepted = operation.security.as_deref().unwrap_or_default();
    !accepted.is_empty() && accepted.iter().all(|one| *one != SecurityRequirement::default())
}

fn is_problem(content: &RefOr<Content>) -> bool {
    let RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) = content else { return false };
    schema.ref_location.ends_with("/Problem")
}

/// What may be left out is not null when it is there: a query has no null, nor has a header.
fn complete_parameter(path: &str, parameter: &mut Parameter) {
    if let Some(schema) = &mut parameter.schema {
        without_null(schema);
    }
    match parameter.name.as_str() {
        "Idempotency-Key" => {
            let description = "Makes retries safe: within 24 hours, repeating the request with the \
                               same idempotency key and body has no effect";
            parameter.description = Some(description.to_owned());
            let schema = ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(255))
                .pattern(Some("^[!-~]+$"));
            parameter.schema = Some(schema.into());
        }
        "limit" if path == "/v1/models" || path == "/v1/responses/{id}/input_items" => {
            if let Some(RefOr::T(Schema::Object(limit))) = &mut parameter.schema {
                limit.default = Some(json!(20));
            }
        }
        "limit" => {
            if let Some(RefOr::T(Schema::Object(limit))) = &mut parameter.schema {
                limit.default = Some(json!(50));
            }
        }
        "cursor" => {
            parameter.schema = Some(
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .max_length(Some(200))
                    .pattern(Some("^[0-9A-Za-z._:-]*$"))
                    .into(),
            );
        }
        "x-import-secret" => limit_text(parameter, ImportSecret::MAX_BYTES),
        "login" => limit_text(parameter, GithubLogin::LONGEST),
        "id" if path == "/v1/models/{id}" => limit_text(parameter, ModelName::MAX_CHARACTERS),
        "after_id" | "before_id" => limit_text(parameter, ModelName::MAX_CHARACTERS),
        "anthropic-version" => limit_text(parameter, LONGEST_VERSION),
        _ => {}
    }
}

fn limit_text(parameter: &mut Parameter, longest: usize) {
    if let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema {
        schema.max_length = Some(longest);
    }
}

/// A body that may be left out is not null when it is there.
fn complete_body(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        let Some(schema) = &mut content.schema else { continue };
        if without_null(schema) {
            body.required = Some(Required::False);
        }
        if let RefOr::Ref(named) = schema {
            content.example = example(named.ref_location.rsplit('/').next().unwrap_or_default());
        }
    }
}

/// Takes null out of what a schema allows. Whether it was there.
fn without_null(schema: &mut RefOr<Schema>) -> bool {
    let other = match schema {
        RefOr::T(Schema::OneOf(one_of)) => {
            let others = |one: &&RefOr<Schema>| !is_null(one);
            let mut others = one_of.items.iter().filter(others).cloned();
            match (others.next(), others.next()) {
                (Some(only), None) if one_of.items.len() > 1 => only,
                _ => return false,
            }
        }
        RefOr::T(Schema::Object(object)) => {
            let SchemaType::Array(types) = &mut object.schema_type else { return false };
            let before = types.len();
            types.retain(|one| *one != Type::Null);
            let had = types.len() < before;
            if let [only] = types.as_slice() {
                object.schema_type = SchemaType::Type(only.clone());
            }
            return had;
        }
        _ => return false,
    };
    *schema = other;
    true
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    let RefOr::T(Schema::Object(object)) = schema else { return false };
    object.schema_type == SchemaType::Type(Type::Null)
}

/// An example body for the schema.
fn example(schema: &str) -> Option<serde_json::Value> {
    Some(match schema {
        "KeyRequest" => json!({"name": "Web checkout", "environment": "live", "rpm": 600}),
        "InferenceKeyRequest" => json!({
            "name": "Support bot", "tpm": 100_000,
            "spend_limit": "5", "spend_limit_period": "day",
            "budgets": [{"unit": "tokens", "limit": 5_000_000, "period": "month"}],
        }),
        "KeyPatch" => json!({"name": "Web checkout", "rpm": null}),
        "RotateRequest" => json!({"grace_seconds": 86_400}),
        "VerifyRequest" => {
            json!({"key": "lk_live_000000000000000000000000000000004cjNQE", "cost": 1})
        }
        "ProjectPatch" => json!({
            "max_parallel": 50,
            "budgets": [{"unit": "usd", "limit": "200", "period": "month"}],
            "key_defaults": {"budgets": [{"unit": "usd", "limit": "5", "period": "day"}]},
        }),
        "OrganizationPatch" => json!({
            "budgets": [{"unit": "usd", "limit": "1000", "period": "month"}],
        }),
        "ProjectRequest" => json!({"name": "Shop", "key_prefix": "shop"}),
        "ApplicationRequest" => json!({"name": "Checkout", "environment": "production"}),
        "MemberRequest" => json!({"login": "octocat", "role": "member"}),
        _ => return None,
    })
}

/// The headers that answers have.
fn add_headers(path: &str, operation: &mut Operation, method: &str) {
    let accepted = operation.security.as_deref().unwrap_or_default();
    let takes = |scheme: &str| {
        let requirement = SecurityRequirement::new::<_, [&str; 0], &str>(scheme, []);
        accepted.contains(&requirement)
    };
    let is_of_key = takes("key") || takes("bearer_key");
    // A view of the key acquires nothing and has the limits in its body.
    let is_counted = is_of_key && path != "/v1/key";
    let is_of_service_key = takes("service_key");
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let mut add = |name: &str, kind: Type, description: &str| {
            let mut header = Header::default();
            header.schema = Some(ObjectBuilder::new().schema_type(kind).into());
            header.description = Some(description.to_owned());
            response.headers.entry(name.to_owned()).or_insert(RefOr::T(header));
        };
        add("x-request-id", Type::String, "ID of the request in the server’s log");
        match status.as_str() {
            "401" => add(
                "WWW-Authenticate",
                Type::String,
                "Authentication schemes that the endpoint accepts",
            ),
            "403" if is_of_service_key => add(
                "WWW-Authenticate",
                Type::String,
                "If a service key lacks a permission: `insufficient_scope` and the permission as \
                 `scope`",
            ),
            "405" => add("Allow", Type::String, "Methods that the path supports"),
            "429" | "503" => {
                add(
                    "Retry-After",
                    Type::Integer,
                    "Seconds to wait before retrying. Absent if waiting does not help",
                );
            }
            "200" if method == "get" && !is_of_key => {
                add(
                    "ETag",
                    Type::String,
                    "Tag of a response over 1 kB. Send it back as `If-None-Match`",
                );
            }
            _ => {}
        }
        if is_counted && matches!(status.as_str(), "200" | "429") {
            for of in ["requests", "tokens"] {
                let limit = "Maximum in any 60 seconds. Absent if the key has no such limit";
                add(&format!("x-ratelimit-limit-{of}"), Type::Integer, limit);
                add(
                    &format!("x-ratelimit-remaining-{of}"),
                    Type::Integer,
                    "Amount left in the current window",
                );
                let reset = "Time until the full limit is available again, in decimal seconds with \
                             the suffix `s`, as in OpenAI’s API";
                add(&format!("x-ratelimit-reset-{of}"), Type::String, reset);
            }
        }
    }
}
