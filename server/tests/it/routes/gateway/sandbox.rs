//! What a call of the sandbox may cost.

use serde_json::{Value, json};

use super::{asks, chat, inference_key, refused};
use crate::test_app::{Backend, TestApp};

async fn embed(app: &TestApp, key: &str, body: &Value) -> reqwest::Response {
    app.post("/v1/embeddings").bearer_auth(key).json(body).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_are_bounded_before_anything_is_reserved() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let budget = json!({ "name": "k", "token_limit": 1_000_000, "token_limit_period": "month" });
    let (key, id) = inference_key(&app, &ada, budget).await;
    let of = |inputs: usize, dimensions: u64| json!({ "model": "sandbox", "input": vec!["a"; inputs], "dimensions": dimensions });
    for body in [of(2_049, 1), of(257, 4_096), of(2_048, 513)] {
        let told = refused(embed(&app, &key, &body).await, 400, "invalid").await;
        assert_eq!(told["error"]["param"], "input");
    }
    for dimensions in [json!(0), json!(4_097), json!(1.5), json!("8")] {
        let body = json!({ "model": "sandbox", "input": "a", "dimensions": dimensions });
        let told = refused(embed(&app, &key, &body).await, 400, "invalid").await;
        assert_eq!(told["error"]["param"], "dimensions");
    }
    app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    assert_eq!(app.json(&path, &ada.jwt).await["budget"]["used"], 0);
    let tokens = json!({ "model": "sandbox", "input": vec![7; 3_000], "dimensions": 1 });
    let tokens: Value = embed(&app, &key, &tokens).await.json().await.unwrap();
    assert_eq!(tokens["data"].as_array().unwrap().len(), 1, "tokens are one input");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_embeddings_come_in_pieces_and_whole() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (key, id) = inference_key(&app, &ada, json!({ "name": "k", "max_parallel": 1 })).await;
    let inputs: Vec<String> = (0..64).map(|index| format!("text {index}")).collect();
    let body = json!({ "model": "sandbox", "input": inputs, "dimensions": 256 });
    let answer = embed(&app, &key, &body).await;
    assert!(!answer.headers().contains_key("content-length"));
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["data"].as_array().unwrap().len(), 64);
    for (index, vector) in answer["data"].as_array().unwrap().iter().enumerate() {
        assert_eq!(vector["index"], index);
        assert_eq!(vector["embedding"].as_array().unwrap().len(), 256);
    }
    let mut one = json!({ "model": "sandbox", "input": "text 7", "dimensions": 256 });
    let same: Value = embed(&app, &key, &one).await.json().await.unwrap();
    assert_eq!(same["data"][0]["embedding"], answer["data"][7]["embedding"]);
    one["encoding_format"] = json!("base64");
    let encoded: Value = embed(&app, &key, &one).await.json().await.unwrap();
    assert_eq!(encoded["data"][0]["embedding"].as_str().unwrap().len(), 1_368);
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let used = app.json(&path, &ada.jwt).await;
    assert_eq!(used["totals"]["requests"], 3);
    assert_eq!(used["totals"]["denied"], 0, "one call at a time is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_choices_of_a_long_text_stay_short() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (key, _) = inference_key(&app, &ada, json!({ "name": "k" })).await;
    let mut body = json!({
        "model": "sandbox", "n": 128, "messages": [{ "role": "user", "content": "x".repeat(5_000) }],
    });
    for stream in [false, true] {
        body["stream"] = json!(stream);
        let answer = super::chat(&app, &key, &body).await.text().await.unwrap();
        assert!(answer.len() < 700_000, "{}", answer.len());
        assert_eq!(answer.matches("\"finish_reason\":\"stop\"").count(), 128);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_answers_in_the_structure_asked_for() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (key, _) = inference_key(&app, &ada, json!({ "name": "k" })).await;
    let schema = json!({
        "type": "object", "required": ["city", "days"],
        "properties": { "city": { "type": "string" }, "days": { "type": "integer", "minimum": 1 } },
    });
    let mut formatted = asks("sandbox", "a");
    formatted["response_format"] =
        json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": schema } });
    let answer: Value = chat(&app, &key, &formatted).await.json().await.unwrap();
    let content = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(content).unwrap(),
        json!({ "city": "sandbox", "days": 1 })
    );
    let mut demanding = asks("sandbox", "a");
    demanding["tools"] =
        json!([{ "type": "function", "function": { "name": "plan", "parameters": schema } }]);
    demanding["tool_choice"] = json!("required");
    let answer: Value = chat(&app, &key, &demanding).await.json().await.unwrap();
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], Value::Null);
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["function"]["name"], "plan");
    assert_eq!(call["function"]["arguments"], content);
    demanding["stream"] = json!(true);
    let stream = chat(&app, &key, &demanding).await.text().await.unwrap();
    let deltas = stream.split("\n\n").filter_map(|event| event.strip_prefix("data: {"));
    let deltas: Vec<Value> = deltas
        .map(|event| serde_json::from_str::<Value>(&format!("{{{event}")).unwrap())
        .map(|event| event["choices"][0]["delta"]["tool_calls"][0].clone())
        .collect();
    assert_eq!(deltas[0]["id"], call["id"]);
    let arguments: String =
        deltas.iter().filter_map(|call| call["function"]["arguments"].as_str()).collect();
    assert_eq!(arguments, content);
}
