//! Traces and logs of this server itself, sent to a collector by OTLP. Only the standard variables
//! switch that on (`settings`); without them nothing is created, and a request pays for one load.
//!
//! A request never waits for the collector: spans and log records go through bounded queues
//! (`queue`) to threads that export them. What does not fit, or can't be exported, is dropped and
//! counted. The requests by which this or another server exports are neither traced nor exported as
//! logs, so a server that exports to itself comes to rest.

mod log_layer;
mod queue;
mod requests;
mod settings;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, anyhow};
use opentelemetry::global;
use opentelemetry::logs::LoggerProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{LogExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{
    BatchConfigBuilder as LogBatches, BatchLogProcessor, SdkLogger, SdkLoggerProvider,
};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder as SpanBatches, BatchSpanProcessor, SdkTracer, SdkTracerProvider,
};
use reqwest::redirect::Policy;

use crate::http_client;
use queue::{BoundedLogs, BoundedSpans, CountedLogs, CountedSpans, Queue};
use settings::{OtelSettings, SignalSettings};

pub(crate) use log_layer::LogLayer;
pub(crate) use queue::Dropped;
pub(crate) use requests::{TracedRequest, name_route, note_error, request_context, trace};
pub(crate) use settings::{problem, set_variables};

/// Name of this server among services, and of the scope of its spans and log records.
const NAME: &str = "latchkey";
/// A header of the requests that export, by which the server that gets them knows them.
const EXPORT_HEADER: &str = "x-latchkey-export";
/// How long the last spans may take at the stop, and then the last log records.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// What exports in this process, if anything does.
static OTEL: OnceLock<Otel> = OnceLock::new();

struct Otel {
    traces: Option<Traces>,
    logs: Option<Logs>,
}

struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    queue: Arc<Queue>,
}

struct Logs {
    provider: SdkLoggerProvider,
    logger: SdkLogger,
    queue: Arc<Queue>,
}

/// Starts exporting, if the variables of the process say so. Called once, before logs begin.
///
/// # Errors
/// A variable is invalid or not supported; the message names it without its value.
pub fn start() -> anyhow::Result<()> {
    let settings = OtelSettings::of_process()?;
    if settings.traces.is_none() && settings.logs.is_none() {
        return Ok(());
    }
    let resource = resource();
    let traces = settings.traces.map(|signal| traces(&signal, &resource)).transpose()?;
    let logs = settings.logs.map(|signal| logs(&signal, &resource)).transpose()?;
    if let Some(traces) = &traces {
        global::set_tracer_provider(traces.provider.clone());
    }
    // It is started once only.
    let _ = OTEL.set(Otel { traces, logs });
    Ok(())
}

/// Exports what still waits, for a few seconds at most. Whoever is served has been served by then.
pub async fn finish() {
    let Some(otel) = OTEL.get() else { return };
    // The task can't be cancelled, and a panic in it is logged.
    let _ = tokio::task::spawn_blocking(|| otel.shut_down()).await;
}

/// Whether this server exports traces or logs.
pub(crate) fn is_on() -> bool {
    OTEL.get().is_some()
}

/// Logs what is exported.
pub(crate) fn announce() {
    if let Some(Otel { traces, logs }) = OTEL.get() {
        let (traces, logs) = (traces.is_some(), logs.is_some());
        tracing::info!(traces, logs, "Exporting telemetry of this server by OTLP");
    }
}

/// The layer that exports log records, if they are exported.
pub(crate) fn log_layer() -> Option<LogLayer> {
    let logs = OTEL.get()?.logs.as_ref()?;
    Some(LogLayer::new(logs.logger.clone()))
}

/// What was dropped so far, by signal and reason. Empty if nothing is exported.
pub(crate) fn dropped() -> Vec<Dropped> {
    let Some(otel) = OTEL.get() else { return Vec::new() };
    let of_traces = otel.traces.as_ref().map(|traces| &traces.queue);
    let of_logs = otel.logs.as_ref().map(|logs| &logs.queue);
    of_traces.into_iter().chain(of_logs).flat_map(|queue| queue.dropped()).collect()
}

/// What starts spans, if traces are exported.
fn tracer() -> Option<&'static SdkTracer> {
    Some(&OTEL.get()?.traces.as_ref()?.tracer)
}

impl Otel {
    fn shut_down(&self) {
        if let Some(Traces { provider, queue, .. }) = &self.traces {
            queue.finish(&provider.shutdown_with_timeout(SHUTDOWN_TIMEOUT));
        }
        if let Some(Logs { provider, queue, .. }) = &self.logs {
            queue.finish(&provider.shutdown_with_timeout(SHUTDOWN_TIMEOUT));
        }
    }
}

fn traces(signal: &SignalSettings, resource: &Resource) -> anyhow::Result<Traces> {
    let queue = Arc::new(Queue::new("traces", signal.max_queue));
    let exporter = configured(SpanExporter::builder().with_http(), signal)?.build();
    // Its text may have the endpoint, which may have a secret.
    let exporter = exporter.map_err(|_| anyhow!("the exporter of traces can't be built"))?;
    let exporter = CountedSpans::new(exporter, Arc::clone(&queue));
    let config = SpanBatches::default().with_max_queue_size(signal.max_queue).build();
    let batches = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_span_processor(BoundedSpans::new(batches, Arc::clone(&queue)))
        .build();
    Ok(Traces { tracer: provider.tracer(NAME), provider, queue })
}

fn logs(signal: &SignalSettings, resource: &Resource) -> anyhow::Result<Logs> {
    let queue = Arc::new(Queue::new("logs", signal.max_queue));
    let exporter = configured(LogExporter::builder().with_http(), signal)?.build();
    // Its text may have the endpoint, which may have a secret.
    let exporter = exporter.map_err(|_| anyhow!("the exporter of logs can't be built"))?;
    let exporter = CountedLogs::new(exporter, Arc::clone(&queue));
    let config = LogBatches::default().with_max_queue_size(signal.max_queue).build();
    let batches = BatchLogProcessor::builder(exporter).with_batch_config(config).build();
    let provider = SdkLoggerProvider::builder()
        .with_resource(resource.clone())
        .with_log_processor(BoundedLogs::new(batches, Arc::clone(&queue)))
        .build();
    Ok(Logs { logger: provider.logger(NAME), provider, queue })
}

/// The exporter as the settings want it. What they leave out, such as headers, it reads from the
/// variables itself.
fn configured<E>(exporter: E, signal: &SignalSettings) -> anyhow::Result<E>
where
    E: WithExportConfig + WithHttpConfig,
{
    let marks = HashMap::from([(EXPORT_HEADER.to_owned(), "otlp".to_owned())]);
    Ok(exporter
        .with_endpoint(signal.endpoint.expose())
        .with_protocol(signal.protocol)
        .with_timeout(signal.timeout)
        .with_headers(marks)
        .with_http_client(blocking_client(signal.timeout)?))
}

/// A client for a thread that exports. It follows no redirect, which could carry a credential to
/// another host.
fn blocking_client(timeout: Duration) -> anyhow::Result<reqwest::blocking::Client> {
    http_client::install_cryptography();
    let build = move || {
        let builder = reqwest::blocking::Client::builder();
        builder.redirect(Policy::none()).timeout(timeout).build()
    };
    // It may not be built by a thread of the runtime, as it waits for one of its own.
    let client = std::thread::spawn(build).join();
    let client = client.map_err(|_| anyhow!("the thread that builds an HTTP client panicked"))?;
    client.context("the HTTP client of exports can't be built")
}

/// Who exports: what the variables say, and where they say nothing, our name and version.
fn resource() -> Resource {
    let said = Resource::builder().build();
    let has_name = said
        .get(&Key::from_static_str("service.name"))
        .is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let mut resource = Resource::builder();
    if !has_name {
        resource = resource.with_service_name(NAME);
    }
    if said.get(&Key::from_static_str("service.version")).is_none() {
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        resource = resource.with_attribute(version);
    }
    resource.build()
}
