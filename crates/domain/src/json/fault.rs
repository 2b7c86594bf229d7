//! Turns serde's errors into messages for the client.

use crate::problem::{ErrorCode, Problem};

/// The response for a body that is not valid JSON.
pub(super) fn malformed(error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    let what = if error.is_eof() { "ends unexpectedly" } else { "is not valid JSON" };
    Problem::new(ErrorCode::Malformed, format!("The body {what} at {place}."))
}

/// An error in a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No field has this path.
    Unknown { field: String, name: String },
    /// The field at this path is required.
    Missing { field: String, name: String },
    /// The value of the field at this path is wrong.
    Wrong { field: String, message: String },
}

impl Fault {
    pub(super) fn of(path: &str, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
        let name = text.split('`').nth(1).unwrap_or_default().to_owned();
        let within = |name: &str| match path {
            "." => name.to_owned(),
            path if path.ends_with(name) => path.to_owned(),
            path => format!("{path}.{name}"),
        };
        if text.starts_with("unknown field") {
            return Self::Unknown { field: within(&name), name };
        }
        if text.starts_with("missing field") {
            return Self::Missing { field: within(&name), name };
        }
        let field = if path == "." { "body" } else { path }.to_owned();
        Self::Wrong { field, message: expectation(text) }
    }

    /// The field and its message.
    pub(super) fn into_parts(self) -> (String, String) {
        match self {
            Self::Unknown { field, .. } => (field, "Unknown field.".to_owned()),
            Self::Missing { field, .. } => (field, "This field is required.".to_owned()),
            Self::Wrong { field, message } => (field, message),
        }
    }
}

/// The expectation in serde's message. The value found, which comes before it, is not repeated.
fn expectation(text: &str) -> String {
    match text {
        "recursion limit exceeded" => return "The value is nested too deeply.".to_owned(),
        "number out of range" => return "The number is too large.".to_owned(),
        _ => {}
    }
    let names_the_value = ["invalid type", "invalid value", "invalid length", "unknown variant"];
    if !names_the_value.iter().any(|start| text.starts_with(start)) {
        return text.to_owned();
    }
    let expected =
        text.rsplit_once(", expected ").map_or("a different value", |(_, expected)| expected);
    let expected = match expected {
        "u16" | "u32" | "u64" => "a whole number from 0",
        "i16" | "i32" | "i64" => "a whole number",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a map" => "an object",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    format!("Expected {}.", expected.replace('`', "\""))
}
