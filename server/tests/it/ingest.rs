//! `/ingest/…` and reading it back.

use serde_json::{Value, json};

use crate::world::{Backend, START, World, on_both_databases, problem, text, traces};

/// The answer to a batch that was stored as it came.
fn stored(items: usize) -> Value {
    json!({"accepted": items, "rejected": 0, "errors": []})
}

on_both_databases! {
    async fn traces_are_stored_and_read_back_newest_first(world: World) {
        let ada = world.sign_in("ada").await;
        let secret = world.generate(&ada).await;
        let mut batch = traces(3);
        batch["traces"][1]["meta"] = json!({"region": "eu", "n": [1, null]});
        batch["traces"][1]["fromANewerSdk"] = json!({"ignored": true});
        batch["traces"][2]["parentSpanId"] = json!("b7ad6b7169203331");
        let sent = world.post("/ingest/traces").header("x-api-key", &secret).json(&batch).send().await.unwrap();
        assert_eq!(sent.status(), 200);
        assert_eq!(sent.json::<Value>().await.unwrap(), stored(3));
        let path = format!("/v1/applications/{}/traces", ada.application);
        let read = world.json(&path, &ada.jwt).await;
        let urls: Vec<_> = read["data"].as_array().unwrap().iter().map(|row| &row["requestURL"]).collect();
        assert_eq!(urls, ["/orders/2", "/orders/1", "/orders/0"]);
        let row = &read["data"][1];
        assert_eq!(row["meta"], json!({"region": "eu", "n": [1, null]}));
        assert_eq!(row["environment"], "live");
        assert_eq!(row["parentSpanId"], Value::Null);
        assert_eq!(read["data"][0]["parentSpanId"], "b7ad6b7169203331");
        assert_eq!(row.get("fromANewerSdk"), None);
    }

    async fn logs_are_stored_and_read_back_newest_first(world: World) {
        let ada = world.sign_in("ada").await;
        let secret = world.generate(&ada).await;
        let log = |message: &str, at: i64| json!({
            "traceId": null, "level": "error", "type": "app", "message": message, "timestamp": at,
            "clientTimestamp": at - 5,
        });
        let body = json!({"timestamp": START, "logs": [log("first", START), log("nul \0 here", START)]});
        let sent = world.post("/ingest/logs").header("x-api-key", &secret).json(&body).send().await.unwrap();
        assert_eq!(sent.json::<Value>().await.unwrap(), stored(2));
        let read = world.json(&format!("/v1/applications/{}/logs", ada.application), &ada.jwt).await;
        assert_eq!(read["data"][0]["message"], "nul \u{fffd} here");
        assert_eq!(read["data"][1]["message"], "first");
        assert_eq!(read["data"][1]["timestamp"], "2026-11-18T11:06:40.000Z");
        assert_eq!(read["data"][1]["clientTimestamp"], "2026-11-18T11:06:39.995Z");
    }

    async fn large_batches_are_stored_whole_and_paged(world: World) {
        let ada = world.sign_in("ada").await;
        let secret = world.generate(&ada).await;
        let batch = traces(2_500);
        let sent = world.post("/ingest/traces").header("x-api-key", &secret).json(&batch).send().await.unwrap();
        assert_eq!(sent.json::<Value>().await.unwrap(), stored(2_500));
        let path = format!("/v1/applications/{}/traces?limit=100", ada.application);
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let page = world.json(&format!("{path}{cursor}"), &ada.jwt).await;
            seen.extend(page["data"].as_array().unwrap().iter().map(|row| text(&row["requestURL"])));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let expected: Vec<_> = (0..2_500).rev().map(|index| format!("/orders/{index}")).collect();
        assert_eq!(seen, expected);
    }

    async fn a_batch_with_one_bad_item_is_refused_whole(world: World) {
        let ada = world.sign_in("ada").await;
        let secret = world.generate(&ada).await;
        for (field, bad) in [
            ("durationMs", json!(-1)),
            ("durationMs", json!("12")),
            ("responseStatus", json!(1000)),
            ("responseStatus", json!(70_000)),
            ("requestMethod", json!("X".repeat(33))),
            ("requestURL", json!("x".repeat(8_193))),
            ("traceId", Value::Null),
            ("timestamp", json!("yesterday")),
            ("meta", json!([1])),
        ] {
            let mut batch = traces(3);
            batch["traces"][1][field] = bad;
            let sent = world.post("/ingest/traces").header("x-api-key", &secret).json(&batch).send().await;
            let refused = problem(sent.unwrap(), 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], format!("traces[1].{field}"));
        }
        let read = world.json(&format!("/v1/applications/{}/traces", ada.application), &ada.jwt).await;
        assert_eq!(read, json!({"data": [], "next_cursor": null}));
    }
}

#[tokio::test]
async fn a_key_of_one_application_never_writes_to_another() {
    let world = World::on(Backend::Sqlite).await;
    let ada = world.sign_in("ada").await;
    let eve = world.sign_in("eve").await;
    let secret = world.generate(&ada).await;
    let send = async |application: &str| {
        let request = world.post("/ingest/traces").header("x-api-key", &secret);
        request.header("x-application-id", application).json(&traces(1)).send().await.unwrap()
    };
    assert_eq!(send(&ada.application).await.status(), 200);
    problem(send(&eve.application).await, 403, "wrong_scope").await;
    problem(send("nonsense").await, 404, "not_found").await;
}

#[tokio::test]
async fn batches_have_a_largest_size() {
    let world = World::on(Backend::Sqlite).await;
    let ada = world.sign_in("ada").await;
    let secret = world.generate(&ada).await;
    let send = async |body: String| {
        let request = world.post("/ingest/traces").header("x-api-key", &secret);
        request.header("content-type", "application/json").body(body).send().await.unwrap()
    };
    let many = format!("{{\"traces\":[{}]}}", vec!["{}"; 10_001].join(","));
    problem(send(many).await, 422, "invalid").await;
    let log = r#"{"level":"a","type":"b","message":"c","timestamp":0}"#;
    let many = format!("{{\"logs\":[{}]}}", vec![log; 10_001].join(","));
    let request = world.post("/ingest/logs").header("x-api-key", &secret);
    let logs = request.header("content-type", "application/json").body(many).send().await.unwrap();
    let refused = problem(logs, 422, "invalid").await;
    assert_eq!(refused["errors"][0]["message"], "Send at most 10,000 items; these are 10001.");
    let huge = format!("{{\"traces\":[],\"pad\":\"{}\"}}", "x".repeat(4 * 1024 * 1024));
    problem(send(huge).await, 413, "too_large").await;
    assert_eq!(send("{\"traces\":[]}".to_owned()).await.status(), 200);
}
