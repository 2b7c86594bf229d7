//! OpenTelemetry's SDK for Rust, as a service would use it.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{
    Compression, LogExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::json;

use super::{START_NANOS, stored};
use crate::test_app::on_both_databases;

fn resource() -> Resource {
    Resource::builder_empty().with_service_name("shop-rust").build()
}

/// What an exporter is told.
struct Settings {
    base: String,
    header: (String, String),
    is_packed: bool,
    /// When what it sends began.
    start: SystemTime,
}

impl Settings {
    fn apply<E: WithExportConfig + WithHttpConfig>(&self, exporter: E, path: &str) -> E {
        let exporter = exporter
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}{path}", self.base))
            .with_headers(HashMap::from([self.header.clone()]));
        if self.is_packed { exporter.with_compression(Compression::Gzip) } else { exporter }
    }
}

/// Exports a span with a child, and a log. It blocks, as the exporters do.
fn export(settings: &Settings) {
    let spans = settings.apply(SpanExporter::builder().with_http(), "/v1/traces").build().unwrap();
    let provider =
        SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(spans).build();
    let tracer = provider.tracer("shop.checkout");
    let start = settings.start;
    let request = tracer
        .span_builder("POST /orders")
        .with_kind(SpanKind::Server)
        .with_start_time(start)
        .with_attributes([
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new("url.path", "/orders"),
            KeyValue::new("http.response.status_code", 201),
        ])
        .start(&tracer);
    let context = Context::new().with_span(request);
    let mut charge = tracer
        .span_builder("charge card")
        .with_start_time(start + Duration::from_nanos(7))
        .start_with_context(&tracer, &context);
    charge.record_error(&std::io::Error::other("card declined"));
    charge.set_status(Status::error("card declined"));
    charge.end_with_timestamp(start + Duration::from_millis(3));
    context.span().end_with_timestamp(start + Duration::from_millis(12));
    provider.shutdown().unwrap();

    let logs = settings.apply(LogExporter::builder().with_http(), "/v1/logs").build().unwrap();
    let logs =
        SdkLoggerProvider::builder().with_resource(resource()).with_batch_exporter(logs).build();
    let logger = logs.logger("shop.checkout");
    let mut record = logger.create_log_record();
    record.set_timestamp(start);
    record.set_severity_number(Severity::Warn);
    record.set_body("Payment declined".into());
    record.add_attribute("order", AnyValue::Int(7));
    logger.emit(record);
    logs.shutdown().unwrap();
}

on_both_databases! {
    async fn exports_of_rust_opentelemetry_are_stored(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        for (count, header, is_packed) in [
            (1, ("x-api-key".to_owned(), key.clone()), false),
            (2, ("authorization".to_owned(), format!("Bearer {key}")), true),
        ] {
            // Each later than the ones before.
            let start = Duration::from_nanos(START_NANOS) + Duration::from_millis(20 * count);
            let start = SystemTime::UNIX_EPOCH + start;
            let settings = Settings { base: app.base.clone(), header, is_packed, start };
            tokio::task::spawn_blocking(move || export(&settings)).await.unwrap();
            let spans = stored(&app, &ada, "traces").await;
            assert_eq!(spans.len() as u64, 2 * count);
            // Newest first: by its nanoseconds the child is newer.
            let [child, parent] = &spans[..2] else { panic!("{spans:?}") };
            assert_eq!(parent["requestMethod"], "POST");
            assert_eq!(parent["responseStatus"], 201);
            assert_eq!(parent["durationMs"], 12.0);
            assert_eq!(child["parentSpanId"], parent["spanId"]);
            assert_eq!(child["traceId"], parent["traceId"]);
            assert_eq!(child["meta"]["status"]["code"], "error");
            let event = &child["meta"]["events"][0];
            assert_eq!(event["name"], "exception", "{child}");
            assert_eq!(event["attributes"]["exception.message"], "card declined");
            assert_eq!(parent["meta"]["resource"]["service.name"], "shop-rust", "{parent}");
            let logs = stored(&app, &ada, "logs").await;
            assert_eq!(logs.len() as u64, count);
            assert_eq!(logs[0]["message"], "Payment declined");
            assert_eq!(logs[0]["level"], "warn");
            assert_eq!(logs[0]["meta"]["attributes"], json!({ "order": 7 }));
        }
    }
}
