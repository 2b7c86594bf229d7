//! `/v1/traces` and `/v1/logs`: what comes in by OTLP is stored as the SDKs' own form is.

mod hostile;
mod langfuse;
mod logs;
#[cfg(target_os = "linux")]
mod memory;
mod metrics;
mod protobuf;
mod rust_exporter;
mod trace_list;
mod traces;

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use reqwest::Response;
use serde_json::Value;

use crate::test_app::{START, Session, TestApp};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Nanoseconds since 1970, as OTLP has them.
const START_NANOS: u64 = START.unsigned_abs() * 1_000_000;

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const SPAN: &str = "eee19b7ec3c1b174";
const PARENT: &str = "eee19b7ec3c1b173";

async fn send(
    app: &TestApp,
    key: &str,
    path: &str,
    kind: &str,
    body: impl Into<Vec<u8>>,
) -> Response {
    let request = app.post(path).header("x-api-key", key).header("content-type", kind);
    request.body(body.into()).send().await.unwrap()
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(body).unwrap();
    gzip.finish().unwrap()
}

/// What HTTP calls `deflate`.
pub(crate) fn zlib(body: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(body).unwrap();
    zlib.finish().unwrap()
}

pub(crate) fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 1).unwrap()
}

/// What was stored, newest first.
async fn stored(app: &TestApp, who: &Session, what: &str) -> Vec<Value> {
    let path = format!("/v1/applications/{}/{what}?limit=100", who.application);
    app.json(&path, &who.jwt).await["data"].as_array().unwrap().clone()
}

/// Checks that everything was taken, and how that is said.
async fn taken(response: Response, kind: &str) {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], kind);
    let body = response.bytes().await.unwrap();
    assert_eq!(body, if kind == JSON { "{}" } else { "" });
}
