//! What a call asks for, as far as the gateway has to know; the rest goes to the upstream as it
//! came.

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::error::Refused;
use super::estimate;
use super::fields::{Fields, MOST_FIELDS, Unreadable};

/// What a call may generate when it does not say.
const DEFAULT_COMPLETION: u64 = 1_024;

/// The fields that limit what comes out. Upstreams differ in which they go by.
const CAPS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// The fields that the gateway goes by.
const OURS: [&str; 10] = [
    "model",
    "messages",
    "prompt",
    "input",
    "stream",
    "stream_options",
    CAPS[0],
    CAPS[1],
    "n",
    "best_of",
];

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
    /// The most tokens of one answer, if the client says so.
    cap: Option<u64>,
    choices: u64,
    /// How many are generated, of which the best are the choices.
    generated: u64,
    fields: Fields,
}

impl CallBody {
    /// Reads a body.
    ///
    /// # Errors
    /// 400: it is no JSON object, or a field that the gateway goes by is missing or of the wrong
    /// type.
    pub(super) fn parse(endpoint: Endpoint, bytes: Bytes) -> Result<Self, Refused> {
        let fields = Fields::read(bytes).map_err(|error| unreadable(&error))?;
        let mut prompt_tokens = fields.get("tools").map_or(0, estimate::of_text);
        for (name, value) in fields.iter() {
            check_name(name)?;
            // Whatever is nested too deeply is refused, but only the prompt counts.
            if name == endpoint.prompt() {
                let counted = estimate::of_prompt(value).map_err(|_| too_deep(name))?;
                prompt_tokens = prompt_tokens.saturating_add(counted);
            } else {
                estimate::of_content(value).map_err(|_| too_deep(name))?;
            }
        }
        let model = model(&fields)?;
        check_prompt(&fields, endpoint)?;
        let stream = endpoint != Endpoint::Embeddings && flag(fields.get("stream"), "stream")?;
        let wants_usage = match options(&fields)?.get("include_usage") {
            None => false,
            Some(wants) => flag(Some(&wants.to_string()), "include_usage")?,
        };
        let mut cap = None;
        for name in CAPS {
            // Either may be what the upstream goes by.
            cap = cap.max(count(&fields, name)?);
        }
        let choices = some(&fields, "n")?;
        let generated = choices.max(some(&fields, "best_of")?);
        Ok(Self {
            endpoint,
            model,
            stream,
            wants_usage,
            prompt_tokens,
            cap,
            choices,
            generated,
            fields,
        })
    }

    /// The most tokens that may come out.
    pub(super) fn completion_tokens(&self) -> u64 {
        match self.endpoint {
            Endpoint::Embeddings => 0,
            _ => self.cap.unwrap_or(DEFAULT_COMPLETION).saturating_mul(self.generated),
        }
    }

    /// The cap of one answer when `granted` tokens were reserved in all.
    pub(super) fn granted_cap(&self, granted: u64) -> u64 {
        granted.saturating_sub(self.prompt_tokens) / self.generated
    }

    /// What goes to the upstream: under its own name for the model, no longer than `cap`, if there
    /// is one, and a stream that tells its usage.
    pub(super) fn for_upstream(mut self, model: &str, cap: Option<u64>) -> Bytes {
        if self.model != model {
            self.fields.set("model", Value::from(model).to_string());
        }
        if let Some(cap) = cap.filter(|_| self.endpoint != Endpoint::Embeddings) {
            let mut names: Vec<&str> =
                CAPS.into_iter().filter(|name| self.fields.get(name).is_some()).collect();
            if names.is_empty() {
                names.push("max_tokens");
            }
            for name in names {
                self.fields.set(name, cap.to_string());
            }
        }
        if self.stream && !self.wants_usage {
            // It was an object when it was read.
            let mut options = options(&self.fields).unwrap_or_default();
            options.insert("include_usage".to_owned(), true.into());
            self.fields.set("stream_options", Value::Object(options).to_string());
        }
        self.fields.into_bytes()
    }

    /// A field as JSON; none: it is not there, or null.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// All fields as JSON.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter()
    }

    /// The prompt as JSON.
    pub(super) fn prompt(&self) -> &str {
        self.fields.get(self.endpoint.prompt()).unwrap_or_default()
    }

    /// How many answers are wanted.
    pub(super) const fn choices(&self) -> u64 {
        self.choices
    }
}

fn unreadable(why: &Unreadable) -> Refused {
    let error = match why {
        Unreadable::TooManyFields => {
            let message = format!("The body has too many fields: at most {MOST_FIELDS}.");
            return Refused::new(StatusCode::BAD_REQUEST, "malformed", message);
        }
        Unreadable::Json(error) => error,
    };
    if error.is_data() {
        return Refused::invalid("body", "Send a JSON object.");
    }
    let (line, column) = (error.line(), error.column());
    let message = format!("The body is not valid JSON, at line {line}, column {column}.");
    Refused::new(StatusCode::BAD_REQUEST, "malformed", message)
}

fn too_deep(name: &str) -> Refused {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    let message = format!("`{shown}` is nested too deeply, or holds a number that is too large.");
    Refused::new(StatusCode::BAD_REQUEST, "malformed", message)
}

/// Some upstreams take a field in any case, and would go by a `Model` that the key was not checked
/// for.
fn check_name(name: &str) -> Result<(), Refused> {
    if OURS.contains(&name) {
        return Ok(());
    }
    match OURS.into_iter().find(|ours| folds_to(name, ours)) {
        Some(ours) => Err(Refused::invalid(ours, format!("Write this field as `{ours}`."))),
        None => Ok(()),
    }
}

/// Whether a name is `other`, in whatever case. Nothing is copied: names may be long.
pub(super) fn folds_to(name: &str, other: &str) -> bool {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).eq(other.chars())
}

fn model(fields: &Fields) -> Result<String, Refused> {
    let text = fields.get("model").ok_or_else(|| Refused::invalid("model", "Name a model."))?;
    let model = serde_json::from_str(text).ok().filter(|model: &String| !model.is_empty());
    model.ok_or_else(|| Refused::invalid("model", "Name a model as a text."))
}

fn check_prompt(fields: &Fields, endpoint: Endpoint) -> Result<(), Refused> {
    let text = fields.get(endpoint.prompt()).unwrap_or_default();
    let items = text.strip_prefix('[').map(str::trim_start);
    match endpoint {
        Endpoint::Chat if items.is_some_and(|items| !items.starts_with(']')) => Ok(()),
        Endpoint::Chat => Err(Refused::invalid("messages", "Send a list of at least one message.")),
        _ if items.is_some() || text.starts_with('"') => Ok(()),
        _ => Err(Refused::invalid(endpoint.prompt(), "Send a text or a list.")),
    }
}

/// `stream_options`; none are no options.
fn options(fields: &Fields) -> Result<Map<String, Value>, Refused> {
    let Some(text) = fields.get("stream_options") else { return Ok(Map::new()) };
    serde_json::from_str(text).map_err(|_| Refused::invalid("stream_options", "Send an object."))
}

fn flag(text: Option<&str>, name: &str) -> Result<bool, Refused> {
    match text {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Refused::invalid(name, "Use true or false.")),
    }
}

fn count(fields: &Fields, name: &str) -> Result<Option<u64>, Refused> {
    let Some(text) = fields.get(name) else { return Ok(None) };
    match text.parse::<u32>() {
        Ok(count) => Ok(Some(count.into())),
        Err(_) => Err(Refused::invalid(name, "Use a whole number.")),
    }
}

/// How many, where it is at least one.
fn some(fields: &Fields, name: &str) -> Result<u64, Refused> {
    match count(fields, name)? {
        None => Ok(1),
        Some(count @ 1..=128) => Ok(count),
        Some(_) => Err(Refused::invalid(name, "Use a whole number from 1 to 128.")),
    }
}
