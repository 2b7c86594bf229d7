//! Describes the bodies of the gateway's endpoints.

use latchkey_gateway::{MAX_BODY_BYTES, MAX_LARGE_BODY_BYTES};
use serde_json::json;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::{ArrayBuilder, Content, ObjectBuilder, OneOfBuilder, RefOr};

const JSON: &str = "application/json";

/// The bodies of calls that are passed on are the upstream's own, but for what the gateway reads.
pub(super) fn describe(path: &str, operation: &mut Operation) {
    let (field, schema, example) = match path {
        "/v1/chat/completions" | "/v1/messages" | "/v1/messages/count_tokens" => {
            ("messages", messages(), json!([{"role": "user", "content": "Say hello."}]))
        }
        "/v1/completions" => ("prompt", texts(), json!("Say hello.")),
        "/v1/embeddings" => ("input", texts(), json!("Say hello.")),
        "/v1/responses" | "/v1/responses/compact" | "/v1/responses/input_tokens" => {
            ("input", input(), json!("Say hello."))
        }
        "/v1/responses/{id}" if operation.operation_id.as_deref() == Some("get_response") => {
            return add_stream("/v1/responses", operation);
        }
        _ => return,
    };
    let model = text().min_length(Some(1));
    let of_api = match path {
        "/v1/messages" | "/v1/messages/count_tokens" => {
            "As in Anthropic’s API. Other fields are passed through to the upstream"
        }
        _ => "As in OpenAI’s API. Other fields are passed through to the upstream",
    };
    let mut fields = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(of_api))
        .property("model", model.description(Some("ID of a model from `GET /v1/models`")))
        .required("model")
        .property(field, schema);
    // A response may continue another one without new input.
    if !path.starts_with("/v1/responses") {
        fields = fields.required(field);
    }
    let is_plain = matches!(
        path,
        "/v1/embeddings"
            | "/v1/messages/count_tokens"
            | "/v1/responses/compact"
            | "/v1/responses/input_tokens"
    );
    if path.starts_with("/v1/responses") {
        let id = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .max_length(Some(1_024));
        fields = fields.property("previous_response_id", id);
    }
    if !is_plain {
        let or_null =
            |kind| ObjectBuilder::new().schema_type(SchemaType::from_iter([kind, Type::Null]));
        let cap = || or_null(Type::Integer).minimum(Some(1)).maximum(Some(u32::MAX));
        let stream = or_null(Type::Boolean).default(Some(json!(false)));
        fields = fields.property(
            "stream",
            stream.description(Some("Whether to stream the response as server-sent events")),
        );
        fields = match path {
            "/v1/responses" => fields
                .property("background", or_null(Type::Boolean).default(Some(json!(false))))
                .property("max_output_tokens", cap())
                .property("store", or_null(Type::Boolean).default(Some(json!(true)))),
            "/v1/messages" => fields.property("max_tokens", cap()),
            _ => fields.property("max_tokens", cap()).property("max_completion_tokens", cap()),
        };
        add_stream(path, operation);
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        let mut content = Content::new(Some(Schema::from(fields.build())));
        let mut example = json!({"model": "sandbox", field: example});
        if path == "/v1/messages" {
            example["max_tokens"] = json!(1_024);
        }
        content.example = Some(example);
        body.content.insert(JSON.to_owned(), RefOr::T(content));
    }
}

/// What a chat is made of.
fn messages() -> Schema {
    let message = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("role", text())
        .required("role")
        .property("content", ObjectBuilder::new().schema_type(SchemaType::AnyValue));
    ArrayBuilder::new().items(message).min_items(Some(1)).build().into()
}

/// A text, or a list of items.
fn input() -> Schema {
    let item = ObjectBuilder::new().schema_type(Type::Object);
    let text = text().max_length(Some(MAX_LARGE_BODY_BYTES));
    OneOfBuilder::new().item(text).item(ArrayBuilder::new().items(item)).build().into()
}

/// A text, or several.
fn texts() -> Schema {
    let several = ArrayBuilder::new().items(text()).min_items(Some(1));
    OneOfBuilder::new().item(text()).item(several).build().into()
}

/// A text that is as long as a body may be.
fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX_BODY_BYTES))
}

/// The answer to a call with `stream`.
fn add_stream(path: &str, operation: &mut Operation) {
    let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") else { return };
    let description = match path {
        "/v1/messages" => {
            "With `stream`: server-sent events as in Anthropic’s API. The last one is `message_stop`"
        }
        "/v1/responses" => {
            "With `stream`: server-sent events as in OpenAI’s API. The last one is \
             `response.completed`, `response.incomplete` or `response.failed`"
        }
        _ => "With `stream`: server-sent events with one chunk each. The last event is `[DONE]`",
    };
    // Some readers hold it against each event, others against all of them as one text.
    let events =
        ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(description));
    let content = Content::new(Some(Schema::from(events.build())));
    answer.content.insert("text/event-stream".to_owned(), RefOr::T(content));
}
