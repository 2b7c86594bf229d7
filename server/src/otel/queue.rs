//! Bounded queues before the threads that export, and what was dropped at them.
//!
//! The SDK's queues are bounded too, but do not say how often they were full. So each is behind a
//! count of what waits, with the same bound, and is never full itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use latchkey_services::clock::Clock;
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{
    BatchLogProcessor, LogBatch, LogExporter, LogProcessor, SdkLogRecord,
};
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

use crate::system::SystemClock;

/// How often failures are logged at most.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// A number of spans or log records that were dropped.
pub(crate) struct Dropped {
    /// `traces` or `logs`.
    pub(crate) signal: &'static str,
    /// `queue_full` or `export_failed`.
    pub(crate) reason: &'static str,
    pub(crate) count: u64,
}

/// What waits to be exported, and what was dropped.
pub(super) struct Queue {
    signal: &'static str,
    max: usize,
    waiting: AtomicUsize,
    full: AtomicU64,
    failed: AtomicU64,
    clock: SystemClock,
    /// When a failure was last logged.
    logged: Mutex<Option<Duration>>,
}

impl Queue {
    /// An empty queue of `max` items.
    pub(super) fn new(signal: &'static str, max: usize) -> Self {
        Self {
            signal,
            max,
            waiting: AtomicUsize::new(0),
            full: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            clock: SystemClock::start(),
            logged: Mutex::new(None),
        }
    }

    /// Whether there is room for one more, which takes it. Otherwise it is counted as dropped.
    fn enter(&self) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < self.max {
            return true;
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.full.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Takes out what is exported now.
    fn leave(&self, count: usize) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
    }

    /// Counts, and now and then logs, what could not be exported.
    fn exported(&self, count: usize, result: &OTelSdkResult) {
        let Err(error) = result else { return };
        self.failed.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        let now = self.clock.monotonic();
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.is_some_and(|last| now.saturating_sub(last) < LOG_INTERVAL) {
            return;
        }
        *logged = Some(now);
        drop(logged);
        let (signal, dropped) = (self.signal, self.dropped_so_far());
        // Not for the collector, which can't be reached.
        let _local = Context::enter_telemetry_suppressed_scope();
        tracing::warn!(signal, dropped, %error, "Failed to export telemetry; it is dropped");
    }

    /// Logs what the end of a provider left behind.
    pub(super) fn finish(&self, ended: &OTelSdkResult) {
        let (signal, left) = (self.signal, self.waiting.load(Ordering::Relaxed));
        let _local = Context::enter_telemetry_suppressed_scope();
        if let Err(error) = ended {
            tracing::warn!(signal, left, %error, "Telemetry was not exported in time");
        }
    }

    fn dropped_so_far(&self) -> u64 {
        let full = self.full.load(Ordering::Relaxed);
        full.saturating_add(self.failed.load(Ordering::Relaxed))
    }

    /// What was dropped, by reason.
    pub(super) fn dropped(&self) -> [Dropped; 2] {
        let signal = self.signal;
        let [full, failed] = [&self.full, &self.failed].map(|count| count.load(Ordering::Relaxed));
        [
            Dropped { signal, reason: "queue_full", count: full },
            Dropped { signal, reason: "export_failed", count: failed },
        ]
    }
}

/// The number itself says nothing that is secret; what it is part of might.
impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("signal", &self.signal).finish_non_exhaustive()
    }
}

/// Lets spans in while there is room.
#[derive(Debug)]
pub(super) struct BoundedSpans {
    batches: BatchSpanProcessor,
    queue: Arc<Queue>,
}

impl BoundedSpans {
    pub(super) const fn new(batches: BatchSpanProcessor, queue: Arc<Queue>) -> Self {
        Self { batches, queue }
    }
}

impl SpanProcessor for BoundedSpans {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.queue.enter() {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Exports spans and counts what fails.
pub(super) struct CountedSpans<E> {
    exporter: E,
    queue: Arc<Queue>,
}

impl<E> CountedSpans<E> {
    pub(super) const fn new(exporter: E, queue: Arc<Queue>) -> Self {
        Self { exporter, queue }
    }
}

/// The exporter has the endpoint and the headers, which are secret.
impl<E> fmt::Debug for CountedSpans<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountedSpans").field("queue", &self.queue).finish_non_exhaustive()
    }
}

impl<E: SpanExporter> SpanExporter for CountedSpans<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.queue.leave(count);
        let result = self.exporter.export(batch).await;
        self.queue.exported(count, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Lets log records in while there is room.
#[derive(Debug)]
pub(super) struct BoundedLogs {
    batches: BatchLogProcessor,
    queue: Arc<Queue>,
}

impl BoundedLogs {
    pub(super) const fn new(batches: BatchLogProcessor, queue: Arc<Queue>) -> Self {
        Self { batches, queue }
    }
}

impl LogProcessor for BoundedLogs {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.queue.enter() {
            self.batches.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Exports log records and counts what fails.
pub(super) struct CountedLogs<E> {
    exporter: E,
    queue: Arc<Queue>,
}

impl<E> CountedLogs<E> {
    pub(super) const fn new(exporter: E, queue: Arc<Queue>) -> Self {
        Self { exporter, queue }
    }
}

/// The exporter has the endpoint and the headers, which are secret.
impl<E> fmt::Debug for CountedLogs<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountedLogs").field("queue", &self.queue).finish_non_exhaustive()
    }
}

impl<E: LogExporter> LogExporter for CountedLogs<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let count = batch.iter().count();
        self.queue.leave(count);
        let result = self.exporter.export(batch).await;
        self.queue.exported(count, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;

    fn counts(queue: &Queue) -> [u64; 2] {
        queue.dropped().map(|dropped| dropped.count)
    }

    #[test]
    fn full_queue_drops_and_counts() {
        let queue = Queue::new("traces", 2);
        assert_eq!([queue.enter(), queue.enter(), queue.enter()], [true, true, false]);
        assert_eq!(counts(&queue), [1, 0]);
        queue.leave(2);
        assert!(queue.enter(), "there is room again");
        assert_eq!(counts(&queue), [1, 0]);
    }

    #[test]
    fn failed_exports_are_counted_by_what_they_had() {
        let queue = Queue::new("logs", 9);
        queue.exported(5, &Ok(()));
        assert_eq!(counts(&queue), [0, 0]);
        let failed = Err(OTelSdkError::InternalFailure("no".to_owned()));
        queue.exported(5, &failed);
        queue.exported(2, &failed);
        assert_eq!(counts(&queue), [0, 7]);
    }
}
