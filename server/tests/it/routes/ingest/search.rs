//! `q` of the lists of telemetry: what is found is what stands on the page, on both databases
//! alike, and what is found nowhere does not cost a walk through everything.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use serde_json::{Value, json};

use crate::test_app::{Session, TestApp, on_both_databases};

async fn ingest(app: &TestApp, key: &str, what: &str, items: Value) {
    let request = app.post(&format!("/ingest/{what}")).header("x-api-key", key);
    let sent = request.json(&json!({ what: items })).send().await.unwrap();
    assert_eq!(sent.status(), 200, "{}", sent.text().await.unwrap());
}

/// The page of a list, and each row's field.
async fn page(app: &TestApp, who: &Session, query: &str, field: &str) -> (Vec<Value>, Value) {
    let path = format!("/v1/applications/{}/{query}", who.application);
    let page = app.json(&path, &who.jwt).await;
    let rows = page["data"].as_array().unwrap().iter().map(|row| row[field].clone());
    (rows.collect(), page["next_cursor"].clone())
}

fn trace(url: &str, meta: &Value) -> Value {
    json!({
        "timestamp": "2026-11-20T10:00:00.000Z", "requestMethod": "GET", "requestURL": url,
        "responseStatus": 200, "traceId": "t", "spanId": url, "durationMs": 1, "meta": meta,
    })
}

fn log(message: &str, level: &str, meta: &Value) -> Value {
    json!({
        "timestamp": "2026-11-20T10:00:00.000Z", "level": level, "type": "log",
        "message": message, "meta": meta,
    })
}

/// `count` more rows like the one that is there, each third at an earlier millisecond.
async fn multiply(telemetry: &DatabaseConnection, count: u32) {
    let sqlite = telemetry.get_database_backend() == DbBackend::Sqlite;
    let (series, id) = if sqlite {
        let numbers = format!("SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}");
        (format!("WITH RECURSIVE s(n) AS ({numbers})"), "unhex(printf('%032x', n))")
    } else {
        (
            format!("WITH s(n) AS (SELECT generate_series(1, {count}))"),
            "lpad(to_hex(n), 32, '0')::uuid",
        )
    };
    let same = "application_id, key_id, environment, received_at, request_method, \
        response_status, trace_id, parent_span_id, duration_ms, project_id, bytes, nanos";
    let rows = format!(
        "{series} INSERT INTO traces (id, timestamp, span_id, request_url, meta, status, {same}) \
         SELECT {id}, timestamp - n / 3, 'n' || n, '/row', '{{\"name\":\"N\\u00c4DEL\"}}', \
         CASE WHEN n % 10000 = 9 THEN 'ok' ELSE NULL END, {same} FROM traces, s"
    );
    telemetry.execute_unprepared(&rows).await.unwrap();
}

on_both_databases! {
    async fn capitals_are_no_difference_in_any_alphabet(app: TestApp) {
        let ada = app.pro("ada").await;
        let key = app.generate(&ada).await;
        let traces = json!([trace("/Ärger", &json!({})), trace("/ЗАКАЗ", &json!({})), trace("/ΟΔΟΣΑ", &json!({}))]);
        ingest(&app, &key, "traces", traces).await;
        ingest(&app, &key, "logs", json!([log("VIEL ÄRGER", "Störung", &json!({})), log("arger", "info", &json!({}))])).await;
        for (query, field, expected) in [
            ("traces?q=ärger", "requestURL", "/Ärger"),
            ("traces?q=ÄRGER", "requestURL", "/Ärger"),
            ("traces?q=Заказ", "requestURL", "/ЗАКАЗ"),
            ("traces?q=ΟΔΟΣ", "requestURL", "/ΟΔΟΣΑ"),
            ("logs?q=Ärger", "message", "VIEL ÄRGER"),
            ("logs?level=STÖRUNG", "message", "VIEL ÄRGER"),
            ("logs?level=störung&q=viel", "message", "VIEL ÄRGER"),
        ] {
            assert_eq!(page(&app, &ada, query, field).await, (vec![json!(expected)], Value::Null), "{query}");
        }
        for name in ["Schlüssel ÜBER ΟΔΟΣΑ", "schlussel uber"] {
            app.create(&ada, &json!({ "name": name })).await;
        }
        for sought in ["SCHLÜSSEL", "über", "Über", "ΟΔΟΣ", "οδος"] {
            let keys = app.json(&format!("/v1/projects/{}/keys?q={sought}", ada.project), &ada.jwt).await;
            let names: Vec<_> = keys["data"].as_array().unwrap().iter().map(|key| &key["name"]).collect();
            assert_eq!(names, ["Schlüssel ÜBER ΟΔΟΣΑ"], "{sought}");
        }
    }

    async fn search_finds_meta_as_it_is_displayed(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let meta = json!({
            "attributes": {"db.query": "SELECT \"Straße\" FROM x", "path": "c:\\temp\\new", "retries": 17},
            "events": [{"name": "exception", "stack": "Fehler: Größe\n\tat run (a.js:1)"}],
            "share": "100%_of",
        });
        ingest(&app, &key, "traces", json!([trace("/with", &meta), trace("/without", &json!({"a": "1000 of"}))])).await;
        ingest(&app, &key, "logs", json!([log("with", "info", &meta), log("without", "info", &json!(null))])).await;
        for (list, field, with) in [("traces", "requestURL", "/with"), ("logs", "message", "with")] {
            for sought in [
                "DB.Query", "\"straße\"", "c:\\temp\\new", "17", "GRÖßE", "größe at run", "a.js:1",
                "100%25_of", "%25", "_of",
            ] {
                let query = format!("{list}?q={sought}");
                assert_eq!(page(&app, &ada, &query, field).await, (vec![json!(with)], Value::Null), "{query}");
            }
            for sought in ["\\\\", "\\tat", "{", "1%25", "nat", "events%25"] {
                let query = format!("{list}?q={sought}");
                assert_eq!(page(&app, &ada, &query, field).await, (vec![], Value::Null), "{query}");
            }
        }
    }

    async fn a_page_reads_a_window_and_the_next_goes_on_there(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        ingest(&app, &key, "traces", json!([trace("/first", &json!({}))])).await;
        multiply(&app.telemetry().await, 24_999).await;
        for (query, pages, rows) in [
            // A window is 10,000 rows.
            ("q=nowhere", 3, 0),
            ("kind=server", 3, 0),
            ("status=ok", 3, 3),
            ("q=n9999", 3, 0),
            ("status=error", 1, 0),
            ("trace_id=none&q=row", 1, 0),
            ("q=first", 3, 1),
            ("q=nädel&limit=100", 250, 24_999),
        ] {
            let (mut seen, mut read, mut cursor) = (HashSet::new(), 0, String::new());
            loop {
                let path = format!("traces?{query}&cursor={cursor}");
                let (ids, next) = page(&app, &ada, &path, "spanId").await;
                read += 1;
                for id in ids {
                    assert!(seen.insert(id.as_str().unwrap().to_owned()), "{query}: {id} twice");
                }
                let Some(next) = next.as_str() else { break };
                next.clone_into(&mut cursor);
                assert!(read <= pages, "{query}");
            }
            assert_eq!((read, seen.len()), (pages, rows), "{query}");
        }
    }

    async fn a_window_is_no_more_than_16_mib_of_long_rows(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let long = json!({ "filler": "x".repeat(60 * 1024) });
        for part in 0..6 {
            let rows = (0..60).map(|row| trace(&format!("/{part}/{row}"), &long)).collect();
            ingest(&app, &key, "traces", Value::Array(rows)).await;
        }
        // 360 rows of 60 KiB are 21 MiB.
        let (rows, next) = page(&app, &ada, "traces?q=nowhere", "spanId").await;
        assert_eq!(rows.len(), 0);
        let rest = format!("traces?q=nowhere&cursor={}", next.as_str().unwrap());
        assert_eq!(page(&app, &ada, &rest, "spanId").await, (vec![], Value::Null));
    }
}
