//! Usage of a stream so far, and whether the stream is complete.

#[cfg(test)]
mod tests;

use latchkey_domain::token_usage::TokenUsage;
use serde_json::{Value, json};

use super::media_stream::MediaEvent;
use super::messages_stream::{MESSAGE_STOP, MessagesEvent, MessagesStream};
use super::reported::ReportedUsage;
use super::responses_stream::{self, ResponsesKind, ResponsesStream};
use super::{AnswerForm, ItemId, ResponseScanner, data, token_usage, tokens_of};
use crate::api_format::ApiFormat;
use crate::endpoint::Endpoint;
use crate::error::GatewayError;

/// No tokenizer needs fewer tokens than one for this many bytes, except for long runs of spaces.
const MAX_BYTES_PER_TOKEN: u64 = 8;

/// Maximum size of an event that is parsed, of one of the Responses API, and of one with an image.
const MAX_EVENT_BYTES: usize = 1024 * 1024;
const MAX_RESPONSES_EVENT_BYTES: usize = 8 * MAX_EVENT_BYTES;
const MAX_IMAGE_EVENT_BYTES: usize = 16 * MAX_EVENT_BYTES;

/// The final event of a stream of chat completions.
const DONE: &str = "data: [DONE]\n\n";

/// What an event means to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// For the client, unchanged.
    Plain,
    /// The event that contains only usage, which the gateway asked for.
    UsageOnly,
    Error,
    Done,
    /// The last event, which the client gets with counts: [`StreamUsage::with_usage`].
    LacksUsage,
    /// Not for the client: it comes after the error that has ended the stream.
    Hidden,
}

/// How a stream ended that was not broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// With its final event, or with an error.
    Whole,
    /// A finish reason was sent, but not the final event.
    LacksDone,
    Cut,
}

/// What the events of a stream mean.
#[derive(Debug)]
enum StreamForm {
    /// Chunks of chat completions and of completions.
    Chat,
    Messages(MessagesStream),
    Responses(ResponsesStream),
    /// Transcripts, speech and images.
    Media,
}

impl StreamForm {
    fn of(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::Messages => Self::Messages(MessagesStream::default()),
            Endpoint::Responses | Endpoint::CompactResponse => {
                Self::Responses(ResponsesStream::default())
            }
            endpoint if endpoint.is_media() => Self::Media,
            _ => Self::Chat,
        }
    }
}

/// Tracks the usage of a stream, event by event.
#[derive(Debug)]
pub(crate) struct StreamUsage {
    endpoint: Endpoint,
    form: StreamForm,
    /// Estimated prompt tokens.
    prompt: u64,
    text: u64,
    /// Events with text. Most servers send one token per event.
    events: u64,
    /// Events with a choice, even one that says nothing.
    choices: u64,
    /// Scans one event after the other.
    event: ResponseScanner,
    reported: ReportedUsage,
    /// The highest completion count reported so far.
    floor: u64,
    has_finish: bool,
    has_error: bool,
    ended: bool,
    /// Bytes of text in the last event of a response, once that was read.
    last_text: Option<u64>,
}

impl StreamUsage {
    /// For a stream whose prompt is estimated at `prompt` tokens.
    pub(crate) fn new(endpoint: Endpoint, prompt: u64) -> Self {
        Self {
            endpoint,
            form: StreamForm::of(endpoint),
            prompt,
            text: 0,
            events: 0,
            choices: 0,
            event: ResponseScanner::new(AnswerForm::of(endpoint)),
            reported: ReportedUsage::default(),
            floor: 0,
            has_finish: false,
            has_error: false,
            ended: false,
            last_text: None,
        }
    }

    /// For the events of a stored response, which cost nothing.
    pub(crate) fn of_response(id: &str) -> Self {
        let form = StreamForm::Responses(ResponsesStream::of(id));
        Self { form, ..Self::new(Endpoint::Responses, 0) }
    }

    pub(crate) fn read(&mut self, event: &[u8]) -> EventKind {
        let Some(data) = data(event) else { return EventKind::Plain };
        let has_done = matches!(self.form, StreamForm::Chat | StreamForm::Media);
        if has_done && data.trim_ascii() == b"[DONE]" {
            self.ended = true;
            return EventKind::Done;
        }
        self.event.restart();
        self.event.read(&data);
        match self.form {
            StreamForm::Responses(_) => return self.read_of_responses(&data),
            StreamForm::Media => return self.read_of_media(&data),
            StreamForm::Chat | StreamForm::Messages(_) => {}
        }
        let seen = &self.event;
        let has_text = seen.text() > 0;
        self.text = self.text.saturating_add(seen.text());
        self.events += u64::from(has_text);
        self.choices += u64::from(seen.has_choice());
        self.has_finish |= seen.has_finish();
        let reports = seen.reported() != ReportedUsage::default();
        if reports {
            self.reported = self.reported.then(seen.reported(), self.text > 0);
        }
        let kind = match &mut self.form {
            _ if seen.has_error() => EventKind::Error,
            StreamForm::Chat => {
                let is_empty = !has_text && !seen.has_tool_call() && !seen.has_finish();
                if reports && is_empty { EventKind::UsageOnly } else { EventKind::Plain }
            }
            StreamForm::Messages(stream) => {
                // A zero beside content corrects nothing, so the placeholder stays one.
                let told = seen.reported().without_zeros(self.text > 0);
                match stream.read(&data, told.completion.is_some()) {
                    MessagesEvent::Error => EventKind::Error,
                    MessagesEvent::Stop => EventKind::Done,
                    MessagesEvent::Start | MessagesEvent::Other => EventKind::Plain,
                }
            }
            StreamForm::Responses(_) | StreamForm::Media => EventKind::Plain,
        };
        if reports && !self.has_placeholder() {
            self.floor = self.floor.max(self.reported_completion());
        }
        self.has_error |= kind == EventKind::Error;
        self.ended |= matches!(kind, EventKind::Error | EventKind::Done);
        kind
    }

    /// Reads an event of the Responses API that was scanned. Its last event repeats the whole
    /// answer, whose text counts only if it did not come in deltas.
    fn read_of_responses(&mut self, data: &[u8]) -> EventKind {
        let StreamForm::Responses(stream) = &mut self.form else { return EventKind::Plain };
        if self.has_error {
            return EventKind::Hidden;
        }
        let seen = &self.event;
        let event = stream.read(data, seen.has_error());
        let is_final = matches!(event.kind, ResponsesKind::Final | ResponsesKind::LacksUsage);
        let repeated = if is_final && self.text == 0 { seen.text() } else { 0 };
        self.last_text = self.last_text.or(is_final.then(|| seen.text()));
        self.text = self.text.saturating_add(event.text.max(repeated));
        self.events += u64::from(event.text > 0);
        self.choices += u64::from(event.is_output);
        if seen.reported() != ReportedUsage::default() {
            self.reported = self.reported.then(seen.reported(), self.text > 0);
            self.floor = self.floor.max(self.reported_completion());
        }
        self.has_error = event.kind == ResponsesKind::Error;
        self.ended |= is_final || self.has_error;
        match event.kind {
            ResponsesKind::Final => EventKind::Done,
            ResponsesKind::LacksUsage => EventKind::LacksUsage,
            ResponsesKind::Error => EventKind::Error,
            ResponsesKind::Other => EventKind::Plain,
        }
    }

    /// Reads an event of a transcript, of speech or of an image that was scanned. The usage is in
    /// its last event, which is the client's too.
    fn read_of_media(&mut self, data: &[u8]) -> EventKind {
        let event = MediaEvent::of(data);
        let seen = &self.event;
        let more = seen.text();
        self.text =
            if event.is_new() { self.text.saturating_add(more) } else { self.text.max(more) };
        self.choices += u64::from(seen.has_choice() || event.is_content());
        let is_error = seen.has_error() || event == MediaEvent::Error;
        let is_last = seen.has_finish() || event == MediaEvent::Last;
        if seen.reported() != ReportedUsage::default() {
            self.reported = self.reported.then(seen.reported(), self.text > 0);
            self.floor = self.floor.max(self.reported_completion());
        }
        self.has_error |= is_error;
        self.ended |= is_error || is_last;
        if is_error {
            EventKind::Error
        } else if is_last {
            EventKind::Done
        } else {
            EventKind::Plain
        }
    }

    /// Reads the beginning of an event that is too long to be parsed.
    pub(crate) fn read_beginning(&mut self, event: &[u8]) {
        if matches!(self.form, StreamForm::Responses(_)) {
            self.ended |= responses_stream::begins_final(event);
        }
    }

    /// Longer events are forwarded without being parsed. The last event of the Responses API
    /// repeats the instructions, the tools and the whole answer; that of an image has the image.
    pub(crate) const fn max_event_bytes(&self) -> usize {
        match &self.form {
            StreamForm::Responses(_) => MAX_RESPONSES_EVENT_BYTES,
            StreamForm::Media => MAX_IMAGE_EVENT_BYTES,
            StreamForm::Chat | StreamForm::Messages(_) => MAX_EVENT_BYTES,
        }
    }

    /// The ID of a response of the Responses API, the first time that it is known.
    pub(crate) fn take_response_id(&mut self) -> Option<&str> {
        match &mut self.form {
            StreamForm::Responses(stream) => stream.take_id(),
            StreamForm::Chat | StreamForm::Messages(_) | StreamForm::Media => None,
        }
    }

    /// The IDs of the output item of the Responses API that the last event has, and of its
    /// container.
    pub(crate) fn take_item_ids(&mut self) -> Vec<ItemId> {
        match &mut self.form {
            StreamForm::Responses(stream) => stream.take_item_ids(),
            StreamForm::Chat | StreamForm::Messages(_) | StreamForm::Media => Vec::new(),
        }
    }

    /// The last event, with the counts that the upstream left out.
    pub(crate) fn with_usage(&self, event: &[u8]) -> Vec<u8> {
        responses_stream::with_usage(event, self.usage()).unwrap_or_else(|| event.to_vec())
    }

    /// Usage as last reported, or as estimated.
    pub(crate) fn usage(&self) -> TokenUsage {
        if self.has_placeholder() { self.usage_so_far() } else { self.last_reported() }
    }

    /// Usage of a response of the Responses API whose last event was read. That event repeats the
    /// whole answer, of which a stream that was resumed has only the rest.
    pub(crate) fn ended_usage(&self) -> Option<TokenUsage> {
        let text = self.text.max(self.last_text?);
        Some(token_usage(self.endpoint, self.reported, self.prompt, text))
    }

    /// Whether a response was cancelled and its last event does not tell what it has used. Whoever
    /// resumes a stream late has hardly any text of it.
    pub(crate) fn is_cancelled_untold(&self) -> bool {
        let StreamForm::Responses(stream) = &self.form else { return false };
        stream.is_cancelled() && self.reported == ReportedUsage::default()
    }

    /// Whether the reported completion is at most the placeholder of a message's first event.
    const fn has_placeholder(&self) -> bool {
        matches!(&self.form, StreamForm::Messages(stream) if !stream.tells_output())
    }

    fn last_reported(&self) -> TokenUsage {
        token_usage(self.endpoint, self.reported, self.prompt, self.text)
    }

    /// Usage if the stream were broken off now: the larger of the reported and the received
    /// completion.
    pub(crate) fn usage_so_far(&self) -> TokenUsage {
        let reported_usage = self.last_reported();
        let received = tokens_of(self.text);
        let completion = reported_usage.completion.max(self.floor).max(received);
        let excess = completion - reported_usage.completion.max(self.floor).min(completion);
        TokenUsage {
            completion,
            estimated: reported_usage.estimated.saturating_add(excess),
            ..reported_usage
        }
    }

    /// The scanner for a whole response.
    pub(crate) fn response_scanner(&self) -> ResponseScanner {
        ResponseScanner::new(AnswerForm::of(self.endpoint))
    }

    /// Usage of a whole response.
    pub(crate) fn usage_of_response(&self, response: &ResponseScanner) -> TokenUsage {
        token_usage(self.endpoint, response.reported(), self.prompt, response.text())
    }

    /// Usage of a stream that the gateway ended after `limit` tokens. An estimate does not exceed
    /// the limit.
    pub(crate) fn usage_within(&self, limit: u64) -> TokenUsage {
        let usage = self.usage_so_far();
        let max = self.floor.max(limit);
        let excess = usage.completion.saturating_sub(max);
        let (completion, estimated) =
            (usage.completion - excess, usage.estimated.saturating_sub(excess));
        TokenUsage { completion, estimated, ..usage }
    }

    /// Whether the upstream refused the call in the stream: with an error in place of an answer.
    pub(crate) fn is_refused(&self) -> bool {
        self.has_error && self.choices == 0 && self.reported == ReportedUsage::default()
    }

    /// Tokens of the completion that have certainly been received.
    pub(crate) fn delivered(&self) -> u64 {
        let by_text = self.events.min(tokens_of(self.text));
        self.floor.max(by_text).max(self.text / MAX_BYTES_PER_TOKEN)
    }

    /// How the stream ended, once the upstream sends nothing more.
    pub(crate) const fn end(&self) -> StreamEnd {
        match (self.ended, self.has_finish) {
            (true, _) => StreamEnd::Whole,
            (false, true) => StreamEnd::LacksDone,
            (false, false) => StreamEnd::Cut,
        }
    }

    /// The events that complete a stream which lacks only its last one.
    pub(crate) const fn missing_events(&self) -> &'static str {
        match &self.form {
            StreamForm::Chat => DONE,
            StreamForm::Messages(_) => MESSAGE_STOP,
            // Its last event is never made up: it has the whole answer.
            StreamForm::Responses(_) | StreamForm::Media => "",
        }
    }

    /// The events that end a stream with an error.
    pub(crate) fn error_events(&self, error: &GatewayError) -> String {
        match &self.form {
            StreamForm::Chat | StreamForm::Media => error.event(ApiFormat::OpenAi),
            StreamForm::Messages(_) => error.event(ApiFormat::Anthropic),
            StreamForm::Responses(stream) => stream.error_events(error),
        }
    }

    /// The events that end a stream at the reserved tokens, as if the model had reached its cap.
    /// `last` is the event that is replaced, `usage` what the call is charged.
    pub(crate) fn cap_events(&self, last: &[u8], choices: u64, usage: TokenUsage) -> String {
        match &self.form {
            StreamForm::Chat => ended_by_cap(last, self.endpoint, choices),
            StreamForm::Messages(stream) => stream.cap_events(usage.completion),
            StreamForm::Responses(stream) => stream.cap_events(usage),
            // Such answers have no cap.
            StreamForm::Media => String::new(),
        }
    }

    /// The reported completion, or 0.
    fn reported_completion(&self) -> u64 {
        token_usage(self.endpoint, self.reported, self.prompt, 0).completion
    }
}

/// The final events of a stream that has used up its reservation, as if the model had reached
/// `max_tokens`. `event` is the last one received.
fn ended_by_cap(event: &[u8], endpoint: Endpoint, choices: u64) -> String {
    let last = data(event).and_then(|data| serde_json::from_slice::<Value>(&data).ok());
    let mut last = last.unwrap_or_else(|| json!({}));
    let choice = |index| match endpoint {
        Endpoint::Completions => json!({ "index": index, "text": "", "finish_reason": "length" }),
        _ => json!({ "index": index, "delta": {}, "finish_reason": "length" }),
    };
    if let Some(members) = last.as_object_mut() {
        members.remove("usage");
        members.insert("choices".to_owned(), (0..choices).map(choice).collect());
    }
    format!("data: {last}\n\n{DONE}")
}
