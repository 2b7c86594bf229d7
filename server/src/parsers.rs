//! Every parser of untrusted input as a function of bytes, for the tests that count its work and
//! for `make fuzz` (server/tests/parsers). The server does not call this module.

use std::net::{IpAddr, Ipv4Addr};

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::header::{AUTHORIZATION, COOKIE, FORWARDED};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum_extra::extract::CookieJar;
use latchkey_domain::api::{KeyRequest, VerifyRequest};
use latchkey_domain::id::KeyId;
use latchkey_domain::limit::Cidr;
use latchkey_domain::login::GithubLogin;
use latchkey_domain::mask;
use latchkey_domain::path::LocalPath;
use latchkey_domain::secret::PresentedKey;
use latchkey_gateway::parsers as gateway;
use latchkey_services::PageRequest;
use serde::de::DeserializeOwned;

use crate::http::forwarded::{self, X_FORWARDED_FOR};
use crate::http::{auth, json};
use crate::ingest::otlp;
use crate::ingest::sdk::SdkBody;
use crate::oauth;
use crate::routes::{audit, keys};

/// A parser that reads untrusted input.
pub struct Parser {
    /// Name of the parser in reports.
    pub name: &'static str,
    /// Parses the bytes and drops the result.
    pub read: fn(&[u8]),
    /// Valid inputs to start from.
    pub examples: &'static [&'static str],
}

/// All parsers that read untrusted input.
pub const ALL: &[Parser] = &[
    Parser {
        name: "x-forwarded-for",
        read: |input| forwarded_by(&X_FORWARDED_FOR, input),
        examples: &["203.0.113.7", "10.0.0.1, [2001:db8::1]:80", "\"203.0.113.7:80\""],
    },
    Parser {
        name: "forwarded",
        read: |input| forwarded_by(&FORWARDED, input),
        examples: &["for=203.0.113.7;proto=https, for=\"[2001:db8::1]:80\";host=\"a\\\"b\""],
    },
    Parser {
        name: "cookies",
        read: cookies,
        examples: &["latchkey_refresh=abc; latchkey_sign_in=state.verifier; theme=dark"],
    },
    Parser { name: "queries", read: queries, examples: &["q=web&status=active&limit=5&from="] },
    Parser {
        name: "cursors",
        read: cursors,
        examples: &["1795000000000.00000000000000000000000000000007"],
    },
    Parser {
        name: "authorization",
        read: |input| {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(input) {
                headers.insert(AUTHORIZATION, value);
            }
            if let Some(token) = auth::bearer(&headers) {
                let _ = PresentedKey::parse(token);
            }
        },
        examples: &["Bearer lk_live_000000000000000000000000000000004cjNQE"],
    },
    Parser {
        name: "short-texts",
        read: short_texts,
        examples: &["203.0.113.0/24", "octo-cat", "/keys?tab=1"],
    },
    Parser {
        name: "mask",
        read: |input| drop(mask::masked(input)),
        examples: &[
            "/v1/keys/lk%5Flive%5F000000000000000000000000000000004cjNQE",
            "eyJhbGciOiJ9.eyJzdWIiOiJ9.x",
        ],
    },
    Parser {
        name: "ingest-traces",
        read: |input| drop(SdkBody::of(input.to_vec()).traces()),
        examples: &[
            r#"{"timestamp":"2026-11-21T07:45:53Z","traces":[{"timestamp":"2026-11-21T07:45:53Z","requestMethod":"GET","requestURL":"/a","responseStatus":200,"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","parentSpanId":null,"durationMs":1.5,"meta":{"a":[1,null]}}]}"#,
        ],
    },
    Parser {
        name: "ingest-logs",
        read: |input| drop(SdkBody::of(input.to_vec()).logs()),
        examples: &[
            r#"{"timestamp":"2026-11-21T07:45:53Z","logs":[{"traceId":null,"level":"info","type":"a","message":"b","timestamp":"2026-11-21T07:45:53Z","clientTimestamp":"2026-11-21T07:45:53Z"}]}"#,
        ],
    },
    Parser {
        name: "otlp-json",
        read: |input| otlp::read_body("application/json", input),
        examples: &[
            r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"stringValue":"b"}}]},"scopeSpans":[{"scope":{"name":"s"},"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"n","kind":2,"startTimeUnixNano":"1795000000000000000","endTimeUnixNano":1795000000000000001,"attributes":[],"status":{"code":1}}]}]}]}"#,
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1795000000000000000","severityNumber":9,"body":{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"1"}]}}}]}}}]}]}]}"#,
        ],
    },
    Parser {
        name: "otlp-protobuf",
        read: |input| otlp::read_body("application/x-protobuf", input),
        // A resource, a scope and a record, the shortest that there are.
        examples: &["\n\u{8}\n\0\u{12}\u{4}\n\0\u{12}\0", "\n\u{4}\u{12}\u{2}\u{12}\0"],
    },
    Parser {
        name: "verify",
        read: body::<VerifyRequest>,
        examples: &[
            r#"{"key":"lk_live_000000000000000000000000000000004cjNQE","cost":1,"ip":"::1"}"#,
            r#"{"key":"a","scopes":{"all":["a:b",{"any":["c/d",{"all":["e"]}]}]}}"#,
        ],
    },
    Parser {
        name: "keys",
        read: body::<KeyRequest>,
        examples: &[
            r#"{"name":"a","metadata":{"a":[1.10,{"b":"\u00e9"}],"c":1e400},"tags":["a"],"scopes":["a:*"],"external_id":"u1"}"#,
        ],
    },
    Parser {
        name: "upstream-answers",
        read: gateway::read_answer,
        examples: &[
            "data: {\"choices\":[{}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n",
            r#"{"id":"a","usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            r#"{"error":{"message":"Bad https://u:p@host/ key sk-1","type":"a","code":"b"}}"#,
        ],
    },
    Parser {
        name: "gateway-bodies",
        read: |input| gateway::read_body(&Bytes::copy_from_slice(input)),
        examples: &[
            r#"{"model":"sandbox","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"stream":true,"stream_options":{"include_usage":true},"max_tokens":5,"tools":[{"type":"function"}]}"#,
        ],
    },
    Parser {
        name: "gateway-forms",
        read: |input| gateway::read_form(&Bytes::copy_from_slice(input)),
        examples: &[
            "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--b--\r\n",
            "multipart/form-data; charset=utf-8; boundary=\"a:b\"",
        ],
    },
];

fn forwarded_by(name: &HeaderName, input: &[u8]) {
    let mut headers = HeaderMap::new();
    // Two lines, if there are two.
    for line in input.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name.clone(), value);
        }
    }
    let proxy = IpAddr::V4(Ipv4Addr::LOCALHOST);
    // All of them are trusted, so that all of it is read.
    let trusted: Vec<Cidr> = ["0.0.0.0/0", "::/0"].iter().flat_map(|all| all.parse()).collect();
    let _ = forwarded::client(proxy, &headers, &trusted);
}

fn cookies(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    let jar = CookieJar::from_headers(&HeaderMap::from_iter([(COOKIE, value)]));
    let _ = (oauth::cookies::refresh_token(true, &jar), jar.iter().count());
}

fn queries(input: &[u8]) {
    let Ok(uri) = Uri::try_from([b"/?", input].concat()) else { return };
    if let Ok(Query(parameters)) = Query::<keys::KeyParams>::try_from_uri(&uri) {
        let _ = parameters.filter();
    }
    if let Ok(Query(parameters)) = Query::<audit::AuditParams>::try_from_uri(&uri) {
        let _ = parameters.filter();
    }
}

fn cursors(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let page = PageRequest { cursor: Some(text.to_owned()), ..PageRequest::default() };
    let _ = page.after_id::<KeyId>();
    let _ = page.after_time::<KeyId>();
    let _ = page.after_nanos();
}

fn short_texts(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let _ = text.parse::<Cidr>();
    let _ = text.parse::<GithubLogin>();
    let _ = PresentedKey::parse(text);
    let _ = LocalPath::or_root(Some(text));
}

fn body<T: DeserializeOwned>(input: &[u8]) {
    let _ = json::parse::<T>(input);
}
