//! Metadata of a key as a form and a page show it: JSON on several lines.

use latchkey_domain::attribute::{InvalidMetadata, Metadata};
use serde::de::IgnoredAny;

/// The object on several lines, its numbers as they were given; `None` if it is empty.
pub fn pretty(metadata: &Metadata) -> Option<String> {
    (!metadata.is_empty()).then(|| indented(metadata.as_str()))
}

fn indented(json: &str) -> String {
    let mut lines = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let mut rest = json.chars().peekable();
    while let Some(c) = rest.next() {
        if in_text {
            lines.push(c);
            in_text = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '{' | '[' => {
                lines.push(c);
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    lines.push(end);
                } else {
                    depth += 1;
                    break_line(&mut lines, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut lines, depth);
                lines.push(c);
            }
            ',' => {
                lines.push(c);
                break_line(&mut lines, depth);
            }
            ':' => lines.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => {
                in_text = c == '"';
                lines.push(c);
            }
        }
    }
    lines
}

fn break_line(lines: &mut String, depth: usize) {
    lines.push('\n');
    lines.extend(std::iter::repeat_n("  ", depth));
}

/// Parses what is written in a form; nothing is the empty object.
///
/// # Errors
/// A sentence that says what is wrong and where.
pub fn read_metadata(text: Option<String>) -> Result<Metadata, String> {
    let Some(text) = text else { return Ok(Metadata::default()) };
    text.parse::<Metadata>().map_err(|error| match error {
        InvalidMetadata::NotObject => r#"Enter an object, such as { "plan": "pro" }."#.to_owned(),
        InvalidMetadata::Syntax => match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(_) => error.to_string(),
            Err(at) => {
                let (line, column) = (at.line(), at.column());
                format!("This isn’t JSON. Look at line {line}, character {column}.")
            }
        },
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Metadata, String> {
        read_metadata(Some(text.to_owned()))
    }

    #[test]
    fn metadata_is_shown_on_lines_with_exact_numbers() {
        let json = r#"{"plan":"pro: {\"a\",\\","n":12345678901234567890.10,"list":[1,{}],"e":[]}"#;
        assert_eq!(
            indented(json),
            "{\n  \"plan\": \"pro: {\\\"a\\\",\\\\\",\n  \"n\": 12345678901234567890.10,\n  \
             \"list\": [\n    1,\n    {}\n  ],\n  \"e\": []\n}"
        );
        assert_eq!(pretty(&Metadata::default()), None);
        let metadata = read(r#"{ "plan": "pro" }"#).unwrap();
        assert_eq!(pretty(&metadata).as_deref(), Some("{\n  \"plan\": \"pro\"\n}"));
    }

    #[test]
    fn an_empty_field_is_the_empty_object() {
        assert_eq!(read_metadata(None), Ok(Metadata::default()));
        assert_eq!(read("{}"), Ok(Metadata::default()));
    }

    #[test]
    fn bad_metadata_says_what_is_wrong() {
        assert_eq!(
            read("{\n  plan: 1}").unwrap_err(),
            "This isn’t JSON. Look at line 2, character 3."
        );
        assert!(read("[1]").unwrap_err().starts_with("Enter an object"));
        assert!(read(&format!("{{\"a\": \"{}\"}}", "x".repeat(8_192))).is_err());
        assert!(read(&format!("{{\"a\": {}{}}}", "[".repeat(8), "]".repeat(8))).is_err());
    }
}
