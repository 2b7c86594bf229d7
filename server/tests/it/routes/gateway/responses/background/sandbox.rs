//! Background responses of the sandbox: queued, then in progress, then completed, as they are read.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::super::send;
use super::{on_both_gateways, tokens};
use crate::routes::gateway::{Gateway, refused};
use crate::test_app::text;

/// Tokens that the answer to [`hello`] has at most.
const CAP: u64 = 50;

fn hello() -> Value {
    json!({
        "model": "qwen3.6-27b", "input": "Hi", "background": true, "max_output_tokens": CAP,
    })
}

/// A test key; its secret and its id.
async fn test_key(gateway: &Gateway) -> (String, String) {
    let limit = json!({
        "name": "t", "environment": "test", "token_limit": 1_000, "token_limit_period": "month",
    });
    gateway.key(limit).await
}

async fn json_of(answer: Response) -> Value {
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

/// Makes a response in the background; its ID.
async fn make(gateway: &Gateway, key: &str) -> String {
    let made = json_of(send(&gateway.app, key, &hello()).await).await;
    assert_eq!((&made["status"], &made["background"]), (&json!("queued"), &json!(true)));
    assert_eq!((&made["output"], &made["usage"]), (&json!([]), &Value::Null));
    text(&made["id"])
}

async fn ask(gateway: &Gateway, method: Method, path: &str, key: &str) -> Response {
    super::ask(&gateway.app, method, path, key).await
}

on_both_gateways! {
    async fn sandbox_ends_a_response_when_it_is_read(gateway: Gateway) {
        let (key, id) = test_key(&gateway).await;
        for round in 1..=2 {
            let response = make(&gateway, &key).await;
            let counted = tokens(&gateway, &id).await;
            let (_, reserved) = super::budget(&gateway, &id).await;
            assert!(reserved >= CAP, "{reserved} reserved");
            let read = json_of(ask(&gateway, Method::GET, &response, &key).await).await;
            assert_eq!(read["status"], "in_progress");
            assert_eq!(tokens(&gateway, &id).await, counted, "it goes on");
            let readings = (0..20).map(|_| ask(&gateway, Method::GET, &response, &key));
            for read in futures::future::join_all(readings).await {
                let read = json_of(read).await;
                assert_eq!(read["status"], "completed");
                let said = text(&read["output"][0]["content"][0]["text"]);
                assert!(said.ends_with("You said: Hi"), "{said}");
                assert!(read["usage"]["output_tokens"].as_u64().unwrap() > 0);
            }
            let (prompt, completion) = tokens(&gateway, &id).await;
            assert_eq!(super::budget(&gateway, &id).await, (prompt + completion, 0));
            assert_eq!((prompt % round, completion % round), (0, 0), "the same in each round");
            assert!(completion > counted.1);
        }
        assert!(gateway.upstream.seen().is_empty(), "no test key reaches an upstream");
    }

    async fn sandbox_cancels_a_response(gateway: Gateway) {
        let (key, id) = test_key(&gateway).await;
        let response = make(&gateway, &key).await;
        let path = format!("{response}/cancel");
        for _ in 0..2 {
            let cancelled = json_of(ask(&gateway, Method::POST, &path, &key).await).await;
            assert_eq!(cancelled["status"], "cancelled");
            assert_eq!(cancelled["usage"]["output_tokens"], 0);
            let read = json_of(ask(&gateway, Method::GET, &response, &key).await).await;
            assert_eq!(read, cancelled);
            let (prompt, completion) = tokens(&gateway, &id).await;
            assert!(prompt > 0 && completion == 0, "{prompt} and {completion}");
            assert_eq!(super::budget(&gateway, &id).await, (prompt, 0));
        }
        let streamed = ask(&gateway, Method::GET, &format!("{response}?stream=true"), &key).await;
        assert!(streamed.text().await.unwrap().contains("event: response.incomplete"));
    }

    async fn sandbox_settles_a_response_that_nobody_reads(gateway: Gateway) {
        let (key, id) = test_key(&gateway).await;
        let response = make(&gateway, &key).await;
        super::check_after_ten_minutes(&gateway).await;
        let (prompt, completion) = tokens(&gateway, &id).await;
        assert!(prompt > 0 && completion > 0, "{prompt} and {completion}");
        assert_eq!(super::budget(&gateway, &id).await, (prompt + completion, 0));
        let read = json_of(ask(&gateway, Method::GET, &response, &key).await).await;
        assert_eq!(read["status"], "completed");
        assert_eq!(tokens(&gateway, &id).await, (prompt, completion));
    }

    async fn sandbox_streams_a_response_to_its_end(gateway: Gateway) {
        let (key, id) = test_key(&gateway).await;
        let mut body = hello();
        body["stream"] = json!(true);
        let streamed = send(&gateway.app, &key, &body).await.text().await.unwrap();
        assert!(streamed.contains("event: response.completed"), "{streamed}");
        let counted = tokens(&gateway, &id).await;
        assert!(counted.1 > 0);
        let response = make(&gateway, &key).await;
        let path = format!("{response}?stream=true");
        let again = ask(&gateway, Method::GET, &path, &key).await.text().await.unwrap();
        assert_eq!(again, streamed, "it is read to its end at once");
        assert_eq!(tokens(&gateway, &id).await, (2 * counted.0, 2 * counted.1));
        let deleted = ask(&gateway, Method::DELETE, &response, &key).await;
        assert_eq!(deleted.status(), 200);
        refused(ask(&gateway, Method::GET, &response, &key).await, 404, "not_found").await;
    }
}
