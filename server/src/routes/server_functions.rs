//! The pages' server functions under `/api/…`, described as API.
//!
//! Leptos serves them, and `server_function!` in `app/src/api` says what each takes and returns.

use latchkey_app::api::{BodySchema, ServerFunction, server_functions};
use latchkey_domain::problem::ErrorCode;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Components, Content, OpenApi, Ref, RefOr, Required, Response};

use crate::http::described::Named;

/// Adds every server function to the document. Returns every schema that one of them refers to.
pub(crate) fn describe(document: &mut OpenApi) -> Vec<Named> {
    let mut schemas = Vec::new();
    for function in server_functions() {
        (function.arguments.components)(&mut schemas);
        (function.response.components)(&mut schemas);
        add(document, function);
    }
    schemas
}

const JSON: &str = "application/json";

fn add(document: &mut OpenApi, function: &ServerFunction) {
    let components = document.components.get_or_insert_with(Components::new);
    let arguments = RequestBody::builder()
        .content(JSON, Content::new(Some(schema(function.arguments, components))))
        .required(Some(Required::True))
        .build();
    let answer = Response::builder()
        .description("Success")
        .content(JSON, Content::new(only_field(schema(function.response, components))))
        .build();
    let id = function.path.trim_start_matches("/api/").replace('/', "_");
    let mut operation = Operation::builder()
        .tag("Dashboard")
        .summary(Some(function.summary))
        .operation_id(Some(format!("dashboard_{id}")))
        .request_body(Some(arguments))
        .response("200", answer)
        .security(SecurityRequirement::new::<_, [&str; 0], &str>("user", []))
        .build();
    add_refusals(&mut operation, function.refuses);
    document.paths.add_path_operation(function.path, vec![HttpMethod::Post], operation);
}

/// One response for each status, which lists its codes. The first three may come from every
/// function.
fn add_refusals(operation: &mut Operation, more: &[ErrorCode]) {
    let common = [ErrorCode::Malformed, ErrorCode::Unauthenticated, ErrorCode::Invalid];
    for code in common.iter().chain(more) {
        let name = serde_json::to_value(code).unwrap_or_default();
        let name = format!("`{}`", name.as_str().unwrap_or_default());
        let response = operation.responses.responses.entry(code.status().to_string());
        let RefOr::T(response) = response.or_insert_with(|| RefOr::T(refusal())) else { continue };
        if !response.description.is_empty() {
            response.description.push_str(", ");
        }
        response.description.push_str(&name);
    }
}

fn refusal() -> Response {
    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
    Response::builder().content(JSON, problem).build()
}

/// The schema of a body. The types that it refers to become components.
fn schema(body: BodySchema, components: &mut Components) -> RefOr<Schema> {
    let mut parts = Vec::new();
    (body.components)(&mut parts);
    components.schemas.extend(parts);
    (body.schema)()
}

fn only_field(schema: RefOr<Schema>) -> Option<RefOr<Schema>> {
    let RefOr::T(Schema::Object(mut object)) = schema else { return None };
    object.properties.pop_first().map(|(_, field)| field)
}
