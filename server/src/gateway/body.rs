//! What a call asks for, as far as the gateway has to know; the rest goes to the upstream as it came.

use serde_json::{Map, Value};

use super::error::Refused;
use super::estimate;

/// What a call may generate when it does not say.
const DEFAULT_COMPLETION: u64 = 1_024;

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Completions,
    Embeddings,
}

impl Endpoint {
    /// Its path under an upstream's base URL.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Completions => "/completions",
            Self::Embeddings => "/embeddings",
        }
    }

    /// The field with the prompt.
    const fn prompt(self) -> &'static str {
        match self {
            Self::Chat => "messages",
            Self::Completions => "prompt",
            Self::Embeddings => "input",
        }
    }
}

/// A call's body, read and found right.
#[derive(Debug, Clone)]
pub(super) struct CallBody {
    pub(super) endpoint: Endpoint,
    pub(super) model: String,
    pub(super) stream: bool,
    /// Whether the client wants to be told the usage at the end of a stream.
    pub(super) wants_usage: bool,
    pub(super) prompt_tokens: u64,
    /// The most tokens of one choice, if the client says so.
    cap: Option<u64>,
    choices: u64,
    fields: Map<String, Value>,
}

impl CallBody {
    /// Reads a body.
    ///
    /// # Errors
    /// 400: it is no JSON object, or a field that the gateway goes by is missing or of the wrong type.
    pub(super) fn parse(endpoint: Endpoint, bytes: &[u8]) -> Result<Self, Refused> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| {
            let message = format!(
                "The body is not valid JSON, at line {}, column {}.",
                error.line(),
                error.column()
            );
            Refused::new(axum::http::StatusCode::BAD_REQUEST, "malformed", message)
        })?;
        let Value::Object(fields) = value else {
            return Err(Refused::invalid("body", "Send a JSON object."));
        };
        let model = match fields.get("model") {
            Some(Value::String(model)) if !model.is_empty() => model.clone(),
            Some(_) => return Err(Refused::invalid("model", "Name a model as a text.")),
            None => return Err(Refused::invalid("model", "Name a model.")),
        };
        let prompt = fields.get(endpoint.prompt());
        let is_list = prompt.is_some_and(Value::is_array);
        match (endpoint, prompt) {
            (Endpoint::Chat, Some(Value::Array(messages))) if !messages.is_empty() => {}
            (Endpoint::Chat, _) => {
                return Err(Refused::invalid("messages", "Send a list of at least one message."));
            }
            (_, Some(Value::String(_))) => {}
            (_, Some(_)) if is_list => {}
            _ => {
                return Err(Refused::invalid(endpoint.prompt(), "Send a text or a list."));
            }
        }
        let prompt_tokens = prompt.map_or(1, estimate::of_prompt)
            + fields.get("tools").map_or(0, |tools| estimate::of_text(&tools.to_string()));
        let stream = endpoint != Endpoint::Embeddings && flag(&fields, "stream")?;
        let wants_usage = match fields.get("stream_options") {
            None | Some(Value::Null) => false,
            Some(Value::Object(options)) => flag(options, "include_usage")?,
            Some(_) => return Err(Refused::invalid("stream_options", "Send an object.")),
        };
        let cap = match count(&fields, "max_completion_tokens")? {
            Some(cap) => Some(cap),
            None => count(&fields, "max_tokens")?,
        };
        let choices = count(&fields, "n")?.unwrap_or(1);
        if choices == 0 || choices > 128 {
            return Err(Refused::invalid("n", "Use a whole number from 1 to 128."));
        }
        Ok(Self { endpoint, model, stream, wants_usage, prompt_tokens, cap, choices, fields })
    }

    /// The most tokens that may come out.
    pub(super) fn completion_tokens(&self) -> u64 {
        match self.endpoint {
            Endpoint::Embeddings => 0,
            _ => self.cap.unwrap_or(DEFAULT_COMPLETION).saturating_mul(self.choices),
        }
    }

    /// The cap of one choice when `granted` tokens were reserved in all.
    pub(super) fn granted_cap(&self, granted: u64) -> u64 {
        granted.saturating_sub(self.prompt_tokens) / self.choices
    }

    /// What goes to the upstream: under its own name for the model, no longer than `cap`, if there is one, and
    /// a stream that tells its usage.
    pub(super) fn for_upstream(mut self, model: &str, cap: Option<u64>) -> Vec<u8> {
        self.fields.insert("model".to_owned(), model.into());
        if let Some(cap) = cap.filter(|_| self.endpoint != Endpoint::Embeddings) {
            let own = "max_completion_tokens";
            let name = if self.fields.contains_key(own) { own } else { "max_tokens" };
            self.fields.insert(name.to_owned(), cap.into());
        }
        if self.stream {
            let options = self.fields.entry("stream_options").or_insert(Value::Null);
            if !options.is_object() {
                *options = Value::Object(Map::new());
            }
            options["include_usage"] = true.into();
        }
        // An object of JSON values always has a JSON form.
        serde_json::to_vec(&self.fields).unwrap_or_default()
    }

    /// A field as it came.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// How many answers are wanted.
    pub(super) const fn choices(&self) -> u64 {
        self.choices
    }
}

fn flag(fields: &Map<String, Value>, name: &str) -> Result<bool, Refused> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Refused::invalid(name, "Use true or false.")),
    }
}

fn count(fields: &Map<String, Value>, name: &str) -> Result<Option<u64>, Refused> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().filter(|count| u32::try_from(*count).is_ok()) {
            Some(count) => Ok(Some(count)),
            None => Err(Refused::invalid(name, "Use a whole number.")),
        },
    }
}
