//! The sandbox's messages.

use serde_json::{Value, json};

use super::super::inference_key;
use super::{message, send};
use crate::test_app::{Backend, TestApp, text};

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_answers_messages_plain_and_streamed() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (key, id) = inference_key(&app, &ada, json!({ "name": "k" })).await;
    let mut body = message("sandbox", "a");
    let whole: Value = send(&app, &key, &body).await.json().await.unwrap();
    assert_eq!((&whole["type"], &whole["role"]), (&json!("message"), &json!("assistant")));
    assert_eq!(whole["stop_reason"], "end_turn");
    let said = text(&whole["content"][0]["text"]);
    assert!(said.ends_with("You said: Hi"), "{said}");
    let output = whole["usage"]["output_tokens"].as_u64().unwrap();
    assert_eq!(output, said.len().div_ceil(4) as u64);
    body["stream"] = json!(true);
    let events = send(&app, &key, &body).await.text().await.unwrap();
    let events: Vec<Value> = events
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(events[0]["message"]["id"], whole["id"]);
    let deltas = events.iter().filter_map(|event| event["delta"]["text"].as_str());
    assert_eq!(deltas.collect::<String>(), said);
    let [.., stop, delta, last] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(stop["type"], "content_block_stop");
    assert_eq!(delta["usage"], whole["usage"], "some clients read the prompt's tokens here only");
    assert_eq!(delta["delta"]["stop_reason"], "end_turn");
    assert_eq!(last["type"], "message_stop");
    let used = app.json(&format!("/v1/inference/keys/{id}/usage?range=1h"), &ada.jwt).await;
    assert_eq!(used["totals"]["completion_tokens"], 2 * output);
    let count = app.post("/v1/messages/count_tokens").header("x-api-key", &key).json(&body);
    let count: Value = count.send().await.unwrap().json().await.unwrap();
    assert_eq!(count, json!({ "input_tokens": whole["usage"]["input_tokens"] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_stops_messages_at_their_cap_and_calls_tools() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (key, _) = inference_key(&app, &ada, json!({ "name": "k" })).await;
    let mut body = message("sandbox", "a");
    body["max_tokens"] = json!(2);
    let cut: Value = send(&app, &key, &body).await.json().await.unwrap();
    assert_eq!(
        (&cut["stop_reason"], &cut["usage"]["output_tokens"]),
        (&json!("max_tokens"), &json!(2))
    );
    body["max_tokens"] = json!(100);
    let schema = json!({
        "type": "object", "properties": { "city": { "const": "Bern" } }, "required": ["city"],
    });
    body["tools"] = json!([{ "name": "weather", "input_schema": schema }]);
    body["tool_choice"] = json!({ "type": "tool", "name": "weather" });
    let called: Value = send(&app, &key, &body).await.json().await.unwrap();
    assert_eq!(called["stop_reason"], "tool_use");
    let call = &called["content"][0];
    assert_eq!((&call["type"], &call["name"]), (&json!("tool_use"), &json!("weather")));
    assert_eq!(call["input"], json!({ "city": "Bern" }));
    body["stream"] = json!(true);
    let events = send(&app, &key, &body).await.text().await.unwrap();
    let parts = events.lines().filter_map(|line| line.strip_prefix("data: "));
    let parts: String = parts
        .map(|data| serde_json::from_str::<Value>(data).unwrap())
        .filter_map(|event| event["delta"]["partial_json"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(serde_json::from_str::<Value>(&parts).unwrap(), call["input"]);
    body["tool_choice"] = json!({ "type": "tool", "name": "none" });
    assert_eq!(send(&app, &key, &body).await.status(), 400);
}
