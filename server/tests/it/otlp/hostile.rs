//! Bodies that are wrong or mean harm: each its documented status, and no more memory than is
//! promised.

use serde_json::{Value, json};

use super::protobuf::{attribute, field, fixed64, record, request, span};
use super::{JSON, PROTOBUF, START_NANOS, gzip, send, stored};
use crate::world::{World, on_both_databases, problem};

/// Over 3 GB of zeros in less than 4 MiB: gzip's members may follow each other.
pub(super) fn gzip_bomb() -> Vec<u8> {
    gzip(&vec![0; 1024 * 1024]).repeat(3_200)
}

async fn send_gzip(world: &World, key: &str, path: &str, body: Vec<u8>) -> reqwest::Response {
    let request = world.post(path).header("x-api-key", key).header("content-type", PROTOBUF);
    request.header("content-encoding", "gzip").body(body).send().await.unwrap()
}

on_both_databases! {
    async fn truncated_or_foreign_protobuf_is_malformed(world: World) {
        let ada = world.sign_in("ada").await;
        let key = world.generate(&ada).await;
        let whole = request(&[span("a"), span("b")]);
        let latin = request(&[[span("a"), field(5, b"caf\xe9")].concat()]);
        let wrong_type = request(&[[span("a"), field(7, "soon")].concat()]);
        let tag_zero = vec![0, 0];
        let endless = vec![0xff; 64];
        let huge = vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        let json = b"{\"resourceSpans\":[]}".to_vec();
        for body in [whole[..whole.len() - 1].to_vec(), whole[..7].to_vec(), latin, wrong_type, tag_zero, endless, huge, json] {
            problem(send(&world, &key, "/v1/traces", PROTOBUF, body).await, 400, "malformed").await;
        }
        for end in 1..whole.len() {
            let status = send(&world, &key, "/v1/traces", PROTOBUF, &whole[..end]).await.status().as_u16();
            assert!(status == 400 || status == 200, "{status} at {end}");
        }
        let whole = request(&[record("a")]);
        problem(send(&world, &key, "/v1/logs", PROTOBUF, &whole[..whole.len() - 1]).await, 400, "malformed").await;
    }

    async fn json_that_is_none_is_malformed_and_wrong_fields_are_named(world: World) {
        let ada = world.sign_in("ada").await;
        let key = world.generate(&ada).await;
        let deep = "[".repeat(200_000);
        for body in ["", "{", "nonsense", r#"{"resourceSpans":[{]}"#, r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"\ud800"}]}]}]}"#, &deep] {
            problem(send(&world, &key, "/v1/traces", JSON, body).await, 400, "malformed").await;
        }
        problem(send(&world, &key, "/v1/traces", JSON, b"{\"resourceSpans\":\"\xff\"}").await, 400, "malformed").await;
        let span = |field: &str, value: &str| {
            format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{}},{{"spans":[{{}},{{"{field}":{value}}}]}}]}}]}}"#)
        };
        let at = "resourceSpans[0].scopeSpans[1].spans[1]";
        for (body, field) in [
            ("[]".to_owned(), "body".to_owned()),
            ("null".to_owned(), "body".to_owned()),
            (r#"{"resourceSpans":{}}"#.to_owned(), "body.resourceSpans".to_owned()),
            (r#"{"resourceSpans":[null]}"#.to_owned(), "body.resourceSpans".to_owned()),
            (r#"{"resourceSpans":[[[]]]}"#.to_owned(), "resourceSpans[0]".to_owned()),
            (span("name", "7"), format!("{at}.name")),
            (span("kind", "\"SPAN_KIND_SERVER\""), format!("{at}.kind")),
            (span("startTimeUnixNano", "-1"), format!("{at}.startTimeUnixNano")),
            (span("startTimeUnixNano", "1.5"), format!("{at}.startTimeUnixNano")),
            (span("startTimeUnixNano", "\"99999999999999999999\""), format!("{at}.startTimeUnixNano")),
            (span("traceId", "[1]"), format!("{at}.traceId")),
        ] {
            let refused = problem(send(&world, &key, "/v1/traces", JSON, body).await, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field, "{refused}");
        }
        let value = |value: Value| {
            let span = json!({"traceId": super::TRACE, "spanId": super::SPAN, "startTimeUnixNano": 1_000_000, "endTimeUnixNano": 1_000_000,
                "attributes": [{"key": "a", "value": value}]});
            json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()
        };
        let mut nested = json!({"intValue": 1});
        for _ in 0..40 {
            nested = json!({"arrayValue": {"values": [nested]}});
        }
        for (wrong, field) in [
            (json!({"intValue": "seven"}), "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.intValue"),
            (json!({"bytesValue": "*"}), "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.bytesValue"),
            (nested, "value"),
        ] {
            let refused = problem(send(&world, &key, "/v1/traces", JSON, value(wrong)).await, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field, "{refused}");
        }
        assert_eq!(stored(&world, &ada, "traces").await.len(), 0);
    }

    async fn other_media_types_and_encodings_are_refused(world: World) {
        let ada = world.sign_in("ada").await;
        let key = world.generate(&ada).await;
        for path in ["/v1/traces", "/v1/logs"] {
            for kind in ["text/plain", "application/protobuf", "application/jsonp", "application/x-protobufs", ""] {
                problem(send(&world, &key, path, kind, "").await, 415, "unsupported_media_type").await;
            }
            for coding in ["br", "zstd", "deflate", "gzip, gzip", "\u{ff}"] {
                let request = world.post(path).header("x-api-key", &key).header("content-type", PROTOBUF);
                let coding = reqwest::header::HeaderValue::from_bytes(coding.as_bytes()).unwrap();
                let refused = request.header("content-encoding", coding).send().await.unwrap();
                problem(refused, 415, "unsupported_media_type").await;
            }
        }
        let twice = world.post("/v1/traces").header("x-api-key", &key).header("content-type", PROTOBUF);
        let twice = twice.header("content-encoding", "gzip").header("content-encoding", "gzip");
        problem(twice.send().await.unwrap(), 415, "unsupported_media_type").await;
    }

    async fn gzip_that_is_none_is_malformed(world: World) {
        let ada = world.sign_in("ada").await;
        let key = world.generate(&ada).await;
        let whole = gzip(&request(&[span("a")]));
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        let trailing = [whole.clone(), b"rest".to_vec()].concat();
        for body in [Vec::new(), request(&[span("a")]), whole[..whole.len() - 4].to_vec(), whole[..9].to_vec(), damaged, trailing] {
            problem(send_gzip(&world, &key, "/v1/traces", body).await, 400, "malformed").await;
        }
        assert_eq!(stored(&world, &ada, "traces").await.len(), 0);
    }

    async fn a_gzip_bomb_is_too_large(world: World) {
        let ada = world.sign_in("ada").await;
        let key = world.generate(&ada).await;
        let (bomb, just_over) = (gzip_bomb(), gzip(&vec![0; 4 * 1024 * 1024 + 1]));
        assert!(bomb.len() < 4 * 1024 * 1024);
        for path in ["/v1/traces", "/v1/logs"] {
            for body in [&bomb, &just_over] {
                let answer = send_gzip(&world, &key, path, body.clone()).await;
                problem(answer, 413, "too_large").await;
            }
        }
        // A body of exactly 4 MiB is taken: an unknown field of that length.
        let whole = field(99, vec![0; 4 * 1024 * 1024 - 6]);
        assert_eq!(whole.len(), 4 * 1024 * 1024);
        assert_eq!(send_gzip(&world, &key, "/v1/traces", gzip(&whole)).await.status(), 200);
        let unpacked = vec![0; 4 * 1024 * 1024 + 1];
        problem(send(&world, &key, "/v1/traces", PROTOBUF, unpacked).await, 413, "too_large").await;
    }

    async fn ten_thousand_items_are_stored_and_one_more_is_refused(world: World) {
        let ada = world.sign_in("ada").await;
        let key = world.generate(&ada).await;
        let mut spans = vec![span("a"); 10_000];
        assert_eq!(send(&world, &key, "/v1/traces", PROTOBUF, request(&spans)).await.status(), 200);
        spans.push(span("b"));
        let refused = problem(send(&world, &key, "/v1/traces", PROTOBUF, request(&spans)).await, 422, "invalid").await;
        assert_eq!(refused["errors"], json!([{"field": "spans", "message": "Send at most 10,000 items."}]));
        // Over several resources too.
        let halves = [request(&spans[..5_001]), request(&spans[..5_000])].concat();
        problem(send(&world, &key, "/v1/traces", PROTOBUF, halves).await, 422, "invalid").await;
        // Other lists have the same bound, in both encodings.
        let many = request(&[[span("a"), field(9, []).repeat(10_001)].concat()]);
        let refused = problem(send(&world, &key, "/v1/traces", PROTOBUF, many).await, 422, "invalid").await;
        assert_eq!(refused["errors"][0]["field"], "resourceSpans[0].scopeSpans[0].spans[0].attributes");
        let records = vec![record("a"); 10_001];
        let refused = problem(send(&world, &key, "/v1/logs", PROTOBUF, request(&records)).await, 422, "invalid").await;
        assert_eq!(refused["errors"][0]["field"], "logRecords");
        let log = format!(r#"{{"timeUnixNano":"{START_NANOS}"}}"#);
        let records = vec![log.as_str(); 10_001].join(",");
        let body = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#);
        problem(send(&world, &key, "/v1/logs", JSON, body).await, 422, "invalid").await;
        assert_eq!(stored(&world, &ada, "logs").await.len(), 0);
    }

    async fn a_large_resource_above_many_spans_does_not_unfold(world: World) {
        let ada = world.sign_in("ada").await;
        let key = world.generate(&ada).await;
        let resource = field(1, attribute(1, "padding", &"x".repeat(1024 * 1024)));
        let spans: Vec<u8> = (0..100).flat_map(|_| field(2, span("a"))).collect();
        let body = field(1, [resource, field(2, spans)].concat());
        let answer = send(&world, &key, "/v1/traces", PROTOBUF, body).await;
        let (rejected, reason) = super::protobuf::partial_success(&answer.bytes().await.unwrap());
        assert_eq!(rejected, 69, "31 fit into 32 MiB");
        assert!(reason.contains("these items are over 32 MiB"), "{reason}");
        assert_eq!(stored(&world, &ada, "traces").await.len(), 31);
    }

    async fn the_last_time_that_there_is_is_survived(world: World) {
        let ada = world.sign_in("ada").await;
        let key = world.generate(&ada).await;
        let far = [span("a")[..28].to_vec(), field(5, "far"), fixed64(7, u64::MAX), fixed64(8, u64::MAX)].concat();
        assert_eq!(send(&world, &key, "/v1/traces", PROTOBUF, request(&[far])).await.status(), 200);
        let row = &stored(&world, &ada, "traces").await[0];
        assert_eq!((&row["timestamp"], &row["durationMs"]), (&json!("2554-07-21T23:34:33.709Z"), &json!(0.0)));
    }
}
