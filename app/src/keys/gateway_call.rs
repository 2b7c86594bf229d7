//! Example programs that call a model through the gateway: a shell command, and OpenAI's own
//! clients with only `base_url` and `api_key` set. They run as copied. They read the key from
//! `LATCHKEY_KEY` and never contain it.

use latchkey_domain::api::ApiKey;

use latchkey_ui::snippets::{Language, Snippet};

/// The model that every server has.
const SANDBOX: &str = "sandbox";

/// The programs for a key, one for each tab. They name the first model that it may use.
pub fn call_gateway(origin: &str, key: &ApiKey) -> Vec<Snippet> {
    let models = key.allowed_models.as_ref();
    let model = models.and_then(|models| models.as_slice().first());
    let model = model.map_or(SANDBOX, |model| model.as_str());
    let program = |language, text: &str| {
        let code = text.trim().replace("ORIGIN", origin).replace("MODEL", &quoted(model));
        Snippet { language, code }
    };
    vec![
        program(Language::Curl, CURL),
        program(Language::Python, PYTHON),
        program(Language::Node, NODE),
    ]
}

/// A text as JSON, Python and JavaScript write it alike, safe within a shell's single quotes.
fn quoted(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap_or_default();
    json.replace('\'', "\\u0027")
}

const CURL: &str = r#"
curl ORIGIN/v1/chat/completions \
  -H "authorization: Bearer $LATCHKEY_KEY" \
  -H "content-type: application/json" \
  -d '{"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}'
"#;

const PYTHON: &str = r#"
# pip install openai
import os
from openai import OpenAI

client = OpenAI(
    base_url="ORIGIN/v1",
    api_key=os.environ["LATCHKEY_KEY"],
)
answer = client.chat.completions.create(
    model=MODEL,
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)
"#;

const NODE: &str = r#"
// npm install openai
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: "ORIGIN/v1",
  apiKey: process.env.LATCHKEY_KEY,
});
const answer = await client.chat.completions.create({
  model: MODEL,
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.choices[0].message.content);
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::sample;

    const ORIGIN: &str = "http://127.0.0.1:3000";

    fn key(models: &serde_json::Value) -> ApiKey {
        sample::key(&serde_json::json!({ "allowed_models": models }))
    }

    #[test]
    fn every_program_asks_a_model_that_the_key_may_use() {
        for (models, model) in [
            (serde_json::json!(null), "\"sandbox\""),
            (serde_json::json!(["bge-m3", "qwen3.6-27b"]), "\"bge-m3\""),
            (serde_json::json!(["it's \"new\""]), "\"it\\u0027s \\\"new\\\"\""),
        ] {
            for Snippet { code, .. } in call_gateway(ORIGIN, &key(&models)) {
                assert!(code.contains(&format!("{ORIGIN}/v1")), "{code}");
                assert!(code.contains(model), "{code}");
                assert!(code.contains("LATCHKEY_KEY"), "{code}");
                assert!(!code.contains("ORIGIN") && !code.contains("MODEL"), "{code}");
            }
        }
    }

    #[test]
    fn what_the_shell_sends_is_json() {
        let code = &call_gateway(ORIGIN, &key(&serde_json::json!(["a'b"])))[0].code;
        let body: serde_json::Value =
            serde_json::from_str(code.split('\'').nth(1).unwrap()).unwrap();
        assert_eq!(body["model"], "a'b");
    }
}
