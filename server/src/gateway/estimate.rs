//! How many tokens a text has, where no upstream says so: four bytes each, rounded up, as OpenAI's rule of
//! thumb for English has it ([What are tokens](https://help.openai.com/en/articles/4936856)). The sandbox
//! counts its own tokens by the same rule, so there the estimate is exact.

use serde_json::Value;

const BYTES_PER_TOKEN: usize = 4;
/// What a message costs beside its text: its role and its ends.
const TOKENS_PER_MESSAGE: u64 = 4;

/// The tokens of a text.
pub(super) fn of_text(text: &str) -> u64 {
    u64::try_from(text.len().div_ceil(BYTES_PER_TOKEN)).unwrap_or(u64::MAX)
}

/// The tokens of a prompt: a text, tokens, a list of either, or messages.
pub(super) fn of_prompt(prompt: &Value) -> u64 {
    match prompt {
        Value::String(text) => of_text(text).max(1),
        // Tokens are numbers; anything else of a list is a prompt of its own.
        Value::Array(parts) => parts.iter().map(of_part).sum::<u64>().max(1),
        _ => 1,
    }
}

fn of_part(part: &Value) -> u64 {
    match part {
        Value::Number(_) => 1,
        Value::Object(message) => {
            let texts: u64 = message.values().map(of_content).sum();
            TOKENS_PER_MESSAGE + texts
        }
        other => of_prompt(other),
    }
}

/// All the texts in a message's content, tool calls included.
fn of_content(content: &Value) -> u64 {
    match content {
        Value::String(text) => of_text(text),
        Value::Array(parts) => parts.iter().map(of_content).sum(),
        Value::Object(fields) => fields.values().map(of_content).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prompts_of_every_form_are_counted() {
        for (prompt, tokens) in [
            (json!("Hi"), 1),
            (json!("12345678"), 2),
            (json!("123456789"), 3),
            (json!([1, 2, 3]), 3),
            (json!(["Hi", "Ho"]), 2),
            (json!([[1, 2], [3]]), 3),
            (json!([]), 1),
            // "user" and "Hi" beside the message's own.
            (json!([{"role": "user", "content": "Hi"}]), 6),
            (json!([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]), 7),
        ] {
            assert_eq!(of_prompt(&prompt), tokens, "{prompt}");
        }
    }
}
