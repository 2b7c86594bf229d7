//! How long answers take, as histograms that threads add to without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::Uri;
use latchkey_checker::sharding;

use crate::ingest::LANGFUSE_TRACES;

/// The upper ends of the buckets, in microseconds; beyond the last is one more.
const ENDS: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 5_000_000, 30_000_000,
];

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteClass {
    Verify,
    Check,
    Ingest,
    Gateway,
    Api,
    Pages,
}

impl RouteClass {
    pub(crate) const ALL: [Self; 6] =
        [Self::Verify, Self::Check, Self::Ingest, Self::Gateway, Self::Api, Self::Pages];

    /// What a request for this address is for.
    pub(crate) fn of(uri: &Uri) -> Self {
        match uri.path() {
            "/v1/keys/verify" => Self::Verify,
            "/ingest/traces" | "/ingest/logs" | "/v1/traces" | "/v1/logs" | "/v1/metrics"
            | LANGFUSE_TRACES => Self::Ingest,
            "/v1/chat/completions" | "/v1/completions" | "/v1/embeddings" => Self::Gateway,
            path if path.starts_with("/v1/check/") => Self::Check,
            path if is_of_gateway(path) => Self::Gateway,
            path if path.starts_with("/v1/") || path.starts_with("/apikey") => Self::Api,
            _ => Self::Pages,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Check => "check",
            Self::Ingest => "ingest",
            Self::Gateway => "gateway",
            Self::Api => "api",
            Self::Pages => "pages",
        }
    }
}

/// Whether a path is below one of the gateway's prefixes.
fn is_of_gateway(path: &str) -> bool {
    const PREFIXES: [&str; 7] = [
        "/v1/models",
        "/v1/messages",
        "/v1/responses",
        "/v1/rerank",
        "/v1/moderations",
        "/v1/images/",
        "/v1/audio/",
    ];
    PREFIXES.iter().any(|prefix| path.starts_with(prefix))
}

const SHARDS: usize = 16;

#[derive(Default)]
struct Histogram {
    buckets: [AtomicU64; ENDS.len() + 1],
    micros: AtomicU64,
}

/// On cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Shard([Histogram; RouteClass::ALL.len()]);

/// Histograms of each route.
#[derive(Default)]
pub(crate) struct Durations([Shard; SHARDS]);

/// A histogram at one moment.
#[derive(Debug, PartialEq)]
pub(crate) struct Snapshot {
    /// Upper end in seconds, and how many were within; the last end is infinite.
    pub(crate) buckets: Vec<(f64, u64)>,
    pub(crate) seconds: f64,
    pub(crate) count: u64,
}

impl Durations {
    pub(crate) fn observe(&self, route: RouteClass, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let histogram = &self.0[sharding::of_thread(SHARDS)].0[route as usize];
        let bucket = ENDS.partition_point(|end| *end < micros);
        histogram.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        histogram.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self, route: RouteClass) -> Snapshot {
        let sum = |counter: &dyn Fn(&Histogram) -> &AtomicU64| -> u64 {
            let histograms = self.0.iter().map(|shard| &shard.0[route as usize]);
            histograms.map(|one| counter(one).load(Ordering::Relaxed)).sum()
        };
        let ends = ENDS.iter().map(|end| Duration::from_micros(*end).as_secs_f64());
        let counts = (0..=ENDS.len()).map(|bucket| sum(&|one| &one.buckets[bucket]));
        let buckets: Vec<_> = ends.chain([f64::INFINITY]).zip(counts).collect();
        Snapshot {
            count: buckets.iter().map(|(_, count)| count).sum(),
            buckets,
            seconds: Duration::from_micros(sum(&|one| &one.micros)).as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_counts_in_first_bucket_that_fits() {
        let durations = Durations::default();
        for micros in [0, 50, 51, 30_000_000, 30_000_001] {
            durations.observe(RouteClass::Api, Duration::from_micros(micros));
        }
        let seen = durations.snapshot(RouteClass::Api);
        let counts: Vec<_> = seen.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!((&counts[..3], &counts[15..], seen.count), (&[2, 1, 0][..], &[1, 1][..], 5));
        assert!(seen.buckets.last().is_some_and(|(end, _)| end.is_infinite()));
        assert_eq!(durations.snapshot(RouteClass::Verify).count, 0);
    }

    #[test]
    fn route_is_classified_by_path() {
        for (path, route) in [
            ("/v1/keys/verify", RouteClass::Verify),
            ("/v1/keys/key_x", RouteClass::Api),
            ("/v1/check/prj_x", RouteClass::Check),
            ("/v1/check/prj_x/ingest/logs?a=b", RouteClass::Check),
            ("/v1/check", RouteClass::Api),
            ("/apikey?ApplicationId=x", RouteClass::Api),
            ("/v1/logs", RouteClass::Ingest),
            ("/v1/models/sandbox", RouteClass::Gateway),
            ("/login", RouteClass::Pages),
        ] {
            assert_eq!(RouteClass::of(&path.parse().unwrap()), route, "{path}");
        }
    }
}
