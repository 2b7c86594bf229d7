//! `POST /v1/traces`.

use serde_json::{Value, json};

use super::protobuf::{attribute, field, fixed64, hex, number, partial_success, request, span};
use super::{
    JSON, PARENT, PROTOBUF, SPAN, START_NANOS, TRACE, gzip, send, stored, taken, zlib, zstd,
};
use crate::test_app::{count_rows, on_both_databases, problem};

/// A request as OpenTelemetry's exporter for Node.js writes it.
pub(super) fn body(spans: &Value) -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeSpans": [{"scope": {"name": "shop.checkout", "version": "1.2.3"}, "spans": spans}],
    }]})
}

pub(super) fn json_span(name: &str, attributes: &[(&str, Value)]) -> Value {
    let attributes = attributes.iter().map(|(key, value)| json!({"key": key, "value": value}));
    json!({
        "traceId": TRACE, "spanId": SPAN, "name": name, "kind": 2,
        "startTimeUnixNano": START_NANOS.to_string(),
        "endTimeUnixNano": (START_NANOS + 12_500_000).to_string(),
        "attributes": attributes.collect::<Vec<_>>(),
    })
}

fn text(value: &str) -> Value {
    json!({"stringValue": value})
}

on_both_databases! {
    async fn a_span_in_protobuf_is_stored_as_a_trace(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let status = field(9, [field(1, "http.response.status_code"), field(2, number(3, 502))].concat());
        let event = field(11, [fixed64(1, START_NANOS), field(2, "exception"), attribute(3, "exception.type", "Gone")].concat());
        let link = field(13, [field(1, hex(TRACE)), field(2, hex(PARENT))].concat());
        let full = [
            span("GET /orders/:id"),
            field(4, hex(PARENT)),
            attribute(9, "http.request.method", "GET"),
            attribute(9, "url.full", "https://shop.example/orders/7?full=1"),
            status,
            attribute(9, "net.peer", "10.0.0.7"),
            event,
            link,
            field(15, [field(2, "upstream\0gone"), number(3, 2)].concat()),
        ];
        taken(send(&app, &key, "/v1/traces", PROTOBUF, request(&[full.concat()])).await, PROTOBUF).await;
        let stored = stored(&app, &ada, "traces").await;
        assert_eq!(stored.len(), 1);
        let mut row = stored[0].clone();
        let meta = row["meta"].take();
        for (field, expected) in [
            ("requestMethod", json!("GET")),
            ("requestURL", json!("https://shop.example/orders/7?full=1")),
            ("responseStatus", json!(502)),
            ("traceId", json!(TRACE)),
            ("spanId", json!(SPAN)),
            ("parentSpanId", json!(PARENT)),
            ("durationMs", json!(12.5)),
            ("timestamp", json!("2026-11-18T11:06:40.000Z")),
            ("environment", json!("live")),
        ] {
            assert_eq!(row[field], expected, "{field}");
        }
        assert_eq!(meta, json!({
            "name": "GET /orders/:id",
            "kind": "server",
            "status": {"code": "error", "message": "upstream\0gone"},
            "attributes": {"net.peer": "10.0.0.7"},
            "events": [{
                "name": "exception", "time": "2026-11-18T11:06:40.000Z",
                "attributes": {"exception.type": "Gone"},
            }],
            "links": [{"traceId": TRACE, "spanId": PARENT}],
            "resource": {"service.name": "shop"},
            "scope": {"name": "shop.checkout", "version": "1.2.3"},
        }));
    }

    async fn a_span_in_json_is_stored_as_a_trace(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let mut span = json_span("orders", &[
            ("text", text("a \0 b")),
            ("whole", json!({"intValue": "9007199254740993"})),
            ("whole.too", json!({"intValue": -7})),
            ("broken", json!({"doubleValue": 0.5})),
            ("no.number", json!({"doubleValue": "NaN"})),
            ("yes", json!({"boolValue": true})),
            ("bytes", json!({"bytesValue": "_-4"})),
            ("list", json!({"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "b"}, {}]}})),
            ("map", json!({"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": false}}]}})),
            ("empty", json!({})),
            ("null", Value::Null),
        ]);
        // Upper-case hex, absence as null, numbers where texts are usual, and fields of a later
        // version.
        span["traceId"] = json!(TRACE.to_uppercase());
        span["parentSpanId"] = Value::Null;
        span["startTimeUnixNano"] = json!(START_NANOS);
        span["status"] = json!({"code": 1});
        span["flags"] = json!(257);
        span["fromALaterVersion"] = json!([{"ignored": true}]);
        let sent = send(&app, &key, "/v1/traces", JSON, body(&json!([span])).to_string()).await;
        taken(sent, JSON).await;
        let row = &stored(&app, &ada, "traces").await[0];
        assert_eq!(row["traceId"], TRACE);
        assert_eq!(row["parentSpanId"], Value::Null);
        assert_eq!(row["durationMs"], 12.5);
        // No request: the kind and the span's name stand where the method and the URL would.
        assert_eq!((&row["requestMethod"], &row["requestURL"]), (&json!("SERVER"), &json!("orders")));
        assert_eq!(row["responseStatus"], 0);
        assert_eq!(row["meta"]["status"], json!({"code": "ok"}));
        assert_eq!(row["meta"]["flags"], 257);
        assert_eq!(row["meta"]["attributes"], json!({
            "text": "a \0 b", "whole": 9_007_199_254_740_993_i64, "whole.too": -7, "broken": 0.5,
            "no.number": "NaN", "yes": true, "bytes": "/+4=", "list": [1, "b", null], "map": {"a": false},
            "empty": null, "null": null,
        }));
    }

    async fn requests_are_recognised_by_old_and_new_conventions(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let code = |code: Value| json!({"intValue": code});
        let cases = [
            (vec![("http.method", text("POST")), ("http.url", text("http://a/b")), ("http.status_code", code(json!(201)))],
             ("POST", "http://a/b", 201)),
            (vec![("http.method", text("GET")), ("http.target", text("/b?c=1")), ("http.status_code", code(json!("404")))],
             ("GET", "/b?c=1", 404)),
            (vec![("http.request.method", text("GET")), ("url.path", text("/b")), ("url.query", text("c=1"))],
             ("GET", "/b?c=1", 0)),
            (vec![("http.request.method", text("_OTHER")), ("http.request.method_original", text("PURGE")), ("url.path", text("/b"))],
             ("PURGE", "/b", 0)),
            (vec![("http.request.method", text("GET")), ("http.route", text("/b/:id")), ("http.response.status_code", text("500"))],
             ("GET", "/b/:id", 500)),
            (vec![("http.request.method", text("GET")), ("url.full", text(""))], ("GET", "name", 0)),
            (vec![("db.system.name", text("postgresql"))], ("SERVER", "name", 0)),
        ];
        for (attributes, (method, url, status)) in cases {
            app.advance(std::time::Duration::from_millis(1));
            let span = json_span("name", &attributes);
            taken(send(&app, &key, "/v1/traces", JSON, body(&json!([span])).to_string()).await, JSON).await;
            let row = &stored(&app, &ada, "traces").await[0];
            let got = (&row["requestMethod"], &row["requestURL"], &row["responseStatus"]);
            assert_eq!(got, (&json!(method), &json!(url), &json!(status)), "{attributes:?}");
        }
    }

    async fn spans_that_do_not_fit_are_told_and_the_others_stored(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        // Each call brings two that are new.
        let good = |at: u64| {
            let mut span = json_span("good", &[]);
            span["startTimeUnixNano"] = json!(START_NANOS - at);
            span
        };
        let mut at = 0;
        let with = |field: &str, value: Value| {
            let mut span = json_span("bad", &[]);
            span[field] = value;
            span
        };
        for (bad, reason) in [
            (with("traceId", json!("")), "traceId: Use 16 bytes that are not all zero."),
            (with("traceId", json!("5b8e")), "traceId: Use 16 bytes that are not all zero."),
            (with("traceId", json!("zzzzzzzzzzzzzzzz")), "traceId: Use 16 bytes that are not all zero."),
            (with("traceId", json!("0".repeat(32))), "traceId: Use 16 bytes that are not all zero."),
            (with("spanId", json!("ab".repeat(9))), "spanId: Use 8 bytes that are not all zero."),
            (with("parentSpanId", json!("ab")), "parentSpanId: Use 8 bytes that are not all zero."),
            (with("startTimeUnixNano", json!("0")), "startTimeUnixNano: This field is required."),
        ] {
            let before = stored(&app, &ada, "traces").await.len();
            at += 2;
            let sent = body(&json!([good(at), bad, good(at + 1)])).to_string();
            let answer = send(&app, &key, "/v1/traces", JSON, sent).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.json::<Value>().await.unwrap(), json!({"partialSuccess": {
                "rejectedSpans": "1",
                "errorMessage": format!("resourceSpans[0].scopeSpans[0].spans[1]: {reason}"),
            }}));
            let stored = stored(&app, &ada, "traces").await;
            assert_eq!(stored.len(), before + 2);
            assert!(stored.iter().all(|row| row["requestURL"] == "good"));
        }
        let bad = [field(1, [1, 2, 3]), span("bad")[18..].to_vec()].concat();
        let answer = send(&app, &key, "/v1/traces", PROTOBUF, request(&[bad.clone(), span("good"), bad])).await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &PROTOBUF.parse().unwrap()));
        let (rejected, reasons) = partial_success(&answer.bytes().await.unwrap());
        assert_eq!(rejected, 2);
        assert!(reasons.starts_with("resourceSpans[0].scopeSpans[0].spans[0]: traceId: Use 16 bytes"), "{reasons}");
    }

    async fn odd_fields_of_spans_are_cut_and_kept_whole_in_meta(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let status = |value: Value| vec![("http.status_code", value)];
        let (long, name) = (format!("/{}", "é".repeat(9_000)), "n".repeat(9_000));
        let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        let int = |value: Value| json!({"intValue": value});
        let method = "m".repeat(600);
        let cases = [
            ("span", status(text("OK")), "SERVER", "span".to_owned(), 0, json!("OK")),
            ("span", status(json!({"doubleValue": 200.0})), "SERVER", "span".to_owned(), 200, Value::Null),
            ("span", status(int(json!(200.0))), "SERVER", "span".to_owned(), 200, Value::Null),
            ("span", status(int(json!(-1))), "SERVER", "span".to_owned(), 0, json!(-1)),
            ("span", status(int(json!(1_000))), "SERVER", "span".to_owned(), 0, json!(1_000)),
            ("span", status(json!({"doubleValue": 200.5})), "SERVER", "span".to_owned(), 0, json!(200.5)),
            ("span", vec![("http.method", text(&"X".repeat(40)))], &"X".repeat(40), "span".to_owned(), 0, Value::Null),
            ("span", vec![("http.method", text(&method))], &method[..512], "span".to_owned(), 0, Value::Null),
            ("span", vec![("url.path", text(&long))], "SERVER", cut(&long, 8_192), 0, Value::Null),
            (&name, vec![], "SERVER", cut(&name, 8_192), 0, Value::Null),
        ];
        for (number, (name, attributes, method, url, code, kept)) in (1..).zip(cases) {
            let mut span = json_span(name, &attributes);
            span["startTimeUnixNano"] = json!(START_NANOS + number);
            taken(send(&app, &key, "/v1/traces", JSON, body(&json!([span])).to_string()).await, JSON).await;
            let row = &stored(&app, &ada, "traces").await[0];
            assert_eq!(row["meta"]["name"], name);
            assert_eq!((&row["requestMethod"], &row["requestURL"]), (&json!(method), &json!(url)));
            assert_eq!((&row["responseStatus"], &row["meta"]["attributes"]["http.status_code"]), (&json!(code), &kept));
            if url.len() > 8_192 {
                assert_eq!(row["meta"]["attributes"]["url.path"], long);
            }
            if method.len() > 500 {
                assert_eq!(row["meta"]["attributes"]["http.method"].as_str().unwrap().len(), 600);
            }
        }
        // A clock that was set back.
        let mut span = json_span("back", &[]);
        span["startTimeUnixNano"] = json!(START_NANOS + 100);
        span["endTimeUnixNano"] = json!((START_NANOS - 1).to_string());
        taken(send(&app, &key, "/v1/traces", JSON, body(&json!([span])).to_string()).await, JSON).await;
        let row = &stored(&app, &ada, "traces").await[0];
        assert_eq!((&row["durationMs"], &row["meta"]["endTime"]), (&json!(0.0), &json!("2026-11-18T11:06:39.999999999Z")));
        assert_eq!(row["timestamp"], "2026-11-18T11:06:40.000000100Z");
    }

    async fn values_that_can_not_be_read_are_cut_or_kept_as_they_stand(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let mut nested = json!({"intValue": 1});
        for _ in 0..36 {
            nested = json!({"arrayValue": {"values": [nested]}});
        }
        let mut odd = json_span("odd", &[
            ("deep", nested),
            ("float", json!({"intValue": 5.0})),
            ("half", json!({"intValue": 5.5})),
            ("words", json!({"intValue": "seven"})),
            ("large", json!({"intValue": "99999999999999999999"})),
            ("base", json!({"bytesValue": "*"})),
            ("list", json!({"arrayValue": {"values": {}}})),
            ("fine", text("a")),
        ]);
        odd["kind"] = json!("SPAN_KIND_CLIENT");
        odd["status"] = json!({"code": "STATUS_CODE_ERROR", "message": 7});
        odd["droppedAttributesCount"] = json!(-3);
        odd["droppedEventsCount"] = json!("2");
        odd["events"] = json!([{"name": "e", "timeUnixNano": 1.5, "droppedAttributesCount": -1}]);
        let mut spans: Vec<Value> = (0..9).map(|number| json_span(&format!("good {number}"), &[])).collect();
        spans.insert(4, odd);
        taken(send(&app, &key, "/v1/traces", JSON, body(&json!(spans)).to_string()).await, JSON).await;
        let stored = stored(&app, &ada, "traces").await;
        assert_eq!(stored.len(), 10);
        let row = stored.iter().find(|row| row["meta"]["name"] == "odd").unwrap();
        let mut value = &row["meta"]["attributes"]["deep"];
        let mut depth = 0;
        while let Some(inner) = value.get(0) {
            (value, depth) = (inner, depth + 1);
        }
        assert_eq!((depth, value), (32, &json!("… [cut]")));
        let mut attributes = row["meta"]["attributes"].clone();
        attributes.as_object_mut().unwrap().remove("deep");
        assert_eq!(attributes, json!({
            "float": 5, "half": r#"{"intValue":5.5}"#, "words": r#"{"intValue":"seven"}"#,
            "large": r#"{"intValue":"99999999999999999999"}"#, "base": r#"{"bytesValue":"*"}"#,
            "list": r#"{"values":{}}"#, "fine": "a",
        }));
        assert_eq!((&row["requestMethod"], &row["meta"]["kind"]), (&json!("CLIENT"), &json!("client")));
        assert_eq!(row["meta"]["status"], json!({"code": "error", "message": "7"}));
        assert_eq!((row["meta"].get("droppedAttributesCount"), &row["meta"]["droppedEventsCount"]), (None, &json!(2)));
        assert_eq!(row["meta"]["events"], json!([{"name": "e"}]));
        // Protobuf nests as deep.
        let nest = |inner: Vec<u8>| field(5, field(1, inner));
        let deep = (0..36).fold(number(3, 1), |inner, _| nest(inner));
        let deep = [span("deep"), field(9, [field(1, "deep"), field(2, deep)].concat())].concat();
        taken(send(&app, &key, "/v1/traces", PROTOBUF, request(&[deep])).await, PROTOBUF).await;
    }

    async fn a_body_of_20_mib_is_taken(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let large = |number: u64| [
            span(&format!("span {number}")),
            attribute(9, "filler", &"x".repeat(12 * 1024)),
        ].concat();
        let spans: Vec<_> = (0..1_600).map(large).collect();
        let body = request(&spans);
        assert!(body.len() > 18 * 1024 * 1024);
        for (coding, body) in [("gzip", gzip(&body)), ("identity", body)] {
            let request = app.post("/v1/traces").header("x-api-key", &key).header("content-type", PROTOBUF);
            let sent = request.header("content-encoding", coding).body(body).send().await.unwrap();
            taken(sent, PROTOBUF).await;
        }
        let telemetry = app.telemetry().await;
        assert_eq!(count_rows(&telemetry, "traces").await, 1_600);
    }

    async fn nothing_to_store_is_no_error(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        for path in ["/v1/traces", "/v1/logs"] {
            taken(send(&app, &key, path, PROTOBUF, "").await, PROTOBUF).await;
            taken(send(&app, &key, path, PROTOBUF, request(&[])).await, PROTOBUF).await;
            for body in ["{}", r#"{"resourceSpans":[]}"#,
                r#"{"resourceLogs":null}"#, r#" {"resourceSpans":[{"resource":null,"scopeSpans":[{}]}]}"#] {
                taken(send(&app, &key, path, "application/json; charset=utf-8", body).await, JSON).await;
            }
        }
    }

    async fn packed_bodies_are_unpacked(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        for (coding, kind, body) in [
            ("gzip", PROTOBUF, gzip(&request(&[span("one")]))),
            ("GZIP", JSON, gzip(body(&json!([json_span("two", &[])])).to_string().as_bytes())),
            ("identity", PROTOBUF, request(&[span("three")])),
            ("deflate", PROTOBUF, zlib(&request(&[span("four")]))),
            ("zstd", JSON, zstd(body(&json!([json_span("five", &[])])).to_string().as_bytes())),
        ] {
            let request = app.post("/v1/traces").header("x-api-key", &key);
            let request = request.header("content-type", kind).header("content-encoding", coding);
            taken(request.body(body).send().await.unwrap(), kind).await;
        }
        assert_eq!(stored(&app, &ada, "traces").await.len(), 5);
    }

    async fn the_key_comes_as_x_api_key_or_as_bearer(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let named = |path: &str, name: &str| app.post(path).header("content-type", PROTOBUF).body(request(&[span(name)]));
        let post = |path: &str| named(path, "a");
        taken(post("/v1/traces").header("x-api-key", &key).send().await.unwrap(), PROTOBUF).await;
        taken(named("//v1/traces", "b").bearer_auth(&key).send().await.unwrap(), PROTOBUF).await;
        problem(post("/v1/traces").send().await.unwrap(), 401, "missing_key").await;
        problem(post("/v1/traces").bearer_auth(&ada.jwt).send().await.unwrap(), 401, "malformed_key").await;
        // Elsewhere a bearer token is a person's: the SDKs' own form takes none.
        let form = app.post("/ingest/traces").json(&crate::test_app::traces(1)).bearer_auth(&key);
        problem(form.send().await.unwrap(), 401, "missing_key").await;
        assert_eq!(stored(&app, &ada, "traces").await.len(), 2);
    }

    async fn a_revoked_key_delivers_nothing_more(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        taken(send(&app, &key, "/v1/traces", PROTOBUF, request(&[span("a")])).await, PROTOBUF).await;
        let id = crate::test_app::text(&app.keys(&ada).await[0]["id"]);
        assert_eq!(app.revoke(&ada, &id).await.status(), 204);
        for path in ["/v1/traces", "/v1/logs"] {
            problem(send(&app, &key, path, PROTOBUF, request(&[span("b")])).await, 401, "revoked_key").await;
        }
        assert_eq!(stored(&app, &ada, "traces").await.len(), 1);
    }

    async fn a_key_of_one_application_never_exports_to_another(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        let key = app.generate(&ada).await;
        let send = async |path: &str, application: &str| {
            let request = app.post(path).bearer_auth(&key).header("content-type", PROTOBUF);
            let request = request.header("x-application-id", application);
            request.body(super::protobuf::request(&[span("a")])).send().await.unwrap()
        };
        for path in ["/v1/traces", "/v1/logs"] {
            problem(send(path, &eve.application).await, 403, "wrong_scope").await;
            problem(send(path, "nonsense").await, 404, "not_found").await;
        }
        taken(send("/v1/traces", &ada.application).await, PROTOBUF).await;
        assert_eq!(stored(&app, &eve, "traces").await.len(), 0);
        assert_eq!(stored(&app, &ada, "traces").await.len(), 1);
    }
}
