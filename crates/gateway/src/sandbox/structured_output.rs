//! Structured output that a call asks for: a tool call, or content that matches a schema.
//!
//! Client libraries for structured output rely on it. With plain text they would fail for test
//! keys.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::schema;
use crate::body::CallBody;
use crate::endpoint::Endpoint;
use crate::error::GatewayError;

/// The content where only an object is asked for.
const NO_SCHEMA: &str = r#"{"message":"This is the Latchkey sandbox: no model was called."}"#;

/// The requested structure, as JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StructuredOutput {
    Content(String),
    Call { tool: String, arguments: String },
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Format<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    json_schema: Option<JsonSchema<'a>>,
}

#[derive(Deserialize)]
struct JsonSchema<'a> {
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
}

/// The structure that a chat asks for. None: plain text. A tool is called only if the call requires
/// one; whether an optional tool is called would be the model's decision.
///
/// # Errors
/// 400: the required tool does not exist, or no value can be generated for its schema.
pub(super) fn of(body: &CallBody) -> Result<Option<StructuredOutput>, GatewayError> {
    match body.endpoint {
        Endpoint::Chat => {}
        Endpoint::Messages => return of_messages(body),
        Endpoint::Responses => return of_responses(body),
        _ => return Ok(None),
    }
    if let Some(demanded) = body.field("tool_choice").and_then(ToolChoice::by) {
        let tools: Vec<Tool<'_>> = body
            .field("tools")
            .and_then(|tools| serde_json::from_str(tools).ok())
            .unwrap_or_default();
        let mut functions = tools.into_iter().filter_map(|tool| tool.function);
        let chosen = functions.find(|function| demanded.is(&function.name));
        let Some(Function { name, parameters }) = chosen else {
            let message = "The required tool is not in `tools`.";
            return Err(GatewayError::invalid("tool_choice", message));
        };
        let arguments =
            parameters.map_or_else(|| Ok("{}".to_owned()), |schema| value(schema, "tools"))?;
        return Ok(Some(StructuredOutput::Call { tool: name.into_owned(), arguments }));
    }
    let format = body.field("response_format");
    let format: Option<Format<'_>> = format.and_then(|format| serde_json::from_str(format).ok());
    let Some(Format { kind, json_schema }) = format else { return Ok(None) };
    let content = match (&*kind, json_schema.and_then(|one| one.schema)) {
        ("json_schema", Some(schema)) => value(schema, "response_format")?,
        ("json_schema" | "json_object", _) => NO_SCHEMA.to_owned(),
        _ => return Ok(None),
    };
    Ok(Some(StructuredOutput::Content(content)))
}

/// A tool of Anthropic's Messages API.
#[derive(Deserialize)]
struct MessagesTool<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    input_schema: Option<&'a RawValue>,
}

/// The structure that a message asks for.
fn of_messages(body: &CallBody) -> Result<Option<StructuredOutput>, GatewayError> {
    if let Some(demanded) = body.field("tool_choice").and_then(ToolChoice::by_messages) {
        let tools: Vec<MessagesTool<'_>> = body
            .field("tools")
            .and_then(|tools| serde_json::from_str(tools).ok())
            .unwrap_or_default();
        let chosen = tools.into_iter().find(|tool| demanded.is(&tool.name));
        let Some(MessagesTool { name, input_schema }) = chosen else {
            let message = "The required tool is not in `tools`.";
            return Err(GatewayError::invalid("tool_choice", message));
        };
        let arguments =
            input_schema.map_or_else(|| Ok("{}".to_owned()), |schema| value(schema, "tools"))?;
        return Ok(Some(StructuredOutput::Call { tool: name.into_owned(), arguments }));
    }
    let config = body.field("output_config");
    let config: Option<OutputConfig<'_>> = config.and_then(|text| serde_json::from_str(text).ok());
    match config.and_then(|config| config.format) {
        Some(JsonSchema { schema: Some(schema) }) => {
            Ok(Some(StructuredOutput::Content(value(schema, "output_config")?)))
        }
        _ => Ok(None),
    }
}

/// Where Anthropic's Messages API has the format of an answer.
#[derive(Deserialize)]
struct OutputConfig<'a> {
    #[serde(borrow)]
    format: Option<JsonSchema<'a>>,
}

/// A tool of the Responses API. Those without a name are run by the server.
#[derive(Deserialize)]
struct ResponsesTool<'a> {
    #[serde(default)]
    name: Option<String>,
    #[serde(borrow, default)]
    parameters: Option<&'a RawValue>,
}

/// Where the Responses API has the format of an answer.
#[derive(Deserialize)]
struct TextConfig<'a> {
    #[serde(borrow, default)]
    format: Option<TextFormat<'a>>,
}

#[derive(Deserialize)]
struct TextFormat<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    schema: Option<&'a RawValue>,
}

/// The structure that a response asks for.
fn of_responses(body: &CallBody) -> Result<Option<StructuredOutput>, GatewayError> {
    if let Some(demanded) = body.field("tool_choice").and_then(ToolChoice::by_responses) {
        let tools: Vec<ResponsesTool<'_>> = body
            .field("tools")
            .and_then(|tools| serde_json::from_str(tools).ok())
            .unwrap_or_default();
        let mut named = tools.into_iter().filter_map(|tool| Some((tool.name?, tool.parameters)));
        let Some((tool, parameters)) = named.find(|(name, _)| demanded.is(name)) else {
            let message = "The required tool is not in `tools`.";
            return Err(GatewayError::invalid("tool_choice", message));
        };
        let arguments =
            parameters.map_or_else(|| Ok("{}".to_owned()), |schema| value(schema, "tools"))?;
        return Ok(Some(StructuredOutput::Call { tool, arguments }));
    }
    let config = body.field("text");
    let config: Option<TextConfig<'_>> = config.and_then(|text| serde_json::from_str(text).ok());
    let Some(TextFormat { kind, schema }) = config.and_then(|config| config.format) else {
        return Ok(None);
    };
    let content = match (&*kind, schema) {
        ("json_schema", Some(schema)) => value(schema, "text")?,
        ("json_schema" | "json_object", _) => NO_SCHEMA.to_owned(),
        _ => return Ok(None),
    };
    Ok(Some(StructuredOutput::Content(content)))
}

/// The tool that must be called.
enum ToolChoice {
    Any,
    Named(String),
}

impl ToolChoice {
    /// Parses `tool_choice`. None if no tool is required.
    fn by(choice: &str) -> Option<Self> {
        let choice: Value = serde_json::from_str(choice).ok()?;
        if choice == "required" {
            return Some(Self::Any);
        }
        Some(Self::Named(choice["function"]["name"].as_str()?.to_owned()))
    }

    /// The same in Anthropic's form.
    fn by_messages(choice: &str) -> Option<Self> {
        let choice: Value = serde_json::from_str(choice).ok()?;
        match choice["type"].as_str()? {
            "any" => Some(Self::Any),
            "tool" => Some(Self::Named(choice["name"].as_str()?.to_owned())),
            _ => None,
        }
    }

    /// The same in the form of the Responses API.
    fn by_responses(choice: &str) -> Option<Self> {
        let choice: Value = serde_json::from_str(choice).ok()?;
        if choice == "required" {
            return Some(Self::Any);
        }
        Some(Self::Named(choice["name"].as_str()?.to_owned()))
    }

    fn is(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Named(named) => named == name,
        }
    }
}

fn value(schema: &RawValue, field: &str) -> Result<String, GatewayError> {
    let schema = schema.get();
    let parsed =
        (schema.len() <= schema::MAX_SCHEMA_BYTES).then(|| serde_json::from_str(schema).ok());
    let value = parsed.flatten().and_then(|schema: Value| schema::value_of(&schema));
    value.map(|value| value.to_string()).ok_or_else(|| {
        let message = "The sandbox can’t generate a value for this schema. Use a smaller one.";
        GatewayError::invalid(field, message)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(more: &Value) -> Result<Option<StructuredOutput>, GatewayError> {
        let mut body =
            json!({ "model": "sandbox", "messages": [{ "role": "user", "content": "Hi" }] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        of(&CallBody::parse(Endpoint::Chat, body.to_string().into()).unwrap())
    }

    fn tool(name: &str) -> Value {
        let parameters = json!({ "type": "object", "properties": { "a": { "const": name } }, "required": ["a"] });
        json!({ "type": "function", "function": { "name": name, "parameters": parameters } })
    }

    #[test]
    fn required_tool_is_called() {
        let tools = json!([tool("one"), tool("two")]);
        let call = |name: &str| {
            let arguments = format!("{{\"a\":\"{name}\"}}");
            Some(StructuredOutput::Call { tool: name.to_owned(), arguments })
        };
        let with = |choice: Value| parse(&json!({ "tools": tools, "tool_choice": choice }));
        assert_eq!(with(json!("required")).unwrap(), call("one"));
        let named = |name: &str| json!({ "type": "function", "function": { "name": name } });
        assert_eq!(with(named("two")).unwrap(), call("two"));
        assert!(with(named("three")).is_err());
        for choice in [json!("auto"), json!("none"), Value::Null] {
            assert_eq!(with(choice).unwrap(), None);
        }
        assert_eq!(parse(&json!({ "tools": tools })).unwrap(), None);
    }

    #[test]
    fn content_matches_response_format() {
        let format = |format: Value| parse(&json!({ "response_format": format }));
        let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
        let strict = json!({ "type": "json_schema", "json_schema": { "name": "x", "strict": true, "schema": schema } });
        assert_eq!(
            format(strict).unwrap(),
            Some(StructuredOutput::Content("{\"n\":0}".to_owned()))
        );
        assert!(matches!(
            format(json!({ "type": "json_object" })),
            Ok(Some(StructuredOutput::Content(_)))
        ));
        assert_eq!(format(json!({ "type": "text" })).unwrap(), None);
        let endless =
            json!({ "type": "json_schema", "json_schema": { "schema": { "$ref": "#" } } });
        assert!(format(endless).is_err());
    }

    #[test]
    fn responses_ask_for_structure_in_their_own_form() {
        let parse = |more: Value| {
            let mut body = json!({ "model": "sandbox", "input": "Hi" });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            of(&CallBody::parse(Endpoint::Responses, body.to_string().into()).unwrap())
        };
        let schema = json!({
            "type": "object", "properties": { "a": { "const": 7 } }, "required": ["a"],
        });
        let tools = json!([
            { "type": "web_search" }, { "type": "function", "name": "one" },
            { "type": "function", "name": "two", "parameters": schema },
        ]);
        let with = |choice: Value| parse(json!({ "tools": tools, "tool_choice": choice }));
        let call = |tool: &str, arguments: &str| {
            let (tool, arguments) = (tool.to_owned(), arguments.to_owned());
            Some(StructuredOutput::Call { tool, arguments })
        };
        assert_eq!(with(json!("required")).unwrap(), call("one", "{}"));
        let named = |name: &str| json!({ "type": "function", "name": name });
        assert_eq!(with(named("two")).unwrap(), call("two", "{\"a\":7}"));
        assert!(with(named("three")).is_err());
        assert_eq!(with(json!("auto")).unwrap(), None);
        let format = |format: Value| parse(json!({ "text": { "format": format } }));
        let content = Some(StructuredOutput::Content("{\"a\":7}".to_owned()));
        let strict = json!({ "type": "json_schema", "name": "x", "schema": schema });
        assert_eq!(format(strict).unwrap(), content);
        assert!(matches!(format(json!({ "type": "json_object" })), Ok(Some(_))));
        assert_eq!(format(json!({ "type": "text" })).unwrap(), None);
    }

    #[test]
    fn messages_ask_for_structure_in_their_own_form() {
        let parse = |more: Value| {
            let messages = json!([{ "role": "user", "content": "Hi" }]);
            let mut body = json!({ "model": "sandbox", "messages": messages });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            of(&CallBody::parse(Endpoint::Messages, body.to_string().into()).unwrap())
        };
        let schema = json!({
            "type": "object", "properties": { "a": { "const": 7 } }, "required": ["a"],
        });
        let tools = json!([{ "name": "one" }, { "name": "two", "input_schema": schema }]);
        let with = |choice: Value| parse(json!({ "tools": tools, "tool_choice": choice }));
        let call = |tool: &str, arguments: &str| {
            let (tool, arguments) = (tool.to_owned(), arguments.to_owned());
            Some(StructuredOutput::Call { tool, arguments })
        };
        assert_eq!(with(json!({ "type": "any" })).unwrap(), call("one", "{}"));
        let named = |name: &str| json!({ "type": "tool", "name": name });
        assert_eq!(with(named("two")).unwrap(), call("two", "{\"a\":7}"));
        assert!(with(named("three")).is_err());
        assert_eq!(with(json!({ "type": "auto" })).unwrap(), None);
        let format = json!({ "format": { "type": "json_schema", "schema": schema } });
        let content = Some(StructuredOutput::Content("{\"a\":7}".to_owned()));
        assert_eq!(parse(json!({ "output_config": format })).unwrap(), content);
        assert_eq!(parse(json!({ "output_config": { "effort": "low" } })).unwrap(), None);
    }
}
