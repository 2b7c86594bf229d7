//! How an upstream has done: its failures in a row, which take it out for a while, and what
//! `GET /v1/upstreams` shows of it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::api::UpstreamFailure;

/// So many failures in a row take an upstream out.
const MAX_FAILURES: u32 = 3;
/// How long it is out before a call tries it again.
const OUT_FOR: Duration = Duration::from_secs(5);
/// Share of the newest call in the mean latency: one eighth.
const LATENCY_DIVISOR: u64 = 8;

/// The status of an upstream on this node. Times are of the monotonic clock.
///
/// Calls to an upstream that is well take no lock, as all calls of the node may go to one upstream.
#[derive(Default)]
pub(super) struct UpstreamStatus {
    calls: AtomicU64,
    failures_in_a_row: AtomicU32,
    /// Mean latency in nanoseconds. 0 before the first answer.
    latency: AtomicU64,
    state: Mutex<State>,
}

/// What matters while an upstream fails.
#[derive(Default)]
struct State {
    /// When a call may try it again.
    back_at: Duration,
    /// Whether a call is trying it.
    is_tried: bool,
    errors: u64,
    last_failure: Option<UpstreamFailure>,
}

/// What is shown of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatusSnapshot {
    pub(super) is_healthy: bool,
    pub(super) latency: Option<Duration>,
    pub(super) calls: u64,
    pub(super) errors: u64,
    pub(super) last_failure: Option<UpstreamFailure>,
}

impl UpstreamStatus {
    fn is_out(&self) -> bool {
        self.failures_in_a_row.load(Ordering::Relaxed) >= MAX_FAILURES
    }

    /// Whether a call may go there: it is not out, or the time has come to try it.
    pub(super) fn is_available(&self, now: Duration) -> bool {
        !self.is_out() || self.state().may_be_tried(now)
    }

    /// Begins a call. None: it is out. Otherwise whether this call tries it: then others stay away
    /// until [`Self::end_trial`].
    pub(super) fn begin(&self, now: Duration) -> Option<bool> {
        let is_trial = self.is_out();
        if is_trial {
            let mut state = self.state();
            if !state.may_be_tried(now) {
                return None;
            }
            state.is_tried = true;
        }
        self.count_call();
        Some(is_trial)
    }

    /// Begins a call whether it is out or not.
    pub(super) fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// The call that tried it has its result, or has been given up.
    pub(super) fn end_trial(&self) {
        self.state().is_tried = false;
    }

    /// It answered a call after so long.
    pub(super) fn answered(&self, latency: Duration) {
        self.forget_failures();
        let newest = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(1);
        // Of two answers at the same time one may be left out of the mean.
        let mean = match self.latency.load(Ordering::Relaxed) {
            0 => newest,
            mean => (mean - mean / LATENCY_DIVISOR).saturating_add(newest / LATENCY_DIVISOR),
        };
        self.latency.store(mean, Ordering::Relaxed);
    }

    /// It could not serve a call.
    pub(super) fn failed(&self, now: Duration, failure: UpstreamFailure) {
        // Whoever finds it out waits here for the time at which it is back.
        let mut state = self.state();
        self.failures_in_a_row.fetch_add(1, Ordering::Relaxed);
        if self.is_out() {
            state.back_at = now.saturating_add(OUT_FOR);
        }
        state.note(failure);
    }

    /// It answered, but rejected our credentials or redirects: not a reason to be taken out, as it
    /// would do the same afterwards.
    pub(super) fn misconfigured(&self, failure: UpstreamFailure) {
        self.forget_failures();
        self.state().note(failure);
    }

    /// An answer of it that had begun did not come to its end, or was an error. It does not count
    /// towards being taken out, because no other upstream could have gone on.
    pub(super) fn broke_off(&self, failure: UpstreamFailure) {
        self.state().note(failure);
    }

    /// It answered, or its settings have changed: its failures say nothing about it any more.
    pub(super) fn forget_failures(&self) {
        // Mostly there are none, and a store would take the cache line from other processors.
        if self.failures_in_a_row.load(Ordering::Relaxed) != 0 {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// Orders upstreams that are out: those that are not being tried and are back first.
    pub(super) fn order_of_return(&self) -> (bool, Duration) {
        let state = self.state();
        (state.is_tried, state.back_at)
    }

    pub(super) fn snapshot(&self) -> StatusSnapshot {
        let latency = self.latency.load(Ordering::Relaxed);
        let state = self.state();
        StatusSnapshot {
            is_healthy: !self.is_out(),
            latency: (latency > 0).then(|| Duration::from_nanos(latency)),
            calls: self.calls.load(Ordering::Relaxed),
            errors: state.errors,
            last_failure: state.last_failure.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_be_tried(&self, now: Duration) -> bool {
        !self.is_tried && now >= self.back_at
    }

    fn note(&mut self, failure: UpstreamFailure) {
        self.errors = self.errors.saturating_add(1);
        self.last_failure = Some(failure);
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::time::Timestamp;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn failure() -> UpstreamFailure {
        UpstreamFailure {
            at: Timestamp::from_millis(0),
            status: Some(503),
            message: "busy".to_owned(),
        }
    }

    fn failing(now: Duration) -> UpstreamStatus {
        let status = UpstreamStatus::default();
        for _ in 0..MAX_FAILURES {
            assert!(status.is_available(now));
            status.failed(now, failure());
        }
        status
    }

    #[test]
    fn three_failures_in_a_row_take_it_out_for_five_seconds() {
        let status = failing(SECOND);
        assert!(!status.snapshot().is_healthy);
        assert!(!status.is_available(SECOND * 5) && status.begin(SECOND * 5).is_none());
        assert!(status.is_available(SECOND * 6));
    }

    #[test]
    fn an_answer_ends_the_row() {
        let status = UpstreamStatus::default();
        for _ in 0..5 {
            status.failed(SECOND, failure());
            status.failed(SECOND, failure());
            status.answered(SECOND);
        }
        let seen = status.snapshot();
        assert!(seen.is_healthy);
        assert_eq!((seen.errors, seen.last_failure), (10, Some(failure())));
    }

    #[test]
    fn errors_after_an_answer_count_but_take_nothing_out() {
        let status = UpstreamStatus::default();
        for _ in 0..5 {
            status.answered(SECOND);
            status.broke_off(failure());
            status.misconfigured(failure());
        }
        let seen = status.snapshot();
        assert!(seen.is_healthy && status.is_available(SECOND));
        assert_eq!((seen.errors, seen.last_failure), (10, Some(failure())));
    }

    #[test]
    fn one_call_tries_it_and_others_wait_for_the_result() {
        let status = failing(SECOND);
        assert_eq!(status.begin(SECOND * 6), Some(true));
        assert!(!status.is_available(SECOND * 60), "it is being tried");
        assert_eq!(status.begin(SECOND * 60), None);
        // The call fails: out for another five seconds.
        status.failed(SECOND * 7, failure());
        status.end_trial();
        assert!(!status.is_available(SECOND * 11));
        assert_eq!(status.begin(SECOND * 12), Some(true));
        // The call is given up: the next one tries.
        status.end_trial();
        assert_eq!(status.begin(SECOND * 12), Some(true));
        status.answered(SECOND);
        status.end_trial();
        assert_eq!(status.begin(SECOND * 12), Some(false));
        assert_eq!(status.snapshot().calls, 4);
    }

    #[test]
    fn latency_is_a_mean_of_recent_answers() {
        let status = UpstreamStatus::default();
        assert_eq!(status.snapshot().latency, None);
        status.answered(SECOND * 8);
        assert_eq!(status.snapshot().latency, Some(SECOND * 8));
        status.answered(Duration::ZERO);
        assert_eq!(status.snapshot().latency, Some(SECOND * 7));
    }
}
