use super::*;

fn scanned(json: &str, size: usize) -> ResponseScanner {
    scanned_in(AnswerForm::Choices, json, size)
}

fn scanned_in(form: AnswerForm, json: &str, size: usize) -> ResponseScanner {
    let mut scanner = ResponseScanner::new(form);
    for part in json.as_bytes().chunks(size) {
        scanner.read(part);
    }
    assert_eq!(scanner.length, json.len() as u64);
    assert!(scanner.frames.capacity() <= 2 * MAX_DEPTH);
    assert!(scanner.name.capacity() <= 4 * MAX_NAME_BYTES);
    scanner
}

fn usage(json: &str, size: usize) -> Option<(u64, u64)> {
    let reported = scanned(json, size).reported();
    reported.whole_prompt().zip(reported.completion)
}

const USED: &str = r#"{"prompt_tokens": 3, "completion_tokens": 5, "d": {"a": [1, "}"]}}"#;

#[test]
fn usage_is_found_at_any_depth_and_chunking() {
    for (json, wanted) in [
        (format!(r#"{{"usage": {USED}}}"#), Some((3, 5))),
        (format!(r#" {{"a": [{{"x": 7}}, "\"}},"], "usage": {USED}, "b": 1}}"#), Some((3, 5))),
        (format!(r#"{{"us\u0061ge":{USED}}}"#), Some((3, 5))),
        (format!(r#"{{"x_groq": {{"usage": {USED}}}}}"#), Some((3, 5))),
        (format!(r#"{{"choices": [{{"delta": {{}}, "usage": {USED}}}]}}"#), Some((3, 5))),
        (format!(r#"{{"usage": {USED}, "x": {{"usage": {{"prompt_tokens": 9}}}}}}"#), Some((3, 5))),
        (format!(r#"{{"x": {{"usage": {{"prompt_tokens": 9}}}}, "usage": {USED}}}"#), Some((3, 5))),
        (format!(r#"{{"a": "usage", "b": {USED}}}"#), None),
        (format!(r#"{{"usage": {USED}"#), Some((3, 5))),
        (format!(r#"{{"usage": null, "x": {USED}}}"#), None),
        (r#"{"usage": {"prompt_tokens": 3, "#.to_owned(), None),
        ("data: x".to_owned(), None),
        (String::new(), None),
    ] {
        for size in [1, 2, 3, 7, 1_000] {
            assert_eq!(usage(&json, size), wanted, "{json} by {size}");
        }
    }
}

#[test]
fn names_and_values_of_any_length_are_skipped() {
    let long = "x".repeat(1_000_000);
    assert_eq!(usage(&format!(r#"{{"{long}": "{long}", "usage": {USED}}}"#), 4_096), Some((3, 5)));
    assert_eq!(usage(&format!(r#"{{"usage": {{"a": "{long}"}}}}"#), 4_096), None);
    let deep = "[".repeat(1_000_000);
    assert_eq!(usage(&format!(r#"{{"usage": {deep}"#), 4_096), None);
    let closed = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    assert_eq!(usage(&format!(r#"{{"a": {closed}, "usage": {USED}}}"#), 4_096), Some((3, 5)));
}

#[test]
fn only_generated_text_is_counted() {
    for (json, text) in [
        (r#"{"choices": [{"message": {"role": "assistant", "content": "abc"}}]}"#, 3),
        (r#"{"choices": [{"text": "abc"}, {"text": "de"}]}"#, 5),
        (r#"{"choices": [{"delta": {"content": "a\nb\"\u00e9\ud83e\udd80"}}]}"#, 10),
        (r#"{"choices": [{"delta": {"reasoning_content": "abc", "content": null}}]}"#, 3),
        (
            r#"{"choices": [{"message": {"tool_calls": [{"id": "x", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}}]}"#,
            7,
        ),
        (r#"{"choices": [{"message": {"content": [{"type": "text", "text": "abc"}]}}]}"#, 3),
        (
            r#"{"choices": [{"message": {"content": "abc"}, "logprobs": {"content": [{"token": "abc", "text": "abc", "top_logprobs": [{"text": "abc"}]}]}}]}"#,
            3,
        ),
        (r#"{"data": [{"embedding": [1, 2], "text": "x"}], "content": "x"}"#, 0),
        (r#"{"choices": [{"content": {"usage": {"text": "abc"}}}]}"#, 0),
    ] {
        for size in [1, 5, 1_000] {
            assert_eq!(scanned(json, size).text(), text, "{json} by {size}");
        }
    }
}

#[test]
fn finish_tool_calls_and_errors_are_found() {
    let all = |json: &str| {
        let seen = scanned(json, 3);
        (seen.has_finish(), seen.has_tool_call(), seen.has_error(), seen.has_choice())
    };
    let finish = r#"{"choices": [{"delta": {}, "finish_reason": "stop"}]}"#;
    assert_eq!(all(finish), (true, false, false, true));
    let none =
        r#"{"choices": [{"delta": {"tool_calls": []}, "finish_reason": null}], "error": null}"#;
    assert_eq!(all(none), (false, false, false, true));
    let call = r#"{"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}"#;
    assert_eq!(all(call), (false, true, false, true));
    assert_eq!(all(r#"{"error": {"message": "no"}}"#), (false, false, true, false));
    assert_eq!(all(r#"{"error": false, "choices": []}"#), (false, false, false, false));
    assert_eq!(all(r#"{"error": "no", "choices": null}"#), (false, false, true, false));
    assert_eq!(all(r#"{"choices": [], "finish_reason": "stop"}"#), (false, false, false, false));
}

#[test]
fn text_of_messages_counts_alike_streamed_and_whole() {
    for (json, text) in [
        (r#"{"content": [{"type": "text", "text": "abc"}, {"type": "text", "text": "de"}]}"#, 5),
        (r#"{"content": [{"type": "thinking", "thinking": "abc", "signature": "xyz"}]}"#, 3),
        (r#"{"content": [{"type": "redacted_thinking", "data": "xyz"}]}"#, 0),
        (r#"{"content": [{"type": "compaction", "content": "abc"}]}"#, 3),
        (
            r#"{"content": [{"type": "tool_use", "name": "f", "input": {"a": [1, "b c\n"], "text": "x"}}]}"#,
            28,
        ),
        (r#"{"content": [{"type": "tool_use", "input": { }}, {"text": "abc"}]}"#, 3),
        (r#"{"type": "x", "delta": {"type": "text_delta", "text": "abc"}}"#, 3),
        (r#"{"type": "x", "delta": {"type": "input_json_delta", "partial_json": "{\"a\":1}"}}"#, 7),
        (r#"{"type": "x", "delta": {"type": "thinking_delta", "thinking": "abc"}}"#, 3),
        (r#"{"type": "x", "delta": {"type": "signature_delta", "signature": "xyz"}}"#, 0),
        (r#"{"type": "x", "content_block": {"type": "text", "text": "abc"}}"#, 3),
        (r#"{"type": "x", "content_block": {"type": "tool_use", "input": {}}}"#, 0),
        (
            r#"{"content": [{"type": "mcp_tool_result", "content": [{"type": "text", "text": "xyz"}]}]}"#,
            0,
        ),
        (r#"{"type": "message", "text": "xyz", "message": {"content": [{"text": "xyz"}]}}"#, 0),
        (r#"{"choices": [{"message": {"content": "xyz"}}]}"#, 0),
    ] {
        for size in [1, 5, 1_000] {
            assert_eq!(scanned_in(AnswerForm::Messages, json, size).text(), text, "{json} {size}");
        }
    }
}

#[test]
fn arguments_of_a_tool_are_only_text() {
    let all = |json: &str| {
        let seen = scanned_in(AnswerForm::Messages, json, 3);
        (seen.has_finish(), seen.has_error(), seen.has_choice(), seen.reported().completion)
    };
    let block = r#"{"content": [{"input": {"stop_reason": "x", "usage": {"output_tokens": 9}}}],
                    "usage": {"output_tokens": 5}}"#;
    assert_eq!(all(block), (false, false, true, Some(5)));
    let start = r#"{"type": "message_start", "message": {"content": [], "stop_reason": null,
                    "usage": {"input_tokens": 3, "output_tokens": 1}}}"#;
    assert_eq!(all(start), (false, false, false, Some(1)));
    let end = r#"{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}"#;
    assert_eq!(all(end), (true, false, true, None));
    let error = r#"{"type": "error", "error": {"type": "overloaded_error", "message": "no"}}"#;
    assert_eq!(all(error), (false, true, false, None));
}

#[test]
fn text_of_a_transcript_is_counted_once() {
    for (json, text) in [
        (r#"{"text": "abcd", "usage": {"type": "duration", "seconds": 9}}"#, 4),
        (r#"{"text": "abcd", "segments": [{"text": "abcd"}], "words": [{"word": "abcd"}]}"#, 4),
        (r#"{"type": "transcript.text.delta", "delta": "ab", "logprobs": [{"text": "a"}]}"#, 2),
        (r#"{"choices": [{"delta": {"content": "abc"}}]}"#, 3),
        (r#"{"error": {"message": "abcd"}}"#, 0),
    ] {
        for size in [1, 7, 1_000] {
            assert_eq!(scanned_in(AnswerForm::Transcript, json, size).text(), text, "{json}");
        }
    }
    assert_eq!(scanned(r#"{"text": "abcd"}"#, 7).text(), 0);
}

#[test]
fn text_of_a_response_is_in_its_output() {
    let message = r#"{"type": "message", "id": "x", "content": [{"text": "abc", "logprobs": ["a"],
                      "annotations": [{"text": "a"}]}, {"refusal": "de"}]}"#;
    let call = r#"{"type": "function_call", "name": "f", "arguments": "{\"a\":1}"}"#;
    let custom = r#"{"type": "custom_tool_call", "input": "xy"}"#;
    let search = r#"{"type": "file_search_call", "results": [{"text": "abcd"}], "queries": ["a"]}"#;
    let more =
        r#""instructions": "abc", "text": {"format": {"text": "a"}}, "tools": [{"text": "a"}]"#;
    for (json, text) in [
        (format!(r#"{{{more}, "output": [{message}, {call}]}}"#), 3 + 2 + 7),
        (format!(r#"{{"output": [{custom}, {search}], "choices": [{{"text": "a"}}]}}"#), 2),
        (format!(r#"{{"type": "x", "response": {{"output": [{message}]}}}}"#), 5),
        (r#"{"output": "abc", "content": "abc"}"#.to_owned(), 0),
    ] {
        for size in [1, 7, 1_000] {
            assert_eq!(scanned_in(AnswerForm::Responses, &json, size).text(), text, "{json}");
        }
    }
    let is_answer = |json| scanned_in(AnswerForm::Responses, json, 7).has_choice();
    assert!(is_answer(r#"{"error": {"code": "x"}, "output": []}"#));
    assert!(is_answer(r#"{"status": "failed", "error": {"code": "x"}}"#));
    assert!(!is_answer(r#"{"error": {"code": "x", "status": "failed"}, "status": 500}"#));
}

#[test]
fn id_of_a_response_is_read_in_chunks() {
    let id = |json: &str, size| {
        let scanner = scanned_in(AnswerForm::Responses, json, size);
        scanner.response_id().map(str::to_owned)
    };
    let long = "é".repeat(1_024);
    for size in [1, 7, 10_000] {
        let nested = r#"{"output": [{"id": "msg_1"}], "id": "resp_1", "x": {"id": "y"}}"#;
        assert_eq!(id(nested, size).as_deref(), Some("resp_1"));
        assert_eq!(id(&format!(r#"{{"id": "{long}"}}"#), size).as_deref(), Some(long.as_str()));
        for odd in [r#"{"id": "resp_"#, r#"{"id": 7}"#, r#"{"id": ""}"#, r#"{"id": "a\"b"}"#] {
            assert_eq!(id(odd, size), None, "{odd}");
        }
        assert_eq!(id(&format!(r#"{{"id": "{long}x"}}"#), size), None, "too long");
    }
    let mut other = ResponseScanner::new(AnswerForm::Choices);
    other.read(br#"{"id": "x"}"#);
    assert_eq!(other.response_id(), None);
}

#[test]
fn ids_of_output_items_are_read_in_chunks() {
    let json = r#"{"id": "resp_1", "output": [{"type": "x", "id": "rs_1", "content": [{"id": "a"}]},
                   {"container_id": "cntr_1", "outputs": [{"container_id": "e"}]},
                   {"id": 7}, {"id": "a\"b"}, {"id": ""}, {"x": {"id": "b"}, "id": "msg_2"}],
                   "tools": [{"id": "c"}], "reasoning": {"output": {"id": "d"}}}"#;
    for size in [1, 7, 10_000] {
        let mut scanner = scanned_in(AnswerForm::Responses, json, size);
        let found = scanner.take_item_ids();
        let found: Vec<_> = found.iter().map(|one| (one.id.as_str(), one.is_container)).collect();
        assert_eq!(found, [("rs_1", false), ("cntr_1", true), ("msg_2", false)], "{size}");
        assert!(scanner.take_item_ids().is_empty());
    }
    let many = format!(r#"{{"output": [{}]}}"#, [r#"{"id": "x"}"#; MAX_ITEMS + 1].join(","));
    let mut scanner = scanned_in(AnswerForm::Responses, &many, many.len());
    assert_eq!(scanner.take_item_ids().len(), MAX_ITEMS);
}

#[test]
fn name_of_escapes_alone_is_kept_in_part() {
    let mut scanner = ResponseScanner::default();
    scanner.read(b"{\"");
    scanner.read(&b"\\n".repeat(10_000));
    assert!(scanner.name.len() <= MAX_NAME_BYTES + 1, "{}", scanner.name.len());
    scanner.read(b"\": 1, \"usage\": {\"prompt_tokens\": 7}}");
    assert_eq!(scanner.reported(), ReportedUsage::read(b"{\"prompt_tokens\": 7}"));
}
