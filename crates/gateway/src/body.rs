//! What a call asks for, as far as the gateway has to know; the rest goes to the upstream as it
//! came.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use latchkey_services::check::{AnswerCap, TokenNeed};

use super::config::Tokenizer;
use super::endpoint::Endpoint;
use super::error::GatewayError;
use super::estimate::{Counter, PromptContext, PromptTokens};
use super::fields::{Field, Fields, FieldsError, MAX_FIELDS};
use super::json_reader::JsonReader;
use super::max_tokens::{MAX_TOKENS_FIELDS, MaxTokens};
use super::upstream_endpoint::UpstreamModel;

/// Fields that no model reads, whatever text they hold.
const UNCOUNTED_FIELDS: [&str; 22] = [
    "model",
    "user",
    "metadata",
    "stop",
    "seed",
    "store",
    "stream_options",
    "logit_bias",
    "encoding_format",
    "modalities",
    "audio",
    "reasoning_effort",
    "verbosity",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "previous_response_id",
    "truncate",
    "truncation",
    "provider",
    "routing",
];

/// The fields that the gateway goes by.
const INTERPRETED_FIELDS: [&str; 11] = [
    "model",
    "messages",
    "prompt",
    "input",
    "stream",
    "stream_options",
    MAX_TOKENS_FIELDS[0],
    MAX_TOKENS_FIELDS[1],
    MAX_TOKENS_FIELDS[2],
    "n",
    "best_of",
];

/// What a chat has after its messages, by the templates of common models.
const CHAT_TEMPLATE_TOKENS: u64 = 3;

/// A call's body, read and found right.
#[derive(Debug, Clone)]
pub(super) struct CallBody {
    pub(super) endpoint: Endpoint,
    pub(super) model: String,
    pub(super) stream: bool,
    /// Whether the client wants to be told the usage at the end of a stream.
    pub(super) wants_usage: bool,
    pub(super) prompt: PromptTokens,
    caps: MaxTokens,
    choices: u64,
    /// How many answers are generated, of which the best are the choices.
    generated: u64,
    fields: Fields,
}

impl CallBody {
    /// Reads a body.
    ///
    /// # Errors
    /// 400: it is no JSON object, or a field that the gateway goes by is missing or of the wrong
    /// type.
    pub(super) fn parse(endpoint: Endpoint, bytes: Bytes) -> Result<Self, GatewayError> {
        let fields = Fields::read(bytes, endpoint.prompt()).map_err(|error| unreadable(&error))?;
        for field in fields.iter() {
            check_name(&field.name)?;
        }
        let mut prompt = PromptTokens::default();
        for field in read_by_models(&fields) {
            prompt += field.tokens;
        }
        let model = model(&fields)?;
        check_prompt(&fields, endpoint)?;
        let stream = endpoint != Endpoint::Embeddings && flag(fields.get("stream"), "stream")?;
        let wants_usage = match options(&fields)?.get("include_usage") {
            None => false,
            Some(wants) => flag(Some(&wants.to_string()), "include_usage")?,
        };
        let caps = MaxTokens::read(&fields)?;
        let choices = some(&fields, "n")?;
        let each = choices.max(some(&fields, "best_of")?);
        let generated = match endpoint {
            Endpoint::Chat => each,
            Endpoint::Completions => each.saturating_mul(prompts(&fields)),
            Endpoint::Embeddings => 0,
        };
        Ok(Self { endpoint, model, stream, wants_usage, prompt, caps, choices, generated, fields })
    }

    /// The tokens of the prompt by the model's own tokenizer; of what can't be counted, the bound.
    /// It takes time that grows with the body.
    fn tokenizer_count(&self, tokenizer: Tokenizer) -> u32 {
        let mut tokens: u64 = 0;
        for field in read_by_models(&self.fields) {
            let counter = Counter { place: field.place, tokenizer: Some(tokenizer) };
            let of_field = counter.count(&mut JsonReader::new(&field.value));
            let of_field = of_field.map_or(field.tokens.bound, |tokens| tokens.estimate);
            tokens = tokens.saturating_add(of_field);
        }
        // What a chat's template ends with, after the messages.
        let template = if self.endpoint == Endpoint::Chat { CHAT_TEMPLATE_TOKENS } else { 0 };
        narrow(tokens.saturating_add(template))
    }

    /// The same, once one of the `turns` is free. A count that was begun keeps its turn, be the
    /// client gone: whoever leaves must not begin the next one beside it.
    pub(super) async fn tokenizer_count_when_permitted(
        &self,
        tokenizer: Tokenizer,
        turns: &Arc<Semaphore>,
    ) -> u32 {
        if Tokenizer::is_quick_for(self.fields.len()) {
            return self.tokenizer_count(tokenizer);
        }
        // It is never closed.
        let turn = Arc::clone(turns).acquire_owned().await;
        let body = self.clone();
        let counted = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            body.tokenizer_count(tokenizer)
        });
        counted.await.unwrap_or_else(|_| narrow(self.prompt.bound))
    }

    /// What the call may cost where one answer of the model has at most so many tokens.
    pub(super) fn need(&self, model_max_tokens: u64) -> TokenNeed {
        let answer = match self.caps.smallest() {
            Some(cap) => AnswerCap::Client(narrow(cap)),
            None => AnswerCap::Model(narrow(model_max_tokens)),
        };
        let PromptTokens { estimate, bound } = self.prompt;
        TokenNeed {
            prompt_estimate: narrow(estimate),
            prompt_bound: narrow(bound),
            answers: narrow(self.generated),
            answer,
        }
    }

    /// The same where the estimate is exact.
    pub(super) fn exact_need(&self, model_max_tokens: u64) -> TokenNeed {
        let need = self.need(model_max_tokens);
        TokenNeed { prompt_bound: need.prompt_estimate, ..need }
    }

    /// What all answers may have together where each may have so many tokens.
    pub(super) const fn of_all_answers(&self, tokens: u64) -> u64 {
        tokens.saturating_mul(self.generated)
    }

    /// Refuses a cap that says nothing, for a key whose tokens are limited.
    pub(super) fn check_caps(&self) -> Result<(), GatewayError> {
        self.caps.check()
    }

    /// What goes to the upstream: under its own name for the model, with answers no longer than
    /// `reserved` tokens, if that is limited, and a stream that tells its usage.
    pub(super) fn for_upstream(mut self, target: &UpstreamModel, reserved: Option<u64>) -> Bytes {
        if self.model != target.name {
            self.fields.set("model", Value::from(target.name.as_str()).to_string());
        }
        if self.endpoint != Endpoint::Embeddings {
            self.caps.apply(
                &mut self.fields,
                target.upstream.cap_field,
                target.max_output_tokens,
                reserved,
            );
        }
        if self.stream && !self.wants_usage {
            // It was an object when it was read.
            let mut options = options(&self.fields).unwrap_or_default();
            options.insert("include_usage".to_owned(), true.into());
            self.fields.set("stream_options", Value::Object(options).to_string());
        }
        self.fields.into_bytes()
    }

    /// Whether the client wants vectors as base64.
    pub(super) fn wants_base64(&self) -> bool {
        self.endpoint == Endpoint::Embeddings && self.field("encoding_format") == Some("\"base64\"")
    }

    /// A field as JSON; none: it is not there, or null.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.name.as_str())
    }

    /// The prompt as JSON.
    pub(super) fn prompt_json(&self) -> &str {
        self.fields.get(self.endpoint.prompt()).unwrap_or_default()
    }

    /// How many answers are wanted.
    pub(super) const fn choices(&self) -> u64 {
        self.choices
    }
}

/// The fields that a model may read. Numbers beside the prompt are none.
fn read_by_models(fields: &Fields) -> impl Iterator<Item = &Field> {
    fields.iter().filter(|field| {
        let is_read = || matches!(*field.value, [b'"' | b'[' | b'{', ..]);
        field.place == PromptContext::Prompt
            || is_read() && !UNCOUNTED_FIELDS.contains(&field.name.as_str())
    })
}

/// No body holds as many tokens, or asks for as many.
fn narrow(tokens: u64) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

fn unreadable(why: &FieldsError) -> GatewayError {
    let error = match why {
        FieldsError::TooManyFields => {
            let message = format!("The body has more than {MAX_FIELDS} fields.");
            return GatewayError::new(StatusCode::BAD_REQUEST, "malformed", message);
        }
        FieldsError::Value(name) => return unfit(name),
        FieldsError::Json(error) => error,
    };
    if error.is_data() {
        return GatewayError::invalid("body", "Send a JSON object.");
    }
    let (line, column) = (error.line(), error.column());
    let message = format!("The body is not valid JSON at line {line}, column {column}.");
    GatewayError::new(StatusCode::BAD_REQUEST, "malformed", message)
}

fn unfit(name: &str) -> GatewayError {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    let message = format!(
        "`{shown}` is nested too deeply, or contains a number that is too large or an unpaired \
         surrogate."
    );
    GatewayError::new(StatusCode::BAD_REQUEST, "malformed", message)
}

/// Some upstreams take a field in any case, and would go by a `Model` that the key was not checked
/// for.
fn check_name(name: &str) -> Result<(), GatewayError> {
    if INTERPRETED_FIELDS.contains(&name) {
        return Ok(());
    }
    match INTERPRETED_FIELDS.into_iter().find(|ours| folds_to(name, ours)) {
        Some(ours) => Err(GatewayError::invalid(ours, format!("Spell this field `{ours}`."))),
        None => Ok(()),
    }
}

/// Whether a name is `other`, in whatever case. Nothing is copied: names may be long.
pub(super) fn folds_to(name: &str, other: &str) -> bool {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).eq(other.chars())
}

fn model(fields: &Fields) -> Result<String, GatewayError> {
    let text =
        fields.get("model").ok_or_else(|| GatewayError::invalid("model", "Specify a model."))?;
    let model = serde_json::from_str(text).ok().filter(|model: &String| !model.is_empty());
    model.ok_or_else(|| GatewayError::invalid("model", "The model must be a non-empty string."))
}

fn check_prompt(fields: &Fields, endpoint: Endpoint) -> Result<(), GatewayError> {
    let json = fields.bytes(endpoint.prompt());
    let items = json.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    match endpoint {
        Endpoint::Chat if items.is_some_and(|items| !items.starts_with(b"]")) => Ok(()),
        Endpoint::Chat => {
            Err(GatewayError::invalid("messages", "Send a list of at least one message."))
        }
        _ if items.is_some() || json.starts_with(b"\"") => Ok(()),
        _ => Err(GatewayError::invalid(endpoint.prompt(), "Send a string or a list.")),
    }
}

/// `stream_options`; none are no options.
fn options(fields: &Fields) -> Result<Map<String, Value>, GatewayError> {
    let Some(text) = fields.get("stream_options") else { return Ok(Map::new()) };
    serde_json::from_str(text)
        .map_err(|_| GatewayError::invalid("stream_options", "Send an object."))
}

fn flag(text: Option<&str>, name: &str) -> Result<bool, GatewayError> {
    match text {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(GatewayError::invalid(name, "Use true or false.")),
    }
}

/// How many, where it is at least one.
fn some(fields: &Fields, name: &str) -> Result<u64, GatewayError> {
    match fields.get(name).map(str::parse::<u32>) {
        None => Ok(1),
        Some(Ok(count @ 1..=128)) => Ok(count.into()),
        Some(_) => Err(GatewayError::invalid(name, "Use a whole number from 1 to 128.")),
    }
}

/// How many prompts a completion has: a list of tokens is one.
fn prompts(fields: &Fields) -> u64 {
    let list = fields.get("prompt").filter(|prompt| prompt.starts_with('['));
    let list: Option<Vec<&RawValue>> = list.and_then(|list| serde_json::from_str(list).ok());
    let Some(list) = list else { return 1 };
    let is_prompt = |part: &&&RawValue| part.get().starts_with(['"', '[']);
    u64::try_from(list.iter().filter(is_prompt).count()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_count_that_was_begun_keeps_its_turn() {
        let messages = json!([{ "role": "user", "content": "0123456789 ".repeat(200_000) }]);
        let body = json!({ "model": "m", "messages": messages }).to_string();
        let body = CallBody::parse(Endpoint::Chat, body.into()).unwrap();
        let turns = Arc::new(Semaphore::new(1));
        let mut count = Box::pin(body.tokenizer_count_when_permitted(Tokenizer::O200kBase, &turns));
        assert!(futures::poll!(&mut count).is_pending());
        // The client leaves.
        drop(count);
        assert_eq!(turns.available_permits(), 0, "the count goes on");
        let free = tokio::time::timeout(std::time::Duration::from_mins(1), turns.acquire());
        assert!(free.await.is_ok(), "it ends");
    }
}
