use super::*;

fn read(stream: &mut ResponsesStream, event: &Value) -> ResponsesEvent {
    stream.read(event.to_string().as_bytes(), event["error"].is_object())
}

fn created(id: &str) -> Value {
    let response = json!({ "id": id, "model": "m", "created_at": 7, "error": null });
    json!({ "type": "response.created", "sequence_number": 0, "response": response })
}

fn delta(kind: &str, text: &str, number: u64) -> Value {
    json!({ "type": kind, "sequence_number": number, "delta": text })
}

fn begun() -> ResponsesStream {
    let mut stream = ResponsesStream::default();
    read(&mut stream, &created("resp_1"));
    read(&mut stream, &delta("response.output_text.delta", "a", 4));
    stream
}

/// The data of each event.
fn parsed(events: &str) -> Vec<Value> {
    let data = events.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[test]
fn deltas_of_every_text_are_counted() {
    let mut stream = ResponsesStream::default();
    for kind in [
        "response.output_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.mcp_call_arguments.delta",
        "response.audio.transcript.delta",
    ] {
        let event = read(&mut stream, &delta(kind, "a\n\u{e9}", 1));
        assert_eq!((event.text, event.is_output), (4, true), "{kind}");
    }
    for kind in ["response.audio.delta", "response.output_text.done", "x.delta"] {
        assert_eq!(read(&mut stream, &delta(kind, "abc", 1)).text, 0, "{kind}");
    }
    let vector = json!({ "type": "response.output_text.delta", "delta": { "x": "abc" } });
    assert_eq!(read(&mut stream, &vector).text, 0);
}

#[test]
fn id_is_that_of_the_first_event_and_told_once() {
    let mut stream = ResponsesStream::default();
    assert_eq!(stream.take_id(), None);
    read(&mut stream, &created(&"x".repeat(MAX_ID_CHARS + 1)));
    assert_eq!(stream.take_id(), None, "too long");
    let long = "é".repeat(MAX_ID_CHARS);
    read(&mut stream, &created(&long));
    read(&mut stream, &created("other"));
    assert_eq!(stream.take_id(), Some(long.as_str()));
    assert_eq!(stream.take_id(), None);
}

fn item(id: &str, is_container: bool) -> ItemId {
    ItemId { id: id.to_owned(), is_container }
}

#[test]
fn ids_of_items_are_told_with_their_events() {
    let mut stream = begun();
    let event = |kind: &str, id: &Value| json!({ "type": kind, "item": { "id": id, "x": [{}] } });
    read(&mut stream, &event("response.output_item.added", &json!("fc_1")));
    assert_eq!(stream.take_item_ids(), [item("fc_1", false)]);
    assert!(stream.take_item_ids().is_empty());
    let ids = json!({ "id": "ci_1", "container_id": "cntr_1" });
    read(&mut stream, &json!({ "type": "response.output_item.done", "item": ids }));
    assert_eq!(stream.take_item_ids(), [item("ci_1", false), item("cntr_1", true)]);
    read(&mut stream, &event("response.output_item.done", &json!("fc_1")));
    read(&mut stream, &delta("response.output_text.delta", "a", 1));
    assert!(stream.take_item_ids().is_empty(), "those of the last event only");
    for odd in [json!(7), json!(""), json!("x".repeat(MAX_ID_CHARS + 1)), json!(null)] {
        read(&mut stream, &event("response.output_item.done", &odd));
        assert!(stream.take_item_ids().is_empty(), "{odd}");
    }
    read(&mut stream, &event("response.other", &json!("fc_1")));
    assert!(stream.take_item_ids().is_empty());
}

#[test]
fn error_is_sent_in_every_form_that_clients_read() {
    let error = GatewayError::upstream_error();
    let events = begun().error_events(&error);
    assert!(events.starts_with("event: error\ndata: ") && events.ends_with("\n\n"));
    let [first, failed] = <[Value; 2]>::try_from(parsed(&events)).unwrap();
    assert_eq!((&first["code"], &first["sequence_number"]), (&json!("upstream_error"), &json!(5)));
    assert_eq!((&first["message"], &first["param"]), (&json!(error.message()), &Value::Null));
    assert_eq!(first["error"]["message"], first["message"]);
    assert_eq!(
        (&failed["type"], &failed["sequence_number"]),
        (&json!("response.failed"), &json!(6))
    );
    let response = &failed["response"];
    assert_eq!((&response["id"], &response["model"]), (&json!("resp_1"), &json!("m")));
    assert_eq!(response["error"]["message"], error.message());
    assert_eq!((&response["status"], &response["created_at"]), (&json!("failed"), &json!(7)));
}

#[test]
fn replaced_event_leaves_no_gap_in_the_sequence() {
    let mut stream = begun();
    let flat = json!({ "type": "error", "sequence_number": 5, "message": "x", "code": null });
    assert_eq!(read(&mut stream, &flat).kind, ResponsesKind::Error);
    let events = parsed(&stream.error_events(&GatewayError::upstream_error()));
    assert_eq!(events[0]["sequence_number"], 5);
    let mut stream = begun();
    read(&mut stream, &delta("response.output_text.delta", "b", 5));
    let usage = TokenUsage { prompt: 9, completion: 4, cached: 2, ..TokenUsage::default() };
    let events = parsed(&stream.cap_events(usage));
    let [incomplete] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(
        (&incomplete["type"], &incomplete["sequence_number"]),
        (&json!("response.incomplete"), &json!(5))
    );
    let response = &incomplete["response"];
    assert_eq!(response["id"], "resp_1");
    assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(response["usage"]["input_tokens_details"]["cached_tokens"], 2);
    assert_eq!(response["usage"]["total_tokens"], 13);
}

#[test]
fn only_a_completed_response_without_counts_lacks_usage() {
    let good = json!({ "input_tokens": 1, "output_tokens": 2, "total_tokens": 3 });
    let other = json!({ "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 });
    for (kind, usage, expected) in [
        ("response.completed", json!(null), ResponsesKind::LacksUsage),
        ("response.completed", json!({}), ResponsesKind::LacksUsage),
        ("response.completed", other.clone(), ResponsesKind::LacksUsage),
        ("response.completed", good.clone(), ResponsesKind::Final),
        ("response.incomplete", other, ResponsesKind::Final),
        ("response.failed", json!(null), ResponsesKind::Final),
        ("response.in_progress", json!(null), ResponsesKind::Other),
    ] {
        let event = json!({ "type": kind, "response": { "id": "resp_1", "usage": usage } });
        assert_eq!(read(&mut begun(), &event).kind, expected, "{event}");
    }
    let absent = json!({ "type": "response.completed", "response": { "id": "resp_1" } });
    assert_eq!(read(&mut begun(), &absent).kind, ResponsesKind::LacksUsage);
    for odd in [json!(7), json!({}), json!({ "type": 7 }), json!({ "response": 7 })] {
        assert_eq!(read(&mut begun(), &odd), ResponsesEvent::OTHER, "{odd}");
    }
}

#[test]
fn counts_are_added_under_their_own_names() {
    let response = json!({
        "id": "resp_1", "temperature": 1.0,
        "usage": { "prompt_tokens": 9, "completion_tokens_details": { "reasoning_tokens": 3 } },
    });
    let event = json!({ "type": "response.completed", "response": response });
    let event = format!("event: response.completed\r\nid: 7\r\ndata: {event}\r\n\r\n");
    let usage = TokenUsage { prompt: 9, completion: 4, ..TokenUsage::default() };
    let out = String::from_utf8(with_usage(event.as_bytes(), usage).unwrap()).unwrap();
    let data = out.strip_prefix("event: response.completed\nid: 7\ndata: ").unwrap();
    let json: Value = serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap();
    let usage = &json["response"]["usage"];
    assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(9), &json!(4)));
    assert_eq!(usage["output_tokens_details"]["reasoning_tokens"], 3);
    assert_eq!(json["response"]["temperature"], 1.0);
    assert_eq!(with_usage(b"data: 7\n\n", TokenUsage::default()), None);
}

#[test]
fn end_is_seen_in_an_event_that_is_too_long() {
    for event in [
        "event: response.completed\ndata: {",
        "data: {\"type\":\"response.incomplete\",",
        "data: {\"type\": \"response.failed\", ",
    ] {
        assert!(begins_final(event.as_bytes()), "{event}");
    }
    assert!(!begins_final(
        b"data: {\"type\":\"response.output_text.done\",\"text\":\"response.failed"
    ));
    assert!(!begins_final(b""));
}
