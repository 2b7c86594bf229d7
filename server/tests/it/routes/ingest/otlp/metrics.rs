//! `POST /v1/metrics`: answered, and nothing stored.

use serde_json::{Value, json};

use super::protobuf::{field, partial_success};
use super::{JSON, PROTOBUF, send, taken};
use crate::test_app::{on_both_databases, problem, text};

fn points(count: usize) -> Value {
    json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "requests", "sum": {"dataPoints": vec![json!({"asInt": "1"}); count]}},
    ]}]}]})
}

on_both_databases! {
    async fn otlp_metrics_are_rejected_with_one_explanation(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let answer = send(&app, &key, "/v1/metrics", JSON, points(3).to_string()).await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &JSON.parse().unwrap()));
        let answer = answer.json::<Value>().await.unwrap();
        assert_eq!(answer["partialSuccess"]["rejectedDataPoints"], "3");
        let words = text(&answer["partialSuccess"]["errorMessage"]);
        assert!(words.contains("not stored") && words.contains("OTEL_METRICS_EXPORTER=none"), "{words}");
        let again = send(&app, &key, "/v1/metrics", JSON, points(2).to_string()).await;
        assert_eq!(again.json::<Value>().await.unwrap(), json!({
            "partialSuccess": {"rejectedDataPoints": "2", "errorMessage": ""},
        }));
        let other = app.generate(&ada).await;
        let gauge = field(5, field(1, b"").repeat(4));
        let body = field(1, field(2, field(2, gauge)));
        let answer = send(&app, &other, "/v1/metrics", PROTOBUF, body.clone()).await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &PROTOBUF.parse().unwrap()));
        let (rejected, reason) = partial_success(&answer.bytes().await.unwrap());
        assert_eq!((rejected, reason), (4, words));
        taken(send(&app, &key, "/v1/metrics", PROTOBUF, "").await, PROTOBUF).await;
        taken(send(&app, &key, "//v1/metrics", JSON, "{}").await, JSON).await;
        problem(send(&app, &key, "/v1/metrics", PROTOBUF, &body[..body.len() - 1]).await, 400, "malformed").await;
        problem(send(&app, &key, "/v1/metrics", JSON, "{").await, 400, "malformed").await;
        problem(app.post("/v1/metrics").json(&points(1)).send().await.unwrap(), 401, "missing_key").await;
        let usage = app.json(&format!("/v1/projects/{}/usage?range=24h", ada.project), &ada.jwt).await;
        assert_eq!(usage["totals"]["rejected_items"], 9);
    }
}
