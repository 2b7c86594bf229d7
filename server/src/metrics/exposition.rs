//! What `/metrics` says.

use std::fmt;
use std::sync::atomic::Ordering;

use latchkey_services::telemetry;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::RouteClass;
use crate::otel;
use crate::state::AppState;

/// All metrics as text. Values are collected when this is called.
pub(super) fn text(state: &AppState) -> String {
    let mut registry = Registry::with_prefix("latchkey");
    registry.register_collector(Box::new(Everything(state.clone())));
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = encode(&mut text, &registry);
    text
}

struct Everything(AppState);

impl fmt::Debug for Everything {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Everything")
    }
}

impl Collector for Everything {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        checks(&mut encoder, &self.0)?;
        store(&mut encoder, &self.0)?;
        ingest(&mut encoder, &self.0)?;
        upstreams(&mut encoder, &self.0)?;
        http(&mut encoder, &self.0)?;
        telemetry_of_server(&mut encoder)
    }
}

fn checks(encoder: &mut DescriptorEncoder<'_>, state: &AppState) -> fmt::Result {
    let services = &state.services;
    let counts = services.checker.check_counts();
    let mut family =
        encoder.encode_descriptor("checks", "Key checks by outcome", None, MetricType::Counter)?;
    for (outcome, count) in counts.outcomes {
        let labels = [("outcome", outcome.as_str())];
        ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
    }
    let lookups = [("hit", counts.cache_hits), ("miss", counts.cache_misses)];
    let help = "Lookups in the key cache by result";
    let mut family =
        encoder.encode_descriptor("key_cache_lookups", help, None, MetricType::Counter)?;
    for (result, count) in lookups {
        ConstCounter::new(count).encode(family.encode_family(&[("result", result)])?)?;
    }
    let help = "Leases of budgets that the database granted to this node";
    let leases =
        encoder.encode_descriptor("budget_leases_granted", help, None, MetricType::Counter)?;
    ConstCounter::new(counts.budget_leases).encode(leases)?;
    let size = services.checker.cache_size();
    let help = "Entries in the key cache: keys, and digests known to belong to no key";
    let mut family =
        encoder.encode_descriptor("key_cache_entries", help, None, MetricType::Gauge)?;
    for (kind, entries) in [("key", size.keys), ("unknown", size.unknown)] {
        gauge(entries).encode(family.encode_family(&[("kind", kind)])?)?;
    }
    let listening = usize::from(services.checker.is_listening());
    let help = "Whether this node receives key invalidations from other nodes and uses its cache";
    gauge(listening).encode(encoder.encode_descriptor(
        "invalidation_listener_up",
        help,
        None,
        MetricType::Gauge,
    )?)?;
    if let Some(shared) = services.checker.shares_limits() {
        let help = "Whether rate limits are shared with other nodes through Redis";
        let up = encoder.encode_descriptor("redis_limiter_up", help, None, MetricType::Gauge)?;
        gauge(usize::from(shared)).encode(up)?;
    }
    let help = "Key lookups waiting for the database";
    let waiting =
        encoder.encode_descriptor("key_lookup_queue_length", help, None, MetricType::Gauge)?;
    gauge(services.checker.waiting_look_ups()).encode(waiting)?;
    let help = "Budgets of which this node holds a lease";
    let leases = encoder.encode_descriptor("budget_leases", help, None, MetricType::Gauge)?;
    gauge(services.checker.lease_count()).encode(leases)
}

fn store(encoder: &mut DescriptorEncoder<'_>, state: &AppState) -> fmt::Result {
    let database = &state.services.database;
    let help = "Statements executed by the database";
    let statements =
        encoder.encode_descriptor("database_statements", help, None, MetricType::Counter)?;
    ConstCounter::new(database.statements()).encode(statements)?;
    let help = "Database connections by pool and state";
    let mut family =
        encoder.encode_descriptor("database_connections", help, None, MetricType::Gauge)?;
    for (pool, size, idle) in database.pools() {
        let used = usize::try_from(size).unwrap_or_default().saturating_sub(idle);
        for (state, connections) in [("idle", idle), ("used", used)] {
            let labels = [("pool", pool), ("state", state)];
            gauge(connections).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn ingest(encoder: &mut DescriptorEncoder<'_>, state: &AppState) -> fmt::Result {
    let (calls, bytes, refused) = telemetry::waiting(&state.services);
    let help = "Ingest requests that are waiting to be stored or being stored";
    let waiting =
        encoder.encode_descriptor("ingest_queue_requests", help, None, MetricType::Gauge)?;
    gauge(calls).encode(waiting)?;
    let help = "Size of the bodies in the ingest queue";
    let bodies =
        encoder.encode_descriptor("ingest_queue", help, Some(&Unit::Bytes), MetricType::Gauge)?;
    gauge(bytes).encode(bodies)?;
    let help = "Ingest requests rejected because the queue was full";
    let full =
        encoder.encode_descriptor("ingest_rejected_requests", help, None, MetricType::Counter)?;
    ConstCounter::new(refused).encode(full)
}

fn upstreams(encoder: &mut DescriptorEncoder<'_>, state: &AppState) -> fmt::Result {
    let reports = state.gateway.upstream_reports();
    let of = |name: &str| [("upstream", name.to_owned())];
    let help = "Calls sent to an upstream";
    let mut family =
        encoder.encode_descriptor("upstream_calls", help, None, MetricType::Counter)?;
    for report in &reports {
        ConstCounter::new(report.calls).encode(family.encode_family(&of(&report.name))?)?;
    }
    let help = "Calls that an upstream could not serve, or whose answer broke off";
    let mut family =
        encoder.encode_descriptor("upstream_errors", help, None, MetricType::Counter)?;
    for report in &reports {
        ConstCounter::new(report.errors).encode(family.encode_family(&of(&report.name))?)?;
    }
    let help = "Whether an upstream has failed less than three times in a row";
    let mut family = encoder.encode_descriptor("upstream_up", help, None, MetricType::Gauge)?;
    for report in &reports {
        let up = usize::from(report.healthy);
        gauge(up).encode(family.encode_family(&of(&report.name))?)?;
    }
    Ok(())
}

fn http(encoder: &mut DescriptorEncoder<'_>, state: &AppState) -> fmt::Result {
    let open = state.metrics.connections.load(Ordering::Relaxed);
    let help = "Open client connections";
    let connections =
        encoder.encode_descriptor("http_connections", help, None, MetricType::Gauge)?;
    gauge(usize::try_from(open).unwrap_or_default()).encode(connections)?;
    let help = "Time from the request head to the response head";
    let unit = Unit::Seconds;
    let mut family = encoder.encode_descriptor(
        "http_request_duration",
        help,
        Some(&unit),
        MetricType::Histogram,
    )?;
    for route in RouteClass::ALL {
        let seen = state.metrics.durations.snapshot(route);
        let labels = [("route", route.as_str())];
        let mut encoder = family.encode_family(&labels)?;
        encoder.encode_histogram::<NoLabelSet>(seen.seconds, seen.count, &seen.buckets, None)?;
    }
    Ok(())
}

/// Only if it is exported.
fn telemetry_of_server(encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let dropped = otel::dropped();
    if dropped.is_empty() {
        return Ok(());
    }
    let help = "Spans and log records of this server that were not exported";
    let mut family = encoder.encode_descriptor("otel_dropped", help, None, MetricType::Counter)?;
    for otel::Dropped { signal, reason, count } in dropped {
        let labels = [("signal", signal), ("reason", reason)];
        ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauge(value: usize) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}
