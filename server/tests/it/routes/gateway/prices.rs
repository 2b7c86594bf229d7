//! What calls cost in dollars, and where a spend limit ends them.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use latchkey_domain::limit::Period;
use latchkey_domain::money::Usd;
use latchkey_domain::price::Price;
use latchkey_domain::time::Timestamp;
use latchkey_domain::token_usage::TokenUsage;
use reqwest::Method;
use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, asks, chat, inference_key, refused, streamed};
use crate::test_app::{Backend, START, TestApp, text};

const PRICE: &str = ", price = { input = \"0.40\", cached_input = \"0.10\", cache_write = \"0.50\", \
                     output = \"1.20\", request = \"0.001\" }";
/// With the upstream's usual answer, of 7 and 3 tokens, each call costs a dollar.
const DOLLAR: &str = ", price = { input = 1, output = 2, request = \"0.999987\" }";
/// One dollar a call, and a millionth or two for each token.
const PER_REQUEST: &str = ", price = { input = 1, output = 2, request = 1 }";

fn event(json: &Value) -> String {
    format!("data: {json}\n\n")
}

fn said(words: &str) -> Value {
    json!({ "id": "x", "choices": [{ "index": 0, "delta": { "content": words }, "finish_reason": null }] })
}

/// A stream whose last event reports `usage`.
fn stream(usage: &Value) -> Script {
    let text = event(&said("Hi")) + &event(&json!({ "choices": [], "usage": usage }));
    Script::Stream(vec![Bytes::from(text + "data: [DONE]\n\n")])
}

fn whole(usage: &Value) -> Script {
    let message = json!({ "role": "assistant", "content": "Hi" });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let answer = json!({ "id": "x", "choices": [choice], "usage": usage });
    Script::Json(StatusCode::OK, answer.to_string().into())
}

async fn usage(gateway: &Gateway, id: &str) -> Value {
    gateway.app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    gateway.app.json(&path, &gateway.ada.jwt).await
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_is_exact_to_the_billionth_in_every_form() {
    let gateway = Gateway::with_model(Backend::Sqlite, PRICE).await;
    let openai = json!({
        "prompt_tokens": 1_000, "completion_tokens": 100,
        "prompt_tokens_details": { "cached_tokens": 600 },
    });
    let anthropic = json!({
        "input_tokens": 300, "cache_read_input_tokens": "600",
        "cache_creation_input_tokens": 100.0, "output_tokens": 100,
    });
    let small = json!({ "prompt_tokens": 1, "completion_tokens": 1, "cache_write_tokens": null });
    for (name, reported, prompt, cached, cost) in [
        // 400 × 400 + 600 × 100 + 100 × 1,200 billionths, and the request.
        ("openai", &openai, 1_000, 600, "0.00134"),
        // 300 × 400 + 600 × 100 + 100 × 500 + 100 × 1,200 billionths, and the request.
        ("anthropic", &anthropic, 1_000, 600, "0.00135"),
        ("small", &small, 1, 0, "0.0010016"),
    ] {
        for is_stream in [false, true] {
            let script = if is_stream { stream(reported) } else { whole(reported) };
            gateway.upstream.script(name, script);
            let body = if is_stream { streamed(name) } else { asks("qwen3.6-27b", name) };
            let limited = json!({ "name": format!("{name} {is_stream}"), "spend_limit": "5", "spend_limit_period": "day" });
            for limits in [json!({ "name": format!("{name} {is_stream} free") }), limited] {
                let (key, id) = gateway.key(limits.clone()).await;
                let answer = gateway.chat(&key, &body).await;
                assert_eq!(answer.status(), 200, "{limits}");
                answer.bytes().await.unwrap();
                let used = usage(&gateway, &id).await;
                let totals = &used["totals"];
                assert_eq!(totals["cost_usd"], cost, "{limits}");
                assert_eq!(totals["prompt_tokens"], prompt, "{limits}");
                assert_eq!(totals["cached_tokens"], cached, "{limits}");
                if limits["spend_limit"].is_string() {
                    assert_eq!(used["budgets"][0]["used"], cost, "{used}");
                    assert_eq!(used["budgets"][0]["reserved"], "0", "{used}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_is_rounded_up_to_the_next_billionth() {
    let price = ", price = { input = \"0.000000001\", output = 0 }";
    let gateway = Gateway::with_model(Backend::Sqlite, price).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    for calls in 1..=3 {
        assert_eq!(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await.status(), 200);
        let cost = Usd::from_billionths(calls).to_string();
        assert_eq!(usage(&gateway, &id).await["totals"]["cost_usd"], cost);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn model_without_price_is_refused_under_a_spend_limit() {
    let gateway = Gateway::with_model(Backend::Sqlite, PRICE).await;
    let spend = json!({ "name": "spend", "spend_limit": 5, "spend_limit_period": "month" });
    let (key, _) = gateway.key(spend).await;
    let answer = gateway.chat(&key, &asks("bge-m3", "a")).await;
    assert_eq!(answer.headers()["x-should-retry"], "false");
    assert_eq!(answer.headers()["x-latchkey-code"], "model_not_priced");
    let told = refused(answer, 403, "model_not_priced").await;
    assert_eq!(told["error"]["param"], "model");
    assert_eq!(told["error"]["type"], "permission_error");
    assert_eq!(told["error"].get("limit"), None, "no limit was reached");
    assert!(gateway.upstream.seen().is_empty());
    assert_eq!(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await.status(), 200);
    let tokens = json!({ "name": "tokens", "token_limit": 1_000, "token_limit_period": "day" });
    let (tokens, _) = gateway.key(tokens).await;
    assert_eq!(gateway.chat(&tokens, &asks("bge-m3", "a")).await.status(), 200);
    // A spend limit of the project counts as well.
    let path = format!("/v1/projects/{}", gateway.ada.project);
    let budgets = json!({ "budgets": [{ "unit": "usd", "limit": "5", "period": "day" }] });
    let changed = gateway.app.send(Method::PATCH, &path, &gateway.ada, &budgets).await;
    assert_eq!(changed.status(), 200);
    refused(gateway.chat(&tokens, &asks("bge-m3", "a")).await, 403, "model_not_priced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spend_limit_ends_calls_at_its_last_billionth() {
    let resets_at = Period::Day.around(Timestamp::from_millis(START)).1.unwrap();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let gateway = Gateway::with_model(backend, DOLLAR).await;
        let reported = json!({ "prompt_tokens": 7, "completion_tokens": 3 });
        gateway.upstream.script("stream", stream(&reported));
        for mut body in [asks("qwen3.6-27b", "a"), streamed("stream")] {
            body["max_tokens"] = json!(3);
            let name = text(&body["user"]);
            let limits = json!({ "name": name, "spend_limit": "5", "spend_limit_period": "day" });
            let (key, id) = gateway.key(limits).await;
            for call in 1..=5 {
                let answer = gateway.chat(&key, &body).await;
                assert_eq!(answer.status(), 200, "{name} {call}");
                answer.bytes().await.unwrap();
            }
            let sixth = gateway.chat(&key, &body).await;
            assert!(sixth.headers().get("retry-after").is_none());
            assert_eq!(sixth.headers()["x-should-retry"], "false");
            let told = refused(sixth, 402, "spend_limit_reached").await;
            assert_eq!(told["error"]["type"], "insufficient_quota");
            let words = text(&told["error"]["message"]);
            assert!(words.contains("$5 a day"), "{words}");
            assert!(words.contains(&format!("resets at {resets_at}")), "{words}");
            let limit = json!({
                "scope": "key", "unit": "usd", "period": "day", "limit": "5", "used": "5",
                "reserved": "0", "resets_at": resets_at,
            });
            assert_eq!(told["error"]["limit"], limit);
            let used = usage(&gateway, &id).await;
            assert_eq!(used["totals"]["cost_usd"], "5");
            assert_eq!(used["budgets"][0]["used"], "5");
            assert_eq!(used["budgets"][0]["remaining"], "0");
            assert_eq!(used["denials"][0]["code"], "spend_limit_reached");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_says_when_the_budget_frees() {
    let gateway = Gateway::with_model(Backend::Sqlite, PRICE).await;
    let limited = async |budget: Value| {
        let name = format!("{} {}", text(&budget["unit"]), text(&budget["period"]));
        let (key, _) = gateway.key(json!({ "name": name, "budgets": [budget] })).await;
        assert_eq!(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await.status(), 200, "{name}");
        (gateway.chat(&key, &asks("qwen3.6-27b", "a")).await, key)
    };
    let (answer, key) =
        limited(json!({ "unit": "requests", "limit": 1, "period": "minute" })).await;
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let told = refused(answer, 429, "request_budget_exhausted").await;
    assert_eq!(told["error"]["type"], "rate_limit_error");
    assert_eq!(told["error"]["limit"]["unit"], "requests");
    assert!(told["error"]["limit"]["resets_at"].is_string());
    gateway.app.advance(Duration::from_secs(wait));
    assert_eq!(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await.status(), 200);
    for (unit, limit, code) in [
        ("requests", json!(1), "request_budget_exhausted"),
        ("tokens", json!(10), "token_budget_exhausted"),
        ("usd", json!("0.00101"), "spend_limit_reached"),
    ] {
        let budget = json!({ "unit": unit, "limit": limit, "period": "total" });
        let (answer, _) = limited(budget).await;
        assert!(answer.headers().get("retry-after").is_none(), "{unit} never frees");
        assert_eq!(answer.headers()["x-should-retry"], "false");
        let told = refused(answer, 402, code).await;
        let refusing = &told["error"]["limit"];
        assert_eq!((&refusing["unit"], &refusing["period"]), (&json!(unit), &json!("total")));
        assert_eq!(refusing["resets_at"], Value::Null);
        assert!(text(&told["error"]["message"]).contains("does not reset"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_call_costs_a_request_and_no_money() {
    let gateway = Gateway::with_model(Backend::Sqlite, PER_REQUEST).await;
    let error = json!({ "error": { "message": "no" } }).to_string();
    let answers = |status| Script::Json(status, error.clone().into());
    let refusal = Bytes::from(format!("data: {error}\n\n"));
    let begun = || vec![Bytes::from(event(&said("Hi")))];
    for (user, script, is_stream, status, cost) in [
        ("refuses", answers(StatusCode::BAD_REQUEST), false, 400, "0"),
        ("refuses a stream", answers(StatusCode::BAD_REQUEST), true, 400, "0"),
        ("fails", answers(StatusCode::INTERNAL_SERVER_ERROR), false, 502, "0"),
        ("says so", answers(StatusCode::OK), false, 502, "0"),
        ("breaks off", Script::Break(vec!["{".into()]), false, 502, "0"),
        ("refuses in a stream", Script::Stream(vec![refusal]), true, 200, "0"),
        // The upstream has the prompt, of six tokens.
        ("silent", Script::Silent, false, 504, "1.000006"),
        // The prompt and what had come.
        ("breaks", Script::Break(begun()), true, 200, "1.000008"),
        ("stops", Script::Stream(begun()), true, 200, "1.000008"),
        ("hangs", Script::Hang(begun()), true, 200, "1.000008"),
    ] {
        gateway.upstream.script(user, script);
        let budgets = json!([
            { "unit": "requests", "limit": 100, "period": "day" },
            { "unit": "tokens", "limit": 100_000, "period": "day" },
            { "unit": "usd", "limit": "100", "period": "day" },
        ]);
        let (key, id) = gateway.key(json!({ "name": user, "budgets": budgets })).await;
        let body = if is_stream { streamed(user) } else { asks("qwen3.6-27b", user) };
        let answer = gateway.chat(&key, &body).await;
        assert_eq!(answer.status(), status, "{user}");
        answer.bytes().await.unwrap();
        let used = usage(&gateway, &id).await;
        assert_eq!(used["totals"]["cost_usd"], cost, "{user}");
        assert_eq!(used["budgets"][0]["used"], 1, "{user}");
        assert_eq!(used["budgets"][1]["used"] == 0, cost == "0", "{user}: {used}");
        assert_eq!(used["budgets"][2]["used"], cost, "{user}");
        for budget in used["budgets"].as_array().unwrap() {
            assert!([json!(0), json!("0")].contains(&budget["reserved"]), "{user}: {used}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn test_key_pays_the_price_of_the_model_it_names() {
    let gateway = Gateway::with_model(Backend::Sqlite, PRICE).await;
    let priced = json!({ "input": "0.40", "output": "1.20", "request": "0.001" });
    let priced: Price = serde_json::from_value(priced).unwrap();
    for (model, price) in
        [("qwen3.6-27b", priced), ("bge-m3", Price::SANDBOX), ("sandbox", Price::SANDBOX)]
    {
        let limits = json!({
            "name": model, "environment": "test", "spend_limit": "5", "spend_limit_period": "day",
        });
        let (key, id) = gateway.key(limits).await;
        let answer: Value = gateway.chat(&key, &asks(model, "a")).await.json().await.unwrap();
        let of = |name: &str| answer["usage"][name].as_u64().unwrap();
        let (prompt, completion) = (of("prompt_tokens"), of("completion_tokens"));
        let cost = price.cost(TokenUsage { prompt, completion, ..TokenUsage::default() });
        let used = usage(&gateway, &id).await;
        assert_eq!(used["totals"]["cost_usd"], cost.to_string(), "{model}");
        assert_eq!(used["budgets"][0]["used"], cost.to_string(), "{model}");
    }
    assert!(gateway.upstream.seen().is_empty());
}

/// The example of the documentation.
#[tokio::test(flavor = "multi_thread")]
async fn five_dollars_a_day_end_at_the_fifth_dollar() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let limits = json!({ "name": "five", "spend_limit": "5", "spend_limit_period": "day" });
    let (key, id) = inference_key(&app, &ada, limits).await;
    let message = json!({ "role": "user", "content": "x".repeat(3_999_960) });
    let body = json!({ "model": "sandbox", "max_tokens": 1, "messages": [message] });
    for call in 1..=5 {
        assert_eq!(chat(&app, &key, &body).await.status(), 200, "{call}");
    }
    let told = refused(chat(&app, &key, &body).await, 402, "spend_limit_reached").await;
    assert_eq!(told["error"]["limit"]["used"], "4.999985");
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    assert_eq!(app.json(&path, &ada.jwt).await["totals"]["cost_usd"], "4.999985");
    app.advance(Duration::from_hours(24));
    assert_eq!(chat(&app, &key, &body).await.status(), 200, "a new day");
}
