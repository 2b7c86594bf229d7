use super::*;

fn scanned(json: &str, size: usize) -> ResponseScanner {
    let mut scanner = ResponseScanner::default();
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
