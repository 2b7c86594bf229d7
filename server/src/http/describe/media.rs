//! Describes the bodies of the gateway's endpoints for rankings, moderations, images and audio.

use latchkey_gateway::{MAX_BODY_BYTES, MAX_FORM_TEXT_BYTES, MAX_LARGE_BODY_BYTES};
use serde_json::{Value, json};
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{KnownFormat, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{ArrayBuilder, Content, ObjectBuilder, OneOfBuilder, RefOr};

const JSON: &str = "application/json";
const FORM: &str = "multipart/form-data";

const AS_IN_OPENAI: &str = "As in OpenAI’s API. Other fields are passed through to the upstream";
/// Names that all servers read alike.
const PART_NAME: &str = r"^[A-Za-z0-9_]{1,64}(\[\])?$";
const EVENTS: &str = "With `stream`: server-sent events as in OpenAI’s API";

pub(super) fn describe(path: &str, operation: &mut Operation) {
    match path {
        "/v1/rerank" => describe_rerank(operation),
        "/v1/moderations" => describe_moderations(operation),
        "/v1/images/generations" => describe_images(operation),
        "/v1/audio/speech" => describe_speech(operation),
        "/v1/audio/transcriptions" | "/v1/audio/translations" => describe_form(path, operation),
        _ => {}
    }
}

fn describe_rerank(operation: &mut Operation) {
    let documents = ArrayBuilder::new()
        .items(anything())
        .min_items(Some(1))
        .description(Some("Texts, or objects as the upstream takes them"));
    let fields = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("As the upstream takes it"))
        .property("model", model())
        .required("model")
        .property("query", text())
        .required("query")
        .property("documents", documents)
        .required("documents");
    let example = json!({
        "model": "sandbox", "query": "Which one is red?", "documents": ["A rose", "The sea"],
    });
    set_body(operation, JSON, fields, example);
}

fn describe_moderations(operation: &mut Operation) {
    let several = ArrayBuilder::new().items(anything()).min_items(Some(1));
    let fields = openai_fields()
        .property("model", optional_model())
        .property("input", OneOfBuilder::new().item(text()).item(several))
        .required("input");
    set_body(operation, JSON, fields, json!({"model": "sandbox", "input": "Say hello."}));
}

fn describe_images(operation: &mut Operation) {
    let count = or_null(Type::Integer).minimum(Some(1)).maximum(Some(128));
    let fields = openai_fields()
        .property("model", optional_model())
        .property("prompt", text())
        .required("prompt")
        .property("n", count.description(Some("Number of images")))
        .property("stream", or_null(Type::Boolean).default(Some(json!(false))));
    set_body(operation, JSON, fields, json!({"model": "sandbox", "prompt": "A rose"}));
    add_answer(operation, "text/event-stream", EVENTS);
}

fn describe_speech(operation: &mut Operation) {
    let stream_format = "`sse` for server-sent events in place of audio";
    let fields = openai_fields()
        .property("model", model())
        .required("model")
        .property("input", text())
        .required("input")
        .property("stream_format", text().description(Some(stream_format)));
    let example = json!({"model": "sandbox", "input": "Hello."});
    set_body(operation, JSON, fields, example);
    if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") {
        answer.content.shift_remove(JSON);
    }
    add_answer(operation, "audio/*", "Audio in the format that was asked for");
    let events = "With `stream_format` of `sse`: server-sent events as in OpenAI’s API";
    add_answer(operation, "text/event-stream", events);
}

fn describe_form(path: &str, operation: &mut Operation) {
    let file = text()
        .min_length(Some(1))
        .max_length(Some(MAX_LARGE_BODY_BYTES))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
    let prompt = text().max_length(Some(MAX_FORM_TEXT_BYTES));
    let names = ObjectBuilder::new().schema_type(Type::String).pattern(Some(PART_NAME));
    let mut fields = openai_fields()
        .property("model", model())
        .required("model")
        .property("file", file.description(Some("The recording, which must not be empty")))
        .required("file")
        .property("prompt", prompt.description(Some("Text in the style of the recording")))
        .property_names(Some(names.build()));
    if path == "/v1/audio/transcriptions" {
        let stream = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(json!(false)));
        fields = fields.property("stream", stream);
        add_answer(operation, "text/event-stream", EVENTS);
    }
    let example = json!({"model": "sandbox", "file": "RIFF"});
    set_body(operation, FORM, fields, example);
    add_answer(operation, "text/*", "A transcript in another format than JSON");
    let malformed = "`malformed` (not a form, or one that servers could read in different ways) or \
                     `invalid`";
    for (status, description) in
        [("400", malformed), ("413", "`too_large`: the body exceeds 32 MiB")]
    {
        if let Some(RefOr::T(refusal)) = operation.responses.responses.get_mut(status) {
            description.clone_into(&mut refusal.description);
        }
    }
}

fn openai_fields() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object).description(Some(AS_IN_OPENAI))
}

fn model() -> ObjectBuilder {
    text().min_length(Some(1)).description(Some("ID of a model from `GET /v1/models`"))
}

fn optional_model() -> ObjectBuilder {
    let description = "ID of a model from `GET /v1/models`. Without it, the first configured model \
                       is meant whose upstream serves this endpoint";
    or_null(Type::String)
        .min_length(Some(1))
        .max_length(Some(MAX_BODY_BYTES))
        .description(Some(description))
}

fn or_null(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([kind, Type::Null]))
}

/// A text that is as long as a body may be.
fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX_BODY_BYTES))
}

fn anything() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue)
}

fn set_body(operation: &mut Operation, kind: &str, fields: ObjectBuilder, example: Value) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    let mut content = Content::new(Some(Schema::from(fields.build())));
    content.example = Some(example);
    body.content.insert(kind.to_owned(), RefOr::T(content));
}

/// Adds a type to the successful answers.
fn add_answer(operation: &mut Operation, kind: &str, description: &str) {
    let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") else { return };
    let schema = anything().description(Some(description));
    let content = Content::new(Some(Schema::from(schema.build())));
    answer.content.insert(kind.to_owned(), RefOr::T(content));
}
