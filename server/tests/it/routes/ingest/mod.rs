//! `/ingest/…` and reading it back.

pub(crate) mod limits;
pub(crate) mod otlp;
mod sandbox;
mod search;

use latchkey_services::telemetry::purge_unfinished;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::routes::ingest::otlp::{gzip, zlib, zstd};
use crate::test_app::{
    Backend, START, TestApp, count_rows, on_both_databases, problem, query_value, text, traces,
};

/// The answer to a batch that was stored as it came.
fn stored(items: usize) -> Value {
    json!({"accepted": items, "rejected": 0, "errors": []})
}

on_both_databases! {
    async fn traces_are_stored_and_read_back_newest_first(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        let mut batch = traces(3);
        batch["traces"][1]["meta"] = json!({"region": "eu", "n": [1, null]});
        batch["traces"][1]["fromANewerSdk"] = json!({"ignored": true});
        batch["traces"][2]["parentSpanId"] = json!("b7ad6b7169203331");
        let sent = app.post("/ingest/traces").header("x-api-key", &secret).json(&batch).send().await.unwrap();
        assert_eq!(sent.status(), 200);
        assert_eq!(sent.json::<Value>().await.unwrap(), stored(3));
        let path = format!("/v1/applications/{}/traces", ada.application);
        let read = app.json(&path, &ada.jwt).await;
        let urls: Vec<_> = read["data"].as_array().unwrap().iter().map(|row| &row["requestURL"]).collect();
        assert_eq!(urls, ["/orders/2", "/orders/1", "/orders/0"]);
        let row = &read["data"][1];
        assert_eq!(row["meta"], json!({"region": "eu", "n": [1, null]}));
        assert_eq!(row["environment"], "live");
        assert_eq!(row["parentSpanId"], Value::Null);
        assert_eq!(read["data"][0]["parentSpanId"], "b7ad6b7169203331");
        assert_eq!(row.get("fromANewerSdk"), None);
    }

    async fn logs_are_stored_and_read_back_newest_first(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        let log = |message: &str, at: i64| json!({
            "traceId": null, "level": "error", "type": "app", "message": message, "timestamp": at,
            "clientTimestamp": at - 5,
        });
        let body = json!({"timestamp": START, "logs": [log("first", START), log("nul \0 here", START)]});
        let sent = app.post("/ingest/logs").header("x-api-key", &secret).json(&body).send().await.unwrap();
        assert_eq!(sent.json::<Value>().await.unwrap(), stored(2));
        let read = app.json(&format!("/v1/applications/{}/logs", ada.application), &ada.jwt).await;
        assert_eq!(read["data"][0]["message"], "nul \u{fffd} here");
        assert_eq!(read["data"][1]["message"], "first");
        assert_eq!(read["data"][1]["timestamp"], "2026-11-18T11:06:40.000Z");
        assert_eq!(read["data"][1]["clientTimestamp"], "2026-11-18T11:06:39.995Z");
    }

    async fn large_batches_are_stored_whole_and_paged(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        let batch = traces(2_500);
        let sent = app.post("/ingest/traces").header("x-api-key", &secret).json(&batch).send().await.unwrap();
        assert_eq!(sent.json::<Value>().await.unwrap(), stored(2_500));
        let path = format!("/v1/applications/{}/traces?limit=100", ada.application);
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let page = app.json(&format!("{path}{cursor}"), &ada.jwt).await;
            seen.extend(page["data"].as_array().unwrap().iter().map(|row| text(&row["requestURL"])));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let expected: Vec<_> = (0..2_500).rev().map(|index| format!("/orders/{index}")).collect();
        assert_eq!(seen, expected);
    }

    async fn one_bad_item_never_refuses_its_batch(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        for (place, (field, bad, message)) in [
            ("durationMs", json!(-1), "Use a number of at least 0."),
            ("durationMs", json!("12"), "Expected a number."),
            ("responseStatus", json!(1000), "Use an HTTP status from 0 to 999."),
            ("responseStatus", json!(70_000), "Expected a whole number from 0."),
            ("requestMethod", json!("X".repeat(513)), "Use at most 512 characters."),
            ("requestURL", json!("x".repeat(8_193)), "Use at most 8192 characters."),
            ("traceId", Value::Null, "Expected a string."),
            ("timestamp", json!("yesterday"), "Use an RFC 3339 time such as 2026-11-21T07:45:53Z."),
            ("meta", json!([1]), "Expected an object."),
        ].into_iter().enumerate() {
            let mut batch = traces(3);
            for item in batch["traces"].as_array_mut().unwrap() {
                item["spanId"] = json!(format!("{place:016x}"));
            }
            batch["traces"][1][field] = bad;
            let sent = app.post("/ingest/traces").header("x-api-key", &secret).json(&batch).send().await.unwrap();
            assert_eq!(sent.status(), 200, "{field}");
            assert_eq!(sent.json::<Value>().await.unwrap(), json!({
                "accepted": 2, "rejected": 1,
                "errors": [{"index": 1, "message": format!("{field}: {message}")}],
            }));
        }
        let logs = json!({"logs": [7, {"level": "a", "type": "b", "timestamp": 0}, null, {"level": "a", "timestamp": 0}]});
        let sent = app.post("/ingest/logs").header("x-api-key", &secret).json(&logs).send().await.unwrap();
        assert_eq!(sent.json::<Value>().await.unwrap(), json!({"accepted": 1, "rejected": 3, "errors": [
            {"index": 0, "message": "Expected an object."},
            {"index": 2, "message": "Expected an object."},
            {"index": 3, "message": "type: This field is required."},
        ]}));
        let path = format!("/v1/applications/{}/traces", ada.application);
        assert_eq!(app.json(&path, &ada.jwt).await["data"].as_array().unwrap().len(), 18);
        let keys = app.keys(&ada).await;
        let path = format!("/v1/keys/{}/usage?range=24h", text(&keys[0]["id"]));
        let project = format!("/v1/projects/{}/usage?range=24h", ada.project);
        for path in [&path, &project] {
            let used = app.json(path, &ada.jwt).await;
            assert_eq!((&used["totals"]["rejected_items"], &used["totals"]["requests"]), (&json!(12), &json!(10)));
        }
        app.services.checker.flush_usage().await.unwrap();
        for path in [&path, &project] {
            assert_eq!(app.json(path, &ada.jwt).await["totals"]["rejected_items"], 12, "once it is written");
        }
    }

    async fn only_what_can_not_be_parsed_is_refused_whole(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        for (body, status, code) in [
            ("", 400, "malformed"),
            (r#"{"traces":[{]}"#, 400, "malformed"),
            (r#"{"traces":[]} {}"#, 400, "malformed"),
            ("[]", 422, "invalid"),
            ("{}", 422, "invalid"),
            (r#"{"logs":[]}"#, 422, "invalid"),
            (r#"{"traces":{}}"#, 422, "invalid"),
            (r#"{"traces":null}"#, 422, "invalid"),
        ] {
            let request = app.post("/ingest/traces").header("x-api-key", &secret);
            let request = request.header("content-type", "application/json").body(body);
            problem(request.send().await.unwrap(), status, code).await;
        }
    }

    async fn batches_of_upblit_sdks_are_accepted(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        let mut batch = traces(2);
        let name = "service.payments.charge_the_card_of_a_customer";
        batch["traces"][1]["durationMs"] = Value::Null;
        batch["traces"][1]["requestMethod"] = json!(name.repeat(10));
        let sent = app.post("//ingest/traces").header("x-api-key", &secret).json(&batch).send().await.unwrap();
        assert_eq!(sent.json::<Value>().await.unwrap(), stored(2));
        let read = app.json(&format!("/v1/applications/{}/traces", ada.application), &ada.jwt).await;
        let row = &read["data"][0];
        assert_eq!((&row["durationMs"], &row["requestMethod"]), (&json!(0.0), &json!(name.repeat(10))));
        let log = json!({"level": "info", "type": "app", "timestamp": START});
        let with = |message: Value, at: i64| {
            let mut log = log.clone();
            log["message"] = message;
            log["timestamp"] = json!(START + at);
            log
        };
        let logs = json!({"logs": [log, with(json!({"code": 7}), 1), with(json!([1, "a"]), 2), with(Value::Null, 3)]});
        let sent = app.post("/ingest//logs").header("x-api-key", &secret).json(&logs).send().await.unwrap();
        assert_eq!(sent.json::<Value>().await.unwrap(), stored(4));
        let read = app.json(&format!("/v1/applications/{}/logs", ada.application), &ada.jwt).await;
        let messages: Vec<_> = read["data"].as_array().unwrap().iter().map(|row| &row["message"]).collect();
        assert_eq!(messages, ["", r#"[1,"a"]"#, r#"{"code":7}"#, ""]);
    }

    async fn items_that_are_sent_twice_are_stored_once(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        let log = |at: i64| json!({"level": "info", "type": "app", "message": "tick", "timestamp": START + at});
        // The last two say the same within one call: they are two lines.
        let logs = json!({"logs": [log(0), log(1), log(1)]});
        let mut batch = traces(1_200);
        batch["traces"][1_199] = batch["traces"][0].clone();
        for _ in 0..3 {
            for (path, body, items) in [("/ingest/traces", &batch, 1_200), ("/ingest/logs", &logs, 3)] {
                let sent = app.post(path).header("x-api-key", &secret).json(body).send().await.unwrap();
                assert_eq!(sent.json::<Value>().await.unwrap(), stored(items));
            }
            app.advance(std::time::Duration::from_secs(1));
        }
        let telemetry = app.telemetry().await;
        let counted = async |table: &str| count_rows(&telemetry, table).await;
        assert_eq!((counted("traces").await, counted("logs").await), (1_199, 3));
        let bytes = async |table: &str| {
            let sum = format!("SELECT CAST(SUM(bytes) AS BIGINT) FROM {table}");
            query_value::<i64>(&telemetry, &sum).await
        };
        assert_eq!(bytes("telemetry_sizes").await, bytes("traces").await + bytes("logs").await);
        // One that differs anywhere is another, and so is one of another environment.
        batch = traces(1);
        batch["traces"][0]["durationMs"] = json!(12.75);
        let test = app.create(&ada, &json!({"name": "t", "environment": "test", "application_id": ada.application})).await;
        for key in [&secret, &text(&test["key"])] {
            let sent = app.post("/ingest/traces").header("x-api-key", key).json(&batch).send().await.unwrap();
            assert_eq!(sent.status(), 200);
        }
        assert_eq!(counted("traces").await, 1_201);
    }

    async fn a_repeated_call_keeps_rows_of_one_that_was_cut_off(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        let telemetry = app.telemetry().await;
        let send = async || {
            let request = app.post("/ingest/traces").header("x-api-key", &secret).json(&traces(1_200));
            assert_eq!(request.send().await.unwrap().status(), 200);
        };
        send().await;
        crate::routes::ingest::limits::cut_off(&app, &telemetry, 1_200).await;
        // Its last transaction has left nothing.
        telemetry.execute_unprepared("DELETE FROM traces WHERE request_url = '/orders/1199'").await.unwrap();
        app.advance(std::time::Duration::from_millis(1));
        send().await;
        app.advance(std::time::Duration::from_mins(3));
        assert_eq!(purge_unfinished(&app.services).await.unwrap(), 1);
        assert_eq!(query_value::<i64>(&telemetry, "SELECT COUNT(*) FROM traces").await, 1_200);
    }

    async fn times_keep_their_nanoseconds_and_their_order(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        let mut batch = traces(6);
        for (index, item) in batch["traces"].as_array_mut().unwrap().iter_mut().enumerate() {
            // Not in the order in which they come.
            item["timestamp"] = json!(format!("2026-11-18T11:06:40.123{:06}Z", (index * 5) % 6));
        }
        let sent = app.post("/ingest/traces").header("x-api-key", &secret).json(&batch).send().await.unwrap();
        assert_eq!(sent.json::<Value>().await.unwrap(), stored(6));
        let path = format!("/v1/applications/{}/traces?limit=2", ada.application);
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let page = app.json(&format!("{path}{cursor}"), &ada.jwt).await;
            seen.extend(page["data"].as_array().unwrap().iter().map(|row| text(&row["timestamp"])));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let expected = ["123000005", "123000004", "123000003", "123000002", "123000001", "123"];
        assert_eq!(seen, expected.map(|fraction| format!("2026-11-18T11:06:40.{fraction}Z")));
    }

    async fn packed_bodies_are_unpacked_and_bounded(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let secret = app.generate(&ada).await;
        let body = traces(500).to_string();
        let post = async |coding: &str, body: Vec<u8>| {
            let request = app.post("/ingest/traces").header("x-api-key", &secret);
            let request = request.header("content-type", "application/json").header("content-encoding", coding);
            request.body(body).send().await.unwrap()
        };
        for (coding, packed) in [
            ("gzip", gzip(body.as_bytes())),
            ("deflate", zlib(body.as_bytes())),
            ("zstd", zstd(body.as_bytes())),
            ("identity", body.clone().into_bytes()),
        ] {
            let sent = post(coding, packed).await;
            assert_eq!(sent.json::<Value>().await.unwrap(), stored(500), "{coding}");
            problem(post(coding, b"nonsense".to_vec()).await, 400, "malformed").await;
        }
        let huge = format!("{{\"traces\":[],\"pad\":\"{}\"}}", "x".repeat(4 * 1024 * 1024));
        for (coding, packed) in [("gzip", gzip(huge.as_bytes())), ("zstd", zstd(huge.as_bytes()))] {
            problem(post(coding, packed).await, 413, "too_large").await;
        }
        problem(post("br", body.into_bytes()).await, 415, "unsupported_media_type").await;
    }
}

#[tokio::test]
async fn a_key_of_one_application_never_writes_to_another() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let eve = app.sign_in("eve").await;
    let secret = app.generate(&ada).await;
    let send = async |application: &str| {
        let request = app.post("/ingest/traces").header("x-api-key", &secret);
        request.header("x-application-id", application).json(&traces(1)).send().await.unwrap()
    };
    assert_eq!(send(&ada.application).await.status(), 200);
    problem(send(&eve.application).await, 403, "wrong_scope").await;
    problem(send("nonsense").await, 404, "not_found").await;
}

#[tokio::test]
async fn batches_have_a_largest_size() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let secret = app.generate(&ada).await;
    let send = async |body: String| {
        let request = app.post("/ingest/traces").header("x-api-key", &secret);
        request.header("content-type", "application/json").body(body).send().await.unwrap()
    };
    let log = r#"{"level":"a","type":"b","message":"c","timestamp":0}"#;
    let many = format!("{{\"logs\":[{}]}}", vec![log; 10_007].join(","));
    let request = app.post("/ingest/logs").header("x-api-key", &secret);
    let logs = request.header("content-type", "application/json").body(many).send().await.unwrap();
    assert_eq!(
        logs.json::<Value>().await.unwrap(),
        json!({"accepted": 10_000, "rejected": 7, "errors": [{
            "index": 10_000,
            "message": "At most 10,000 items are stored per request. Send the rest in another \
                        request.",
        }]})
    );
    let huge = format!("{{\"traces\":[],\"pad\":\"{}\"}}", "x".repeat(4 * 1024 * 1024));
    problem(send(huge).await, 413, "too_large").await;
    assert_eq!(send("{\"traces\":[]}".to_owned()).await.status(), 200);
}
