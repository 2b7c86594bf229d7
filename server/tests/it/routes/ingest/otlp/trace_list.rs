//! The lists of traces, narrowed.

use serde_json::{Value, json};

use super::traces::{body, json_span};
use super::{JSON, PARENT, TRACE, send, taken};
use crate::test_app::{on_both_databases, problem};

on_both_databases! {
    async fn lists_are_narrowed_by_trace_kind_status_root_and_text(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let span = |name: &str, kind: u32, status: u32, parent: Value, trace: &str| {
            let mut span = json_span(name, &[]);
            (span["kind"], span["status"]) = (json!(kind), json!({"code": status}));
            (span["parentSpanId"], span["traceId"]) = (parent, json!(trace));
            span
        };
        let other = "0af7651916cd43dd8448eb211c80319c";
        let spans = json!([
            span("GET /Orders", 2, 1, Value::Null, TRACE),
            span("charge 100%", 3, 2, json!(PARENT), TRACE),
            span("wait", 1, 0, json!(PARENT), other),
            span("plain", 0, 0, Value::Null, other),
        ]);
        taken(send(&app, &key, "/v1/traces", JSON, body(&spans).to_string()).await, JSON).await;
        let names = async |query: &str| {
            let path = format!("/v1/applications/{}/traces?{query}", ada.application);
            let page = app.json(&path, &ada.jwt).await;
            page["data"].as_array().unwrap().iter().map(|row| row["meta"]["name"].clone()).collect::<Vec<_>>()
        };
        for (query, expected) in [
            ("", &["plain", "wait", "charge 100%", "GET /Orders"][..]),
            ("trace_id=5b8efff798038103d269b633813fc60c", &["charge 100%", "GET /Orders"]),
            ("kind=server", &["GET /Orders"]),
            ("kind=unspecified", &["plain"]),
            ("status=error", &["charge 100%"]),
            ("status=ok", &["GET /Orders"]),
            ("status=unset", &["plain", "wait"]),
            ("root=true", &["plain", "GET /Orders"]),
            ("root=true&kind=&status=&q=", &["plain", "GET /Orders"]),
            ("q=orders", &["GET /Orders"]),
            ("q=100%25", &["charge 100%"]),
            ("q=%25", &["charge 100%"]),
            ("q=client", &["charge 100%"]),
            ("q=nothing", &[]),
            ("status=unset&root=true&trace_id=0af7651916cd43dd8448eb211c80319c", &["plain"]),
        ] {
            assert_eq!(names(query).await, expected, "{query}");
        }
        // The pages' server function takes the same filter, and lists all without one.
        for (filter, expected) in [
            (Value::Null, &["plain", "wait", "charge 100%", "GET /Orders"][..]),
            (json!({}), &["plain", "wait", "charge 100%", "GET /Orders"]),
            (json!({"kind": "client", "status": "error", "root": false, "q": "100%"}), &["charge 100%"]),
            (json!({"trace_id": other, "root": true, "q": ""}), &["plain"]),
        ] {
            let body = json!({"application_id": ada.application, "filter": filter});
            let sent = app.post("/api/traces/list").bearer_auth(&ada.jwt).json(&body).send().await.unwrap();
            let page: Value = sent.json().await.unwrap();
            let rows = page["data"].as_array().unwrap();
            let names: Vec<_> = rows.iter().map(|row| row["meta"]["name"].clone()).collect();
            assert_eq!(names, expected, "{filter}");
        }
        for (field, value) in [("kind", json!("x")), ("status", json!(200)), ("root", json!("yes")), ("q", json!("\0"))] {
            let body = json!({"application_id": ada.application, "filter": {field: value}});
            let sent = app.post("/api/traces/list").bearer_auth(&ada.jwt).json(&body).send().await.unwrap();
            let refused = problem(sent, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], format!("filter.{field}"));
        }
        for query in ["kind=x", "status=200", "root=yes", "root=", "q=%00"] {
            let path = format!("/v1/applications/{}/traces?{query}", ada.application);
            let refused = app.get(&path).bearer_auth(&ada.jwt).send().await.unwrap();
            problem(refused, 422, "invalid").await;
        }
        // Pages of a narrowed list go on within it.
        let path = format!("/v1/applications/{}/traces?status=unset&limit=1", ada.application);
        let first = app.json(&path, &ada.jwt).await;
        let next = first["next_cursor"].as_str().unwrap();
        let second = app.json(&format!("{path}&cursor={next}"), &ada.jwt).await;
        assert_eq!((&second["data"][0]["meta"]["name"], &second["next_cursor"]), (&json!("wait"), &Value::Null));
    }
}
