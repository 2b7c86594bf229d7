//! Why a JSON body can't be taken, in words.

use serde_json::error::Category;

use crate::problem::{ErrorCode, Problem};

/// The refusal of a body that serde could not read. `path` is where in the body it stopped, `.` for
/// the whole. 400 for what is no JSON, 422 for a field that is missing, unknown or mistyped.
///
/// What was sent is never repeated: it may be a secret in the wrong place.
pub fn refusal(path: &str, error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    if error.classify() != Category::Data {
        let what = if error.is_eof() { "ends too early" } else { "is not valid JSON" };
        return Problem::new(ErrorCode::Malformed, format!("The body {what}, at {place}."));
    }
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    let quoted = |text: &str| text.split('`').nth(1).unwrap_or_default().to_owned();
    let within = |name: &str| match path {
        "." => name.to_owned(),
        path if path.ends_with(name) => path.to_owned(),
        path => format!("{path}.{name}"),
    };
    if text.starts_with("unknown field") {
        let field = within(&quoted(text));
        return Problem::invalid(field, "There is no such field.");
    }
    if text.starts_with("missing field") {
        return Problem::invalid(within(&quoted(text)), "This field is required.");
    }
    let field = if path == "." { "body" } else { path };
    Problem::invalid(field, expectation(text))
}

/// serde's messages name what was found and then what was expected; only the latter is passed on.
fn expectation(text: &str) -> String {
    let names_the_value = ["invalid type", "invalid value", "invalid length", "unknown variant"];
    if !names_the_value.iter().any(|start| text.starts_with(start)) {
        return text.to_owned();
    }
    let expected =
        text.rsplit_once(", expected ").map_or("something else", |(_, expected)| expected);
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
