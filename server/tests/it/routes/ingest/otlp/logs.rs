//! `POST /v1/logs`.

use serde_json::{Value, json};

use super::protobuf::{attribute, field, fixed64, hex, number, record, request};
use super::{JSON, PROTOBUF, SPAN, START_NANOS, TRACE, send, stored, taken};
use crate::test_app::{on_both_databases, text};

fn body(scope: &str, records: &Value) -> String {
    json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeLogs": [{"scope": {"name": scope}, "logRecords": records}],
    }]})
    .to_string()
}

on_both_databases! {
    async fn a_long_message_is_cut_and_told_as_a_warning(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let log = |message: &str| json!({"timeUnixNano": START_NANOS, "body": {"stringValue": message}});
        let records = json!([log("short"), log(&"x".repeat(100 * 1024))]);
        let answer = send(&app, &key, "/v1/logs", JSON, body("shop", &records)).await;
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"partialSuccess": {
            "rejectedLogRecords": "0",
            "errorMessage": "1 of logRecords: Truncated to the first 64 KiB.",
        }}));
        let message = text(&stored(&app, &ada, "logs").await[0]["message"]);
        assert!(message.len() <= 64 * 1024 && message.ends_with("… [cut]"));
    }

    async fn a_record_in_protobuf_is_stored_as_a_log(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let full = [
            record("Payment \0 declined"),
            field(3, "WARNING"),
            field(9, hex(TRACE)),
            field(10, hex(SPAN)),
            fixed64(11, START_NANOS + 3_000_000),
            field(12, "payment.declined"),
            attribute(6, "exception.type", "CardError"),
            attribute(6, "exception.stacktrace", "Traceback (most recent call last):\n  …"),
            number(7, 2),
        ];
        taken(send(&app, &key, "/v1/logs", PROTOBUF, request(&[full.concat(), record("second")])).await, PROTOBUF).await;
        let stored = stored(&app, &ada, "logs").await;
        let mut first = stored[1].clone();
        for (field, expected) in [
            ("traceId", json!(TRACE)),
            ("level", json!("WARNING")),
            ("type", json!("payment.declined")),
            ("message", json!("Payment \u{fffd} declined")),
            ("timestamp", json!("2026-11-18T11:06:40.000Z")),
            ("clientTimestamp", json!("2026-11-18T11:06:40.000Z")),
            ("environment", json!("live")),
        ] {
            assert_eq!(first[field].take(), expected, "{field}");
        }
        assert_eq!(first["meta"], json!({
            "attributes": {
                "exception.type": "CardError",
                "exception.stacktrace": "Traceback (most recent call last):\n  …",
            },
            "droppedAttributesCount": 2,
            "eventName": "payment.declined",
            "observedTime": "2026-11-18T11:06:40.003Z",
            "resource": {"service.name": "shop"},
            "scope": {"name": "shop.checkout", "version": "1.2.3"},
            "spanId": SPAN,
        }));
        let second = &stored[0];
        assert_eq!(second["meta"]["resource"], json!({"service.name": "shop"}));
        assert_eq!((&second["level"], &second["type"]), (&json!("info"), &json!("shop.checkout")));
        assert_eq!(second["traceId"], Value::Null);
    }

    async fn a_record_in_json_is_stored_as_a_log(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let body_map = json!({"kvlistValue": {"values": [{"key": "order", "value": {"intValue": "7"}}]}});
        for (record, expected) in [
            (json!({"timeUnixNano": START_NANOS.to_string(), "severityNumber": 17, "body": {"stringValue": "a"}, "traceId": TRACE}),
             ("error", "shop", "a", json!(TRACE), json!("2026-11-18T11:06:40.000Z"))),
            // Only observed: then, and no time of the client's own.
            (json!({"observedTimeUnixNano": START_NANOS, "severityText": "notice", "body": body_map}),
             ("notice", "shop", r#"{"order":7}"#, Value::Null, Value::Null)),
            // A bad trace id means that the record belongs to none.
            (json!({"observedTimeUnixNano": START_NANOS, "eventName": "e", "traceId": "5b8e", "body": null}),
             ("unspecified", "e", "", Value::Null, Value::Null)),
        ] {
            app.advance(std::time::Duration::from_millis(1));
            taken(send(&app, &key, "/v1/logs", JSON, body("shop", &json!([record]))).await, JSON).await;
            let row = &stored(&app, &ada, "logs").await[0];
            let (level, kind, message, trace, client) = expected;
            assert_eq!((&row["level"], &row["type"], &row["message"]), (&json!(level), &json!(kind), &json!(message)));
            assert_eq!((&row["traceId"], &row["clientTimestamp"]), (&trace, &client));
            assert_eq!(row["timestamp"], "2026-11-18T11:06:40.000Z");
        }
    }

    async fn records_that_do_not_fit_are_told_and_the_others_stored(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let good = json!({"timeUnixNano": START_NANOS.to_string(), "body": {"stringValue": "good"}});
        for (bad, reason) in [
            (json!({}), "The record has neither a time nor an observed time."),
        ] {
            let before = stored(&app, &ada, "logs").await.len();
            let answer = send(&app, &key, "/v1/logs", JSON, body("shop", &json!([bad, good]))).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.json::<Value>().await.unwrap(), json!({"partialSuccess": {
                "rejectedLogRecords": "1",
                "errorMessage": format!("resourceLogs[0].scopeLogs[0].logRecords[0]: {reason}"),
            }}));
            assert_eq!(stored(&app, &ada, "logs").await.len(), before + 1);
        }
        app.advance(std::time::Duration::from_millis(1));
        let no_scope = field(1, field(2, field(2, [fixed64(1, START_NANOS), number(2, 9)].concat())));
        taken(send(&app, &key, "/v1/logs", PROTOBUF, no_scope).await, PROTOBUF).await;
        assert_eq!(stored(&app, &ada, "logs").await[0]["type"], "log");
    }
    async fn odd_fields_of_records_are_cut_and_kept_whole_in_meta(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let (level, name, scope) = ("l".repeat(600), "n".repeat(600), "s".repeat(600));
        let at = |number: u64| (START_NANOS + number).to_string();
        let records = json!([
            {"timeUnixNano": at(1), "severityText": level, "droppedAttributesCount": -1},
            {"timeUnixNano": at(2), "eventName": name, "severityNumber": "SEVERITY_NUMBER_ERROR"},
            {"timeUnixNano": at(3), "spanId": "xyz", "attributes": [{"key": "a", "value": {"intValue": 5.0}}]},
        ]);
        taken(send(&app, &key, "/v1/logs", JSON, body(&scope, &records)).await, JSON).await;
        let stored = stored(&app, &ada, "logs").await;
        assert_eq!((&stored[2]["level"], &stored[2]["meta"]["severityText"]), (&json!(level[..512]), &json!(level)));
        assert_eq!((&stored[1]["type"], &stored[1]["meta"]["eventName"]), (&json!(name[..512]), &json!(name)));
        assert_eq!(stored[1]["level"], "error");
        assert_eq!((&stored[0]["type"], &stored[0]["meta"]["scope"]["name"]), (&json!(scope[..512]), &json!(scope)));
        assert_eq!((&stored[0]["meta"]["attributes"], stored[0]["meta"].get("spanId")), (&json!({"a": 5}), None));
        assert_eq!(stored[0]["timestamp"], "2026-11-18T11:06:40.000000003Z");
    }

    async fn lists_are_narrowed_by_trace_level_and_text(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let records = json!([
            {"timeUnixNano": START_NANOS, "severityText": "ERROR", "body": {"stringValue": "Card declined"}, "traceId": TRACE},
            {"timeUnixNano": START_NANOS, "severityText": "info", "body": {"stringValue": "50_percent"}},
            {"timeUnixNano": START_NANOS, "severityText": "info", "body": {"stringValue": "500percent"}, "eventName": "sale"},
        ]);
        taken(send(&app, &key, "/v1/logs", JSON, body("shop", &records)).await, JSON).await;
        for (query, expected) in [
            ("", &["500percent", "50_percent", "Card declined"][..]),
            ("trace_id=5b8efff798038103d269b633813fc60c", &["Card declined"]),
            ("level=error", &["Card declined"]),
            ("level=INFO", &["500percent", "50_percent"]),
            ("q=card", &["Card declined"]),
            ("q=0_p", &["50_percent"]),
            ("q=sale", &["500percent"]),
            ("level=info&q=card", &[]),
        ] {
            let path = format!("/v1/applications/{}/logs?{query}", ada.application);
            let page = app.json(&path, &ada.jwt).await;
            let messages: Vec<_> = page["data"].as_array().unwrap().iter().map(|row| &row["message"]).collect();
            assert_eq!(messages, expected, "{query}");
        }
        // The pages' server function takes the same filter.
        let filter = json!({"trace_id": TRACE.to_lowercase(), "level": "Error", "q": "CARD"});
        let body = json!({"application_id": ada.application, "filter": filter});
        let sent = app.post("/api/logs/list").bearer_auth(&ada.jwt).json(&body).send().await.unwrap();
        let page: Value = sent.json().await.unwrap();
        assert_eq!(page["data"].as_array().unwrap().len(), 1, "{page}");
        assert_eq!(page["data"][0]["message"], "Card declined");
    }
}
