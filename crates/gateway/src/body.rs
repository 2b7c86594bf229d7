//! Parsing of request bodies, and the body that is sent upstream. Only the fields that the gateway
//! interprets are parsed; all others are forwarded unchanged.

mod background;
mod media_body;

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use latchkey_checker::{AnswerCap, TokenEstimate};

use super::config::Tokenizer;
use super::endpoint::Endpoint;
use super::error::GatewayError;
use super::estimate::{Counter, PromptContext, PromptTokens};
use super::fields::{Field, Fields, FieldsError, MAX_FIELDS};
use super::json_reader::JsonReader;
use super::max_tokens::{MAX_TOKENS_FIELDS, MaxTokens};
use super::media::form::Form;
use super::media::request_fields as media_fields;
use super::request_headers::PassedHeaders;
use super::thinking::{ThinkingBudget, least_answer};
use super::upstream_endpoint::UpstreamModel;

/// Fields that do not reach the model, so their text is not counted as prompt.
const UNCOUNTED_FIELDS: [&str; 25] = [
    "model",
    "user",
    "metadata",
    "stop",
    "stop_sequences",
    "thinking",
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
    "include",
];

/// Fields that the gateway interprets.
const INTERPRETED_FIELDS: [&str; 14] = [
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
    "store",
    "background",
    "previous_response_id",
];

/// Tokens that common chat templates add after the last message.
const CHAT_TEMPLATE_TOKENS: u64 = 3;

/// A parsed and validated request body.
#[derive(Debug, Clone)]
pub(super) struct CallBody {
    pub(super) endpoint: Endpoint,
    /// Empty while it is not known which model is meant by a body that names none.
    pub(super) model: String,
    pub(super) stream: bool,
    /// Whether the upstream makes the response in the background.
    pub(super) background: bool,
    /// Whether the client asked for usage at the end of the stream.
    pub(super) wants_usage: bool,
    pub(super) prompt: PromptTokens,
    caps: MaxTokens,
    thinking: Option<ThinkingBudget>,
    /// Headers that go along.
    pub(super) headers: PassedHeaders,
    choices: u64,
    /// Number of completions that are generated; with `best_of` more than `choices`.
    generated: u64,
    fields: Fields,
    /// The form, if the endpoint takes one. Its texts are the fields.
    form: Option<Form>,
}

impl CallBody {
    /// Parses a body.
    ///
    /// # Errors
    /// 400: not a JSON object, or an interpreted field is missing or has the wrong type.
    pub(super) fn parse(endpoint: Endpoint, bytes: Bytes) -> Result<Self, GatewayError> {
        let fields = Fields::read(bytes, endpoint.prompt()).map_err(|error| unreadable(&error))?;
        Self::of_fields(endpoint, fields)
    }

    fn of_fields(endpoint: Endpoint, fields: Fields) -> Result<Self, GatewayError> {
        for field in fields.iter() {
            check_name(&field.name, endpoint)?;
        }
        let mut prompt = PromptTokens::default();
        for field in model_visible_fields(&fields, endpoint) {
            prompt += field.tokens;
        }
        let model = model(&fields, endpoint)?;
        if endpoint.is_media() {
            return Self::of_media(endpoint, model, prompt, fields);
        }
        check_prompt(&fields, endpoint)?;
        let stream = endpoint.streams() && parse_bool(fields.get("stream"), "stream")?;
        let wants_usage = match stream_options(&fields)?.get("include_usage") {
            None => false,
            Some(wants) => parse_bool(Some(&wants.to_string()), "include_usage")?,
        };
        let background = Self::read_background(&fields, endpoint)?;
        let caps = MaxTokens::read(&fields, endpoint)?;
        let thinking = ThinkingBudget::read(&fields, endpoint);
        let choices = positive_count(&fields, "n")?;
        let each = choices.max(positive_count(&fields, "best_of")?);
        let generated = match endpoint {
            Endpoint::Chat => each,
            Endpoint::Completions => each.saturating_mul(prompt_count(&fields)),
            Endpoint::Responses | Endpoint::CompactResponse | Endpoint::Messages => 1,
            _ => 0,
        };
        Ok(Self {
            endpoint,
            model,
            stream,
            background,
            wants_usage,
            prompt,
            caps,
            thinking,
            headers: PassedHeaders::default(),
            choices,
            generated,
            fields,
            form: None,
        })
    }

    /// Counts the prompt with the model's tokenizer. A field that cannot be tokenized counts with
    /// its upper bound. Takes time linear in the body.
    fn tokenizer_count(&self, tokenizer: Tokenizer) -> u32 {
        let mut tokens: u64 = 0;
        for field in model_visible_fields(&self.fields, self.endpoint) {
            let counter = Counter { place: field.place, tokenizer: Some(tokenizer) };
            let of_field = counter.count(&mut JsonReader::new(&field.value));
            let of_field = of_field.map_or(field.tokens.bound, |tokens| tokens.estimate);
            tokens = tokens.saturating_add(of_field);
        }
        // The end of a chat template, after the messages.
        let template = if self.endpoint == Endpoint::Chat { CHAT_TEMPLATE_TOKENS } else { 0 };
        saturating_u32(tokens.saturating_add(template))
    }

    /// Counts like [`Self::tokenizer_count`] as soon as `permits` allows. A count that has started
    /// keeps its permit even if the client disconnects; otherwise clients that disconnect could
    /// start any number of counts.
    pub(super) async fn tokenizer_count_when_permitted(
        &self,
        tokenizer: Tokenizer,
        permits: &Arc<Semaphore>,
    ) -> u32 {
        if Tokenizer::is_quick_for(self.fields.len()) {
            return self.tokenizer_count(tokenizer);
        }
        // The semaphore is never closed.
        let permit = Arc::clone(permits).acquire_owned().await;
        let body = self.clone();
        let counted = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            body.tokenizer_count(tokenizer)
        });
        counted.await.unwrap_or_else(|_| saturating_u32(self.prompt.bound))
    }

    /// What the call may cost if one completion has at most `model_max_tokens` tokens.
    pub(super) fn estimate(&self, model_max_tokens: u64) -> TokenEstimate {
        let answer = match self.caps.smallest() {
            Some(cap) => AnswerCap::Client(saturating_u32(cap)),
            None => AnswerCap::Model(saturating_u32(model_max_tokens)),
        };
        let PromptTokens { estimate, bound } = self.prompt;
        let least_answer = if self.thinking.is_some() { least_answer(answer.tokens()) } else { 1 };
        TokenEstimate {
            prompt_estimate: saturating_u32(estimate),
            prompt_bound: saturating_u32(bound),
            answers: saturating_u32(self.generated),
            least_answer: saturating_u32(least_answer),
            answer,
        }
    }

    /// Whether `left` tokens would be enough for the call, if it did not have to think.
    pub(super) fn lacks_only_thinking(&self, left: u64) -> bool {
        self.thinking.is_some() && self.prompt.estimate.saturating_add(self.generated) <= left
    }

    /// Like [`Self::estimate`], for a backend whose prompt estimate is exact.
    pub(super) fn exact_estimate(&self, model_max_tokens: u64) -> TokenEstimate {
        let estimate = self.estimate(model_max_tokens);
        TokenEstimate { prompt_bound: estimate.prompt_estimate, ..estimate }
    }

    /// Tokens of all completions together, if each may have `tokens`.
    pub(super) const fn total_output_tokens(&self, tokens: u64) -> u64 {
        tokens.saturating_mul(self.generated)
    }

    /// Rejects a cap that is not a number of tokens. Only called for keys with token limits.
    pub(super) fn check_caps(&self) -> Result<(), GatewayError> {
        self.caps.check()
    }

    /// The body for the upstream: with the upstream's name of the model, `include_usage` for
    /// streams, and a cap of `reserved` tokens if there is one.
    pub(super) fn for_upstream(mut self, target: &UpstreamModel, reserved: Option<u64>) -> Bytes {
        if let Some(form) = self.form.take() {
            let is_renamed = self.model != target.name;
            return form.into_bytes(is_renamed.then_some(target.name.as_str()));
        }
        if self.model != target.name || self.fields.get("model").is_none() {
            self.fields.set("model", Value::from(target.name.as_str()).to_string());
        }
        if self.endpoint.is_capped() {
            self.caps.apply(
                &mut self.fields,
                self.endpoint,
                target.upstream.cap_field,
                target.max_output_tokens,
                reserved,
            );
            if let (Some(thinking), Some(reserved)) = (self.thinking, reserved)
                && self.caps.smallest().is_none_or(|cap| cap > reserved)
            {
                thinking.lower(&mut self.fields, reserved);
            }
        }
        let asks_for_usage = matches!(self.endpoint, Endpoint::Chat | Endpoint::Completions);
        if self.stream && asks_for_usage && !self.wants_usage {
            // Parsing has verified that it is an object.
            let mut options = stream_options(&self.fields).unwrap_or_default();
            options.insert("include_usage".to_owned(), true.into());
            self.fields.set("stream_options", Value::Object(options).to_string());
        }
        self.fields.into_bytes()
    }

    /// Whether the client asked for vectors in base64.
    pub(super) fn wants_base64(&self) -> bool {
        self.endpoint == Endpoint::Embeddings && self.field("encoding_format") == Some("\"base64\"")
    }

    /// Whether the upstream stores the response for later calls, as it does unless it is told
    /// otherwise.
    pub(super) fn stores_response(&self) -> bool {
        self.endpoint == Endpoint::Responses && self.field("store") != Some("false")
    }

    /// A field as JSON. None if it is missing or null.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// Names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.name.as_str())
    }

    /// The prompt field as the client sent it; empty if the call has none.
    pub(super) fn prompt_json(&self) -> &str {
        self.fields.get(self.endpoint.prompt()).unwrap_or_default()
    }

    /// Number of choices that the client asked for.
    pub(super) const fn choices(&self) -> u64 {
        self.choices
    }
}

/// Fields whose text reaches the model. Outside the prompt, numbers do not count.
fn model_visible_fields(fields: &Fields, endpoint: Endpoint) -> impl Iterator<Item = &Field> {
    fields.iter().filter(move |field| {
        let name = field.name.as_str();
        let is_read = || matches!(*field.value, [b'"' | b'[' | b'{', ..]);
        let is_uncounted = UNCOUNTED_FIELDS.contains(&name)
            || endpoint.is_media() && media_fields::UNCOUNTED_FIELDS.contains(&name);
        field.place == PromptContext::Prompt || is_read() && !is_uncounted
    })
}

/// Saturates: no body has that many tokens.
fn saturating_u32(tokens: u64) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

fn unreadable(why: &FieldsError) -> GatewayError {
    let error = match why {
        FieldsError::TooManyFields => {
            let message = format!("The body has more than {MAX_FIELDS} fields.");
            return GatewayError::new(StatusCode::BAD_REQUEST, "malformed", message);
        }
        FieldsError::Value(name) => return unreadable_value(name),
        FieldsError::Json(error) => error,
    };
    if error.is_data() {
        return GatewayError::invalid("body", "Send a JSON object.");
    }
    let (line, column) = (error.line(), error.column());
    let message = format!("The body is not valid JSON at line {line}, column {column}.");
    GatewayError::new(StatusCode::BAD_REQUEST, "malformed", message)
}

fn unreadable_value(name: &str) -> GatewayError {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    let message = format!(
        "`{shown}` is nested too deeply, or contains a number that is too large or an unpaired \
         surrogate."
    );
    GatewayError::new(StatusCode::BAD_REQUEST, "malformed", message)
}

/// Some upstreams match field names without regard to case. They would read a `Model` that the key
/// was not checked for.
fn check_name(name: &str, endpoint: Endpoint) -> Result<(), GatewayError> {
    let of_media: &[&str] =
        if endpoint.is_media() { &media_fields::INTERPRETED_FIELDS } else { &[] };
    let mut interpreted = INTERPRETED_FIELDS.iter().chain(of_media);
    if interpreted.clone().any(|ours| *ours == name) {
        return Ok(());
    }
    match interpreted.find(|ours| eq_ignore_case(name, ours)) {
        Some(ours) => Err(GatewayError::invalid(ours, format!("Spell this field `{ours}`."))),
        None => Ok(()),
    }
}

/// Compares ignoring case. Does not copy `name`, which may be long.
pub(super) fn eq_ignore_case(name: &str, other: &str) -> bool {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).eq(other.chars())
}

/// The model. Empty if the body leaves it out and may do so.
fn model(fields: &Fields, endpoint: Endpoint) -> Result<String, GatewayError> {
    let text = match fields.get("model") {
        Some(text) => text,
        None if endpoint.has_default_model() => return Ok(String::new()),
        None => return Err(GatewayError::invalid("model", "Specify a model.")),
    };
    let model = serde_json::from_str(text).ok().filter(|model: &String| !model.is_empty());
    model.ok_or_else(|| GatewayError::invalid("model", "The model must be a non-empty string."))
}

fn check_prompt(fields: &Fields, endpoint: Endpoint) -> Result<(), GatewayError> {
    let json = fields.bytes(endpoint.prompt());
    let items = json.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    match endpoint {
        Endpoint::Chat | Endpoint::Messages | Endpoint::CountTokens
            if items.is_some_and(|items| !items.starts_with(b"]")) =>
        {
            Ok(())
        }
        Endpoint::Chat | Endpoint::Messages | Endpoint::CountTokens => {
            Err(GatewayError::invalid("messages", "Send a list of at least one message."))
        }
        // Whether something else takes its place is for the upstream to judge.
        Endpoint::Responses | Endpoint::CompactResponse | Endpoint::InputTokens
            if matches!(json, b"" | b"null") =>
        {
            Ok(())
        }
        _ if items.is_some() || json.starts_with(b"\"") => Ok(()),
        _ => Err(GatewayError::invalid(endpoint.prompt(), "Send a string or a list.")),
    }
}

/// The options of the stream, or none.
fn stream_options(fields: &Fields) -> Result<Map<String, Value>, GatewayError> {
    let Some(text) = fields.get("stream_options") else { return Ok(Map::new()) };
    serde_json::from_str(text)
        .map_err(|_| GatewayError::invalid("stream_options", "Send an object."))
}

fn parse_bool(text: Option<&str>, name: &str) -> Result<bool, GatewayError> {
    match text {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(GatewayError::invalid(name, "Use true or false.")),
    }
}

/// Parses a count of at least one.
fn positive_count(fields: &Fields, name: &str) -> Result<u64, GatewayError> {
    match fields.get(name).map(str::parse::<u32>) {
        None => Ok(1),
        Some(Ok(count @ 1..=128)) => Ok(count.into()),
        Some(_) => Err(GatewayError::invalid(name, "Use a whole number from 1 to 128.")),
    }
}

/// Number of prompts of a completion. A list of tokens is one prompt.
fn prompt_count(fields: &Fields) -> u64 {
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
    async fn count_keeps_its_permit_after_disconnect() {
        let messages = json!([{ "role": "user", "content": "0123456789 ".repeat(200_000) }]);
        let body = json!({ "model": "m", "messages": messages }).to_string();
        let body = CallBody::parse(Endpoint::Chat, body.into()).unwrap();
        let permits = Arc::new(Semaphore::new(1));
        let mut count =
            Box::pin(body.tokenizer_count_when_permitted(Tokenizer::O200kBase, &permits));
        assert!(futures::poll!(&mut count).is_pending());
        // The client disconnects.
        drop(count);
        assert_eq!(permits.available_permits(), 0, "the count goes on");
        let free = tokio::time::timeout(std::time::Duration::from_mins(1), permits.acquire());
        assert!(free.await.is_ok(), "it ends");
    }
}
