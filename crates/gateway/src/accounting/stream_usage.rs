//! Usage of a stream so far, and whether the stream is complete.

use latchkey_domain::token_usage::TokenUsage;
use serde_json::{Value, json};

use super::reported::ReportedUsage;
use super::{ResponseScanner, data, token_usage, tokens_of};
use crate::endpoint::Endpoint;
use crate::error::GatewayError;

/// No tokenizer needs fewer tokens than one for this many bytes, except for long runs of spaces.
const MAX_BYTES_PER_TOKEN: u64 = 8;

/// The final event of a stream of chat completions.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// What an event means to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// For the client, unchanged.
    Plain,
    /// The event that contains only usage, which the gateway asked for.
    UsageOnly,
    Error,
    Done,
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

/// Tracks the usage of a stream, event by event.
#[derive(Debug)]
pub(crate) struct StreamUsage {
    endpoint: Endpoint,
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
}

impl StreamUsage {
    /// For a stream whose prompt is estimated at `prompt` tokens.
    pub(crate) fn new(endpoint: Endpoint, prompt: u64) -> Self {
        Self {
            endpoint,
            prompt,
            text: 0,
            events: 0,
            choices: 0,
            event: ResponseScanner::default(),
            reported: ReportedUsage::default(),
            floor: 0,
            has_finish: false,
            has_error: false,
            ended: false,
        }
    }

    pub(crate) fn read(&mut self, event: &[u8]) -> EventKind {
        let Some(data) = data(event) else { return EventKind::Plain };
        if data.trim_ascii() == b"[DONE]" {
            self.ended = true;
            return EventKind::Done;
        }
        self.event.restart();
        self.event.read(&data);
        let seen = &self.event;
        let has_text = seen.text() > 0;
        self.text = self.text.saturating_add(seen.text());
        self.events += u64::from(has_text);
        self.choices += u64::from(seen.has_choice());
        self.has_finish |= seen.has_finish();
        let reports = seen.reported() != ReportedUsage::default();
        if reports {
            self.reported = self.reported.then(seen.reported(), self.text > 0);
            self.floor = self.floor.max(self.reported_completion());
        }
        if seen.has_error() {
            (self.has_error, self.ended) = (true, true);
            return EventKind::Error;
        }
        let is_empty = !has_text && !seen.has_tool_call() && !seen.has_finish();
        if reports && is_empty { EventKind::UsageOnly } else { EventKind::Plain }
    }

    /// Usage as last reported, or as estimated.
    pub(crate) fn usage(&self) -> TokenUsage {
        token_usage(self.endpoint, self.reported, self.prompt, self.text)
    }

    /// Usage if the stream were broken off now: the larger of the reported and the received
    /// completion.
    pub(crate) fn usage_so_far(&self) -> TokenUsage {
        let reported_usage = self.usage();
        let received = tokens_of(self.text);
        let completion = reported_usage.completion.max(self.floor).max(received);
        let excess = completion - reported_usage.completion.max(self.floor).min(completion);
        TokenUsage {
            completion,
            estimated: reported_usage.estimated.saturating_add(excess),
            ..reported_usage
        }
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
    pub(crate) const fn missing_events(&self) -> &'static [u8] {
        DONE
    }

    /// The events that end a stream with an error.
    pub(crate) fn error_events(&self, error: &GatewayError) -> String {
        error.event()
    }

    /// The events that end a stream at the reserved tokens, as if the model had reached its cap.
    /// `last` is the event that is replaced.
    pub(crate) fn cap_events(&self, last: &[u8], choices: u64) -> String {
        ended_by_cap(last, self.endpoint, choices)
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
    format!("data: {last}\n\ndata: [DONE]\n\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(json: &Value) -> String {
        format!("data: {json}\n\n")
    }

    fn text(text: &str) -> Value {
        json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] })
    }

    fn metered(events: &[Value]) -> StreamUsage {
        let mut stream = StreamUsage::new(Endpoint::Chat, 10);
        for json in events {
            stream.read(event(json).as_bytes());
        }
        stream
    }

    fn sums(usage: TokenUsage) -> (u64, u64, u64) {
        (usage.prompt, usage.completion, usage.estimated)
    }

    #[test]
    fn stream_without_usage_is_estimated() {
        let role = json!({ "choices": [{ "delta": { "role": "assistant" } }] });
        let finish = json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] });
        let stream = metered(&[role, text(&"x".repeat(4_000)), text(&"y".repeat(4_000)), finish]);
        assert_eq!(sums(stream.usage()), (10, 2_000, 2_010));
        assert_eq!(stream.end(), StreamEnd::LacksDone);
        assert_eq!(sums(metered(&[text("abc")]).usage()), (10, 1, 11));
    }

    #[test]
    fn last_report_is_final_and_largest_is_a_floor() {
        let reported_usage = |completion: u64| {
            let mut event = text("x");
            event["usage"] = json!({ "prompt_tokens": 7, "completion_tokens": completion });
            event
        };
        let stream = metered(&[reported_usage(5), reported_usage(60), reported_usage(40)]);
        assert_eq!(sums(stream.usage()), (7, 40, 0));
        assert_eq!(sums(stream.usage_so_far()), (7, 60, 0));
        assert_eq!(stream.delivered(), 60);
        let left = metered(&[reported_usage(1), text(&"x".repeat(400))]);
        assert_eq!(sums(left.usage_so_far()), (7, 101, 100));
        assert_eq!(
            sums(metered(&[reported_usage(0), reported_usage(0)]).usage()),
            (7, 1, 1),
            "zeros are no count"
        );
        assert_eq!(sums(metered(&[reported_usage(60), reported_usage(0)]).usage()), (7, 60, 0));
    }

    #[test]
    fn usage_event_is_recognized_in_every_form() {
        let usage = json!({ "prompt_tokens": 7, "completion_tokens": 5 });
        let kind = |json: Value| StreamUsage::new(Endpoint::Chat, 10).read(event(&json).as_bytes());
        for choices in [
            json!([]),
            json!(null),
            json!([{ "index": 0, "delta": {} }]),
            json!([{ "index": 0, "delta": { "role": "assistant", "content": "" }, "finish_reason": null }]),
        ] {
            assert_eq!(kind(json!({ "choices": choices, "usage": usage })), EventKind::UsageOnly);
            assert_eq!(kind(json!({ "choices": choices, "usage": null })), EventKind::Plain);
        }
        assert_eq!(kind(json!({ "usage": usage })), EventKind::UsageOnly);
        for choice in [
            json!({ "delta": { "content": "x" } }),
            json!({ "delta": {}, "finish_reason": "stop" }),
            json!({ "delta": { "tool_calls": [{ "index": 0 }] } }),
        ] {
            assert_eq!(kind(json!({ "choices": [choice], "usage": usage })), EventKind::Plain);
        }
        assert_eq!(kind(json!({ "error": { "message": "x" } })), EventKind::Error);
    }

    #[test]
    fn end_of_stream_is_classified() {
        let mut stream = metered(&[text("a")]);
        assert_eq!(stream.end(), StreamEnd::Cut);
        assert_eq!(stream.read(b"data: [DONE]\r\n\r\n"), EventKind::Done);
        assert_eq!(stream.end(), StreamEnd::Whole);
        assert_eq!(metered(&[json!({ "error": "x" })]).end(), StreamEnd::Whole);
        assert!(metered(&[json!({ "error": "x" })]).is_refused());
        assert!(!metered(&[text("a"), json!({ "error": "x" })]).is_refused());
        assert!(!metered(&[json!({ "error": "x" }), text("a")]).is_refused());
        assert!(!metered(&[text("a")]).is_refused());
    }

    #[test]
    fn stream_at_its_limit_ends_with_length() {
        let mut last = text("a");
        last["id"] = json!("x");
        last["usage"] = json!({ "prompt_tokens": 7 });
        let ended = ended_by_cap(event(&last).as_bytes(), Endpoint::Chat, 2);
        let (first, done) = ended.split_once("\n\n").unwrap();
        assert_eq!(done, "data: [DONE]\n\n");
        let first: Value = serde_json::from_str(first.strip_prefix("data: ").unwrap()).unwrap();
        let choice = |index| json!({ "index": index, "delta": {}, "finish_reason": "length" });
        assert_eq!(first, json!({ "id": "x", "choices": [choice(0), choice(1)] }));
        assert!(ended_by_cap(b"data: x\n\n", Endpoint::Completions, 1).contains("\"text\":\"\""));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Text(usize),
        Usage(u64),
        Zeros,
        Comment,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0_usize..300).prop_map(Step::Text),
            (1_u64..5_000).prop_map(Step::Usage),
            Just(Step::Zeros),
            Just(Step::Comment),
        ];
        proptest::collection::vec(step, 0..40)
    }

    proptest! {
        #[test]
        fn stream_usage_is_the_last_report_or_the_text(steps in steps()) {
            let mut stream = StreamUsage::new(Endpoint::Chat, 10);
            let (mut last, mut bytes) = (None, 0);
            for step in steps {
                let json = match step {
                    Step::Text(length) => {
                        bytes += length as u64;
                        text(&"x".repeat(length))
                    }
                    Step::Usage(completion) => {
                        last = Some(completion);
                        json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": completion } })
                    }
                    Step::Zeros => json!({ "choices": [], "usage": { "prompt_tokens": 0, "total_tokens": 0 } }),
                    Step::Comment => json!({ "x": 1 }),
                };
                stream.read(event(&json).as_bytes());
                let (usage, so_far) = (stream.usage(), stream.usage_so_far());
                prop_assert!(so_far.completion >= usage.completion.max(tokens_of(bytes)));
                prop_assert!(so_far.completion >= last.unwrap_or_default());
            }
            prop_assert_eq!(stream.usage().completion, last.unwrap_or(tokens_of(bytes)));
        }
    }
}
