//! Bodies that are wrong or mean harm: each its documented status, and no more memory than is
//! promised.

use serde_json::{Value, json};

use super::protobuf::{attribute, field, fixed64, record, request, span};
use super::{JSON, PROTOBUF, START_NANOS, gzip, send, stored, taken};
use crate::test_app::{TestApp, count_rows, on_both_databases, problem};

/// Over 3 GB of zeros in less than 4 MiB, which may be 20: gzip's members may follow each other.
pub(super) fn gzip_bomb() -> Vec<u8> {
    gzip(&vec![0; 1024 * 1024]).repeat(3_200)
}

async fn send_gzip(app: &TestApp, key: &str, path: &str, body: Vec<u8>) -> reqwest::Response {
    let request = app.post(path).header("x-api-key", key).header("content-type", PROTOBUF);
    request.header("content-encoding", "gzip").body(body).send().await.unwrap()
}

on_both_databases! {
    async fn truncated_or_foreign_protobuf_is_malformed(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let whole = request(&[span("a"), span("b")]);
        let tag_zero = vec![0, 0];
        let endless = vec![0xff; 64];
        let huge = vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        let json = b"{\"resourceSpans\":[]}".to_vec();
        for body in [whole[..whole.len() - 1].to_vec(), whole[..7].to_vec(), tag_zero, endless, huge, json] {
            problem(send(&app, &key, "/v1/traces", PROTOBUF, body).await, 400, "malformed").await;
        }
        for end in 1..whole.len() {
            let status = send(&app, &key, "/v1/traces", PROTOBUF, &whole[..end]).await.status().as_u16();
            assert!(status == 400 || status == 200, "{status} at {end}");
        }
        let whole = request(&[record("a")]);
        problem(send(&app, &key, "/v1/logs", PROTOBUF, &whole[..whole.len() - 1]).await, 400, "malformed").await;
        // Within an item they cost that item alone.
        let latin = [span("a"), field(5, b"caf\xe9")].concat();
        let wrong_type = [span("a"), field(7, "soon")].concat();
        let before = stored(&app, &ada, "traces").await.len();
        let sent = send(&app, &key, "/v1/traces", PROTOBUF, request(&[latin, span("good"), wrong_type])).await;
        let (rejected, reasons) = super::protobuf::partial_success(&sent.bytes().await.unwrap());
        assert_eq!(rejected, 2);
        assert!(reasons.starts_with("resourceSpans[0].scopeSpans[0].spans[0]: The body is not valid OTLP protobuf"), "{reasons}");
        assert_eq!(stored(&app, &ada, "traces").await.len(), before + 1);
    }

    async fn invalid_json_is_malformed(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let deep = "[".repeat(200_000);
        for body in ["", "{", "nonsense", r#"{"resourceSpans":[{]}"#, &deep] {
            problem(send(&app, &key, "/v1/traces", JSON, body).await, 400, "malformed").await;
        }
        problem(send(&app, &key, "/v1/traces", JSON, b"{\"resourceSpans\":\"\xff\"}").await, 400, "malformed").await;
        for (body, field) in [
            ("[]", "body"),
            ("null", "body"),
            (r#"{"resourceSpans":{}}"#, "body.resourceSpans"),
            (r#"{"resourceSpans":[null]}"#, "resourceSpans[0]"),
            (r#"{"resourceSpans":[[[]]]}"#, "resourceSpans[0]"),
        ] {
            let refused = problem(send(&app, &key, "/v1/traces", JSON, body).await, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field, "{refused}");
        }
        assert_eq!(stored(&app, &ada, "traces").await.len(), 0);
    }

    async fn one_span_that_can_not_be_read_never_refuses_its_batch(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let good = |name: &str| format!(
            r#"{{"traceId":"{}","spanId":"{}","startTimeUnixNano":1000000,"name":"{name}"}}"#, super::TRACE, super::SPAN,
        );
        for (number, (bad, reason)) in [
            ("null", ": Expected an object."),
            ("[]", ": Expected an object."),
            ("7", ": Expected an object."),
            (r#"{"name":"\ud800"}"#, ""),
            (r#"{"attributes":{}}"#, ".attributes: Expected a list."),
            (r#"{"traceId":[1]}"#, ": traceId: Use 16 bytes"),
            (r#"{"startTimeUnixNano":"soon"}"#, ": traceId: Use 16 bytes"),
        ].into_iter().enumerate() {
            let (one, other) = (good(&format!("{number} one")), good(&format!("{number} other")));
            let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{one},{bad},{other}]}}]}}]}}"#);
            let answer = send(&app, &key, "/v1/traces", JSON, body).await;
            assert_eq!(answer.status(), 200, "{bad}");
            let answer = answer.json::<Value>().await.unwrap();
            assert_eq!(answer["partialSuccess"]["rejectedSpans"], "1", "{bad}");
            let words = answer["partialSuccess"]["errorMessage"].as_str().unwrap();
            let expected = format!("resourceSpans[0].scopeSpans[0].spans[1]{reason}");
            assert!(words.starts_with(&expected), "{words}, not {expected}");
            assert_eq!(stored(&app, &ada, "traces").await.len(), 2 * (number + 1), "{bad}");
        }
    }

    async fn other_media_types_and_encodings_are_refused(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        for path in ["/v1/traces", "/v1/logs"] {
            for kind in ["text/plain", "application/protobuf", "application/jsonp", "application/x-protobufs", ""] {
                problem(send(&app, &key, path, kind, "").await, 415, "unsupported_media_type").await;
            }
            for coding in ["br", "compress", "gzip, gzip", "\u{ff}"] {
                let request = app.post(path).header("x-api-key", &key).header("content-type", PROTOBUF);
                let coding = reqwest::header::HeaderValue::from_bytes(coding.as_bytes()).unwrap();
                let refused = request.header("content-encoding", coding).send().await.unwrap();
                problem(refused, 415, "unsupported_media_type").await;
            }
        }
        let twice = app.post("/v1/traces").header("x-api-key", &key).header("content-type", PROTOBUF);
        let twice = twice.header("content-encoding", "gzip").header("content-encoding", "gzip");
        problem(twice.send().await.unwrap(), 415, "unsupported_media_type").await;
    }

    async fn invalid_gzip_is_malformed(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let whole = gzip(&request(&[span("a")]));
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        let trailing = [whole.clone(), b"rest".to_vec()].concat();
        for body in [Vec::new(), request(&[span("a")]), whole[..whole.len() - 4].to_vec(), whole[..9].to_vec(), damaged, trailing] {
            problem(send_gzip(&app, &key, "/v1/traces", body).await, 400, "malformed").await;
        }
        assert_eq!(stored(&app, &ada, "traces").await.len(), 0);
    }

    async fn a_gzip_bomb_is_too_large(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let (bomb, just_over) = (gzip_bomb(), gzip(&vec![0; 20 * 1024 * 1024 + 1]));
        assert!(bomb.len() < 4 * 1024 * 1024);
        for path in ["/v1/traces", "/v1/logs"] {
            for body in [&bomb, &just_over] {
                let answer = send_gzip(&app, &key, path, body.clone()).await;
                problem(answer, 413, "too_large").await;
            }
        }
        // A body of exactly 20 MiB is taken: an unknown field of that length.
        let whole = field(99, vec![0; 20 * 1024 * 1024 - 6]);
        assert_eq!(whole.len(), 20 * 1024 * 1024);
        assert_eq!(send_gzip(&app, &key, "/v1/traces", gzip(&whole)).await.status(), 200);
        let unpacked = vec![0; 20 * 1024 * 1024 + 1];
        problem(send(&app, &key, "/v1/traces", PROTOBUF, unpacked).await, 413, "too_large").await;
    }

    async fn ten_thousand_items_are_stored_and_the_rest_told(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let mut spans: Vec<_> = (0..10_000).map(|number| span(&number.to_string())).collect();
        taken(send(&app, &key, "/v1/traces", PROTOBUF, request(&spans)).await, PROTOBUF).await;
        let telemetry = app.telemetry().await;
        let counted = async |table: &str| count_rows(&telemetry, table).await;
        assert_eq!(counted("traces").await, 10_000);
        spans.extend(["b", "c"].map(span));
        let told = "2 of spans: At most 10,000 are stored per request. Send the rest in another \
                    request.";
        // In one scope, and over several resources.
        let halves = [request(&spans[..5_001]), request(&spans[5_001..])].concat();
        for body in [request(&spans), halves] {
            let answer = send(&app, &key, "/v1/traces", PROTOBUF, body).await;
            assert_eq!(answer.status(), 200);
            let told_of = super::protobuf::partial_success(&answer.bytes().await.unwrap());
            assert_eq!(told_of, (2, told.to_owned()));
        }
        assert_eq!(counted("traces").await, 10_000, "the first ones are there already");
        let log = |number: usize| format!(r#"{{"timeUnixNano":"{}"}}"#, START_NANOS + u64::try_from(number).unwrap());
        let records: Vec<_> = (0..10_003).map(log).collect();
        let body = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#, records.join(","));
        let answer = send(&app, &key, "/v1/logs", JSON, body).await.json::<Value>().await.unwrap();
        assert_eq!(answer, json!({"partialSuccess": {
            "rejectedLogRecords": "3",
            "errorMessage": "3 of logRecords: At most 10,000 are stored per request. Send the rest \
                             in another request.",
        }}));
        assert_eq!(counted("logs").await, 10_000);
        // Of other lists the first ones are read, in both encodings.
        let many = [span("many"), attribute(9, "first", "kept"), field(9, []).repeat(10_001)].concat();
        taken(send(&app, &key, "/v1/traces", PROTOBUF, request(&[many])).await, PROTOBUF).await;
        assert_eq!(counted("traces WHERE meta LIKE '%first%kept%'").await, 1);
    }

    async fn a_large_resource_above_many_spans_does_not_unfold(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let resource = field(1, attribute(1, "padding", &"x".repeat(1024 * 1024)));
        let spans: Vec<u8> = (0..100).flat_map(|number| field(2, span(&number.to_string()))).collect();
        let body = field(1, [resource, field(2, spans)].concat());
        let answer = send(&app, &key, "/v1/traces", PROTOBUF, body).await;
        let (rejected, reason) = super::protobuf::partial_success(&answer.bytes().await.unwrap());
        assert_eq!(rejected, 69, "31 fit into 32 MiB");
        assert!(reason.contains("the items exceed 32 MiB"), "{reason}");
        assert_eq!(stored(&app, &ada, "traces").await.len(), 31);
    }

    async fn maximum_timestamp_is_handled(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let far = [span("a")[..28].to_vec(), field(5, "far"), fixed64(7, u64::MAX), fixed64(8, u64::MAX)].concat();
        assert_eq!(send(&app, &key, "/v1/traces", PROTOBUF, request(&[far])).await.status(), 200);
        let row = &stored(&app, &ada, "traces").await[0];
        assert_eq!((&row["timestamp"], &row["durationMs"]), (&json!("2554-07-21T23:34:33.709551615Z"), &json!(0.0)));
    }
}
