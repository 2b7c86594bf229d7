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

/// A stream of Anthropic's Messages API after these events.
fn messages(events: &[Value]) -> StreamUsage {
    let mut stream = StreamUsage::new(Endpoint::Messages, 10);
    for json in events {
        stream.read(event(json).as_bytes());
    }
    stream
}

fn message_start() -> Value {
    let usage = json!({
        "input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20,
        "output_tokens": 1,
    });
    json!({ "type": "message_start", "message": { "content": [], "usage": usage } })
}

fn text_delta(text: &str) -> Value {
    let delta = json!({ "type": "text_delta", "text": text });
    json!({ "type": "content_block_delta", "index": 0, "delta": delta })
}

fn message_delta(output: u64) -> Value {
    let delta = json!({ "stop_reason": "end_turn", "stop_sequence": null });
    json!({ "type": "message_delta", "delta": delta, "usage": { "output_tokens": output } })
}

#[test]
fn usage_of_messages_is_cumulative() {
    let stop = json!({ "type": "message_stop" });
    let stream = messages(&[message_start(), text_delta("abc"), message_delta(9), stop]);
    let usage = stream.usage();
    assert_eq!(sums(usage), (123, 9, 0));
    assert_eq!((usage.cached, usage.cache_written), (100, 20));
    assert_eq!(stream.end(), StreamEnd::Whole);
    let text = "x".repeat(400);
    let cut = messages(&[message_start(), text_delta(&text)]);
    assert_eq!(sums(cut.usage_so_far()), (123, 100, 99));
    assert_eq!(cut.end(), StreamEnd::Cut);
    assert_eq!(sums(cut.usage()), (123, 100, 99), "the count of the first event is a placeholder");
    let corrected = messages(&[message_start(), message_delta(60), message_delta(40)]);
    assert_eq!((corrected.usage().completion, corrected.usage_so_far().completion), (40, 60));
}

#[test]
fn zeros_beside_the_content_of_a_message_are_no_count() {
    let text = text_delta(&"x".repeat(400));
    let delta = json!({ "type": "input_json_delta", "partial_json": "x".repeat(400) });
    let tool = json!({ "type": "content_block_delta", "index": 0, "delta": delta });
    for content in [text, tool] {
        let stream = messages(&[message_start(), content.clone(), message_delta(0)]);
        assert_eq!(sums(stream.usage()), (123, 100, 99), "{content}");
        let stream = messages(&[message_start(), content, message_delta(9), message_delta(0)]);
        assert_eq!(sums(stream.usage()), (123, 9, 0));
    }
    let silent = messages(&[message_start(), message_delta(0)]);
    assert_eq!(sums(silent.usage()), (123, 0, 0), "nothing came out");
}

#[test]
fn placeholder_of_a_message_is_not_delivered() {
    let mut start = message_start();
    start["message"]["usage"]["output_tokens"] = json!(8);
    assert_eq!(messages(std::slice::from_ref(&start)).delivered(), 0);
    assert_eq!(messages(&[start, message_delta(9)]).delivered(), 9);
}

#[test]
fn messages_without_their_last_event_are_completed() {
    let stream = messages(&[message_start(), text_delta("abc"), message_delta(9)]);
    assert_eq!(stream.end(), StreamEnd::LacksDone);
    let missing = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    assert_eq!(stream.missing_events(), missing);
    assert_eq!(metered(&[]).missing_events(), "data: [DONE]\n\n");
}

#[test]
fn events_of_messages_are_never_hidden() {
    let mut stream = StreamUsage::new(Endpoint::Messages, 10);
    let mut kind = |json: Value| stream.read(event(&json).as_bytes());
    assert_eq!(kind(message_start()), EventKind::Plain);
    assert_eq!(kind(json!({ "type": "ping" })), EventKind::Plain);
    assert_eq!(kind(json!({ "type": "x", "usage": { "output_tokens": 5 } })), EventKind::Plain);
    assert_eq!(kind(json!({ "type": "message_stop" })), EventKind::Done);
    assert_eq!(kind(json!({ "type": "error", "error": { "message": "x" } })), EventKind::Error);
    assert_eq!(kind(json!({ "type": "error" })), EventKind::Error);
    let refused = messages(&[json!({ "type": "error", "error": { "message": "x" } })]);
    assert!(refused.is_refused());
    assert!(!messages(&[message_start(), json!({ "type": "error" })]).is_refused());
}

#[test]
fn error_of_messages_is_an_event_of_its_own() {
    let error = GatewayError::upstream_error();
    let sent = messages(&[message_start()]).error_events(&error);
    let data = sent.strip_prefix("event: error\ndata: ").unwrap();
    let body: Value = serde_json::from_str(data).unwrap();
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("api_error")));
    assert_eq!(body["error"]["message"], error.message());
    assert!(metered(&[]).error_events(&error).starts_with("data: {\"error\":"));
}

fn media(endpoint: Endpoint, events: &[Value]) -> StreamUsage {
    let mut stream = StreamUsage::new(endpoint, 10);
    for json in events {
        stream.read(event(json).as_bytes());
    }
    stream
}

#[test]
fn transcript_stream_counts_each_text_once() {
    let delta = |words: &str| json!({ "type": "transcript.text.delta", "delta": words });
    let segment = json!({ "type": "transcript.text.segment", "text": "x".repeat(40) });
    let mut done = json!({ "type": "transcript.text.done", "text": "x".repeat(80) });
    let parts = [delta(&"x".repeat(40)), segment.clone(), delta(&"x".repeat(40)), segment];
    let cut = media(Endpoint::Transcriptions, &parts);
    assert_eq!((sums(cut.usage()), cut.end()), ((10, 20, 30), StreamEnd::Cut));
    let all = [parts.as_slice(), &[done.clone()]].concat();
    let whole = media(Endpoint::Transcriptions, &all);
    assert_eq!((sums(whole.usage()), whole.end()), ((10, 20, 30), StreamEnd::Whole));
    done["usage"] = json!({ "input_tokens": 14, "output_tokens": 45, "total_tokens": 59 });
    assert_eq!(sums(media(Endpoint::Transcriptions, &[done]).usage()), (14, 45, 0));
}

#[test]
fn media_streams_have_ends_of_their_own() {
    let audio = json!({ "type": "speech.audio.delta", "audio": "A".repeat(4_000) });
    let done = json!({
        "type": "speech.audio.done",
        "usage": { "input_tokens": 7, "output_tokens": 43, "total_tokens": 50 },
    });
    let cut = media(Endpoint::Speech, std::slice::from_ref(&audio));
    assert_eq!((sums(cut.usage_so_far()), cut.end()), ((10, 0, 10), StreamEnd::Cut));
    assert_eq!(cut.missing_events(), "");
    let whole = media(Endpoint::Speech, &[audio.clone(), done.clone()]);
    assert_eq!((sums(whole.usage()), whole.end()), ((7, 43, 0), StreamEnd::Whole));
    let image = json!({ "type": "image_generation.completed", "b64_json": "A".repeat(4_000) });
    let whole = media(Endpoint::Images, &[image]);
    assert_eq!((sums(whole.usage()), whole.end()), ((10, 0, 10), StreamEnd::Whole));
    // Some servers stream transcripts as a chat.
    let finish = json!({ "choices": [{ "delta": { "content": "ab" }, "finish_reason": "stop" }] });
    let whole = media(Endpoint::Transcriptions, &[text("abcdef"), finish]);
    assert_eq!((sums(whole.usage()), whole.end()), ((10, 2, 12), StreamEnd::Whole));
    let mut usage_only = StreamUsage::new(Endpoint::Speech, 10);
    assert_eq!(usage_only.read(event(&done).as_bytes()), EventKind::Done);
    let refused = media(Endpoint::Speech, &[json!({ "type": "error", "error": { "code": "x" } })]);
    assert!(refused.is_refused());
    let error = json!({ "error": { "code": "x" } });
    assert!(!media(Endpoint::Speech, &[audio, error]).is_refused());
}

/// A stream of OpenAI's Responses API after these events.
fn responses(events: &[Value]) -> StreamUsage {
    let mut stream = StreamUsage::new(Endpoint::Responses, 10);
    for json in events {
        stream.read(event(json).as_bytes());
    }
    stream
}

fn response_event(kind: &str, usage: &Value) -> Value {
    let item = json!({ "type": "message", "content": [{ "text": "abcdefgh" }] });
    let response = json!({ "id": "resp_1", "error": null, "output": [item], "usage": usage });
    json!({ "type": kind, "response": response })
}

#[test]
fn text_of_a_response_counts_once() {
    let created = response_event("response.created", &json!(null));
    let delta = json!({ "type": "response.output_text.delta", "delta": "abcdefgh" });
    let last = response_event("response.completed", &json!(null));
    let deltas = responses(&[created.clone(), delta, last.clone()]);
    assert_eq!((sums(deltas.usage()), deltas.end()), ((10, 2, 12), StreamEnd::Whole));
    let repeated = responses(&[created, last]);
    assert_eq!(sums(repeated.usage()), (10, 2, 12), "it came in the last event only");
}

#[test]
fn last_event_of_a_response_tells_its_usage() {
    let usage = json!({ "input_tokens": 7, "output_tokens": 43, "total_tokens": 50 });
    for kind in ["response.completed", "response.incomplete", "response.failed"] {
        let mut stream = responses(&[response_event("response.created", &json!(null))]);
        assert_eq!(stream.end(), StreamEnd::Cut);
        let last = event(&response_event(kind, &usage));
        assert_eq!(stream.read(last.as_bytes()), EventKind::Done);
        assert_eq!((sums(stream.usage()), stream.end()), ((7, 43, 0), StreamEnd::Whole));
        assert!(!stream.is_refused());
    }
    let mut stream = responses(&[]);
    let untold = event(&response_event("response.completed", &json!({})));
    assert_eq!(stream.read(untold.as_bytes()), EventKind::LacksUsage);
    let told = String::from_utf8(stream.with_usage(untold.as_bytes())).unwrap();
    assert!(told.contains("\"output_tokens\":2") && told.contains("\"total_tokens\":12"), "{told}");
}

#[test]
fn error_of_a_response_ends_its_stream() {
    let error = json!({ "type": "error", "code": "x", "message": "y" });
    let mut stream = responses(&[response_event("response.created", &json!(null))]);
    assert_eq!(stream.read(event(&error).as_bytes()), EventKind::Error);
    assert!(stream.is_refused());
    assert_eq!(stream.end(), StreamEnd::Whole);
    let failed = event(&json!({ "type": "response.failed", "response": {} }));
    assert_eq!(stream.read(failed.as_bytes()), EventKind::Hidden);
    let delta = json!({ "type": "response.output_text.delta", "delta": "abc" });
    assert!(!responses(&[delta, error]).is_refused());
}
