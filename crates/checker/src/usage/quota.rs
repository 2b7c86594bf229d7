//! A project's live requests of the month, checked against its tier.
//!
//! Each node counts in memory what it admits and keeps the database's total from its last read, so
//! a call is admitted or refused without waiting. Within a node the limit is exact, whatever the
//! concurrency. Other nodes' calls are known after about two seconds (see
//! `docs/decisions/007-quota.md`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::api::{LimitUnit, RefusingLimit};
use latchkey_domain::budget::{BudgetAmount, LimitScope};
use latchkey_domain::id::ProjectId;
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::limit::Period;
use latchkey_domain::number::thousands;
use latchkey_domain::time::Timestamp;
use latchkey_domain::usage::Month;

use latchkey_store::id_map::IdMap;

/// How long a total may be used without another read. Flushes refresh the totals of projects in use
/// once a second; the rest is margin for a slow flush.
const FRESH: Duration = Duration::from_millis(1_500);
/// How long a project without calls is kept in memory.
const IDLE: Duration = Duration::from_mins(10);
/// Number of shards; a power of two.
const SHARDS: usize = 16;

/// Quota of the month is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuotaHit {
    /// Live requests allowed per month.
    pub(crate) limit: u64,
    /// Live requests made this month.
    pub(crate) used: u64,
    /// Start of the next month.
    pub(crate) resets_at: Timestamp,
}

impl QuotaHit {
    /// The quota as a refused call is told.
    pub(crate) const fn refusing(&self) -> RefusingLimit {
        RefusingLimit {
            scope: LimitScope::Project,
            unit: LimitUnit::Requests,
            period: Some(Period::Month),
            limit: BudgetAmount::Count(self.limit),
            used: BudgetAmount::Count(self.used),
            reserved: BudgetAmount::Count(0),
            resets_at: Some(self.resets_at),
        }
    }

    /// Text for the caller: the limit, the usage and when it resets.
    pub(crate) fn detail(&self) -> String {
        format!(
            "The monthly quota of {} live requests is exhausted: {} used. It resets at {}.",
            thousands(self.limit),
            thousands(self.used),
            self.resets_at
        )
    }
}

/// Whether a key's calls count: live keys, except the backend's own service keys.
pub(crate) const fn counts(kind: KeyKind, environment: Environment) -> bool {
    matches!(environment, Environment::Live) && !matches!(kind, KeyKind::Service)
}

#[derive(Debug, Default)]
struct MonthCounter {
    /// Total of all nodes at the last read of the database.
    total: u64,
    /// Start of that read on the monotonic clock. `None` if the total was never read.
    read_at: Option<Duration>,
    /// Calls admitted by this node and not written. Negative if calls were released after a write.
    unwritten: i64,
}

/// A counted call; release it if the call is refused for another reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) struct CountedCall {
    project: ProjectId,
    month: Month,
}

/// Calls of a month that a node has admitted and not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MonthCount {
    pub(super) project: ProjectId,
    pub(super) month: Month,
    pub(super) requests: i64,
}

type Counters = IdMap<(ProjectId, Month), MonthCounter>;

/// Counters of each project's month on this node.
pub(crate) struct Quota(Box<[Mutex<Counters>]>);

impl Quota {
    pub(super) fn new() -> Self {
        Self(std::iter::repeat_with(Mutex::default).take(SHARDS).collect())
    }

    /// Counts a live call, unless the month's quota is exhausted. Without a limit it only counts.
    ///
    /// # Errors
    /// The quota is exhausted. Nothing was counted.
    pub(crate) fn admit(
        &self,
        project: ProjectId,
        limit: Option<u64>,
        month: Month,
    ) -> Result<CountedCall, QuotaHit> {
        let mut counters = self.shard(project);
        let counter = counters.entry((project, month)).or_default();
        counter.admit(limit, CountedCall { project, month })
    }

    /// Same as [`Self::admit`], if the total is fresh at `now` (monotonic), under one lock instead
    /// of two. `None` if it is stale.
    pub(crate) fn admit_if_fresh(
        &self,
        project: ProjectId,
        limit: Option<u64>,
        month: Month,
        now: Duration,
    ) -> Option<Result<CountedCall, QuotaHit>> {
        let mut counters = self.shard(project);
        let counter = counters.get_mut(&(project, month))?;
        let may = limit.is_none() || counter.is_read_within(FRESH, now);
        may.then(|| counter.admit(limit, CountedCall { project, month }))
    }

    /// Uncounts a call, whether or not it was written.
    pub(crate) fn release(&self, CountedCall { project, month }: CountedCall) {
        self.shard(project).entry((project, month)).or_default().unwritten -= 1;
    }

    /// Live calls of the month, as far as this node knows.
    pub(crate) fn used(&self, project: ProjectId, month: Month) -> u64 {
        let counters = self.shard(project);
        let counter = counters.get(&(project, month));
        counter.map_or(0, |counter| counter.total.saturating_add_signed(counter.unwritten))
    }

    /// Counts to be written.
    pub(super) fn unwritten(&self) -> Vec<MonthCount> {
        let mut months = Vec::new();
        for shard in &self.0 {
            let counters = lock(shard);
            let unwritten = counters.iter().filter(|(_, counter)| counter.unwritten != 0);
            months.extend(unwritten.map(|((project, month), counter)| MonthCount {
                project: *project,
                month: *month,
                requests: counter.unwritten,
            }));
        }
        months
    }

    /// Records that `written`, possibly zero, was added to the database, whose count is `total`.
    /// `read_at` is on the monotonic clock.
    pub(super) fn written(&self, written: MonthCount, total: u64, read_at: Duration) {
        let mut counters = self.shard(written.project);
        let counter = counters.entry((written.project, written.month)).or_default();
        counter.unwritten -= written.requests;
        counter.total = total;
        counter.read_at = Some(read_at);
    }

    /// Drops idle projects that have nothing to write. `now` is monotonic.
    pub(super) fn forget_idle(&self, now: Duration) {
        for shard in &self.0 {
            lock(shard)
                .retain(|_, counter| counter.unwritten != 0 || counter.is_read_within(IDLE, now));
        }
    }

    pub(crate) fn is_fresh(&self, project: ProjectId, month: Month, now: Duration) -> bool {
        let counters = self.shard(project);
        counters.get(&(project, month)).is_some_and(|counter| counter.is_read_within(FRESH, now))
    }

    pub(crate) fn is_known(&self, project: ProjectId, month: Month) -> bool {
        let counters = self.shard(project);
        counters.get(&(project, month)).is_some_and(|counter| counter.read_at.is_some())
    }

    fn shard(&self, project: ProjectId) -> MutexGuard<'_, Counters> {
        // The last byte of an id is random.
        lock(&self.0[usize::from(project.to_bytes()[15]) % SHARDS])
    }
}

impl MonthCounter {
    pub(crate) fn admit(
        &mut self,
        limit: Option<u64>,
        call: CountedCall,
    ) -> Result<CountedCall, QuotaHit> {
        let used = self.total.saturating_add_signed(self.unwritten);
        match limit {
            Some(limit) if used >= limit => {
                Err(QuotaHit { limit, used, resets_at: call.month.end() })
            }
            _ => {
                self.unwritten += 1;
                Ok(call)
            }
        }
    }

    fn is_read_within(&self, time: Duration, now: Duration) -> bool {
        self.read_at.is_some_and(|read_at| now.saturating_sub(read_at) < time)
    }
}

fn lock(shard: &Mutex<Counters>) -> MutexGuard<'_, Counters> {
    // No code panics while it holds the lock, and the counters would stay consistent even then.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> ProjectId {
        ProjectId::new(Timestamp::from_millis(0), [0; 10])
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn count(quota: &Quota) -> MonthCount {
        quota.unwritten()[0]
    }

    #[test]
    fn quota_is_exact_under_concurrency() {
        let quota = Quota::new();
        let now = at("2026-11-18T11:06:40Z");
        let admitted: usize = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..64)
                .map(|_| {
                    let calls = || {
                        (0..50)
                            .filter(|_| quota.admit(project(), Some(1_000), Month::of(now)).is_ok())
                    };
                    scope.spawn(move || calls().count())
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).sum()
        });
        assert_eq!(admitted, 1_000);
        assert_eq!(count(&quota).requests, 1_000, "what was refused was not counted");
    }

    #[test]
    fn reading_usage_counts_nothing() {
        let quota = Quota::new();
        let now = at("2026-11-18T11:06:40Z");
        assert_eq!(quota.used(project(), Month::of(now)), 0);
        assert!(quota.unwritten().is_empty());
        let _ = quota.admit(project(), Some(1), Month::of(now)).unwrap();
        assert_eq!(quota.used(project(), Month::of(now)), 1);
        quota.written(count(&quota), 41, Duration::ZERO);
        assert_eq!(quota.used(project(), Month::of(now)), 41);
    }

    #[test]
    fn flush_frees_no_quota() {
        let quota = Quota::new();
        let now = at("2026-11-18T11:06:40Z");
        let _ = quota.admit(project(), Some(2), Month::of(now)).unwrap();
        let batch = count(&quota);
        let _ = quota.admit(project(), Some(2), Month::of(now)).unwrap();
        assert!(
            quota.admit(project(), Some(2), Month::of(now)).is_err(),
            "while it is being written"
        );
        quota.written(batch, 1, Duration::ZERO);
        assert!(quota.admit(project(), Some(2), Month::of(now)).is_err(), "once it is written");
        assert_eq!(count(&quota).requests, 1, "what came since is still to be written");
    }

    #[test]
    fn tier_change_applies_to_the_next_call() {
        let quota = Quota::new();
        let now = at("2026-11-18T11:06:40Z");
        for _ in 0..3 {
            let _ = quota.admit(project(), None, Month::of(now)).unwrap();
        }
        let hit = quota.admit(project(), Some(2), Month::of(now)).unwrap_err();
        assert_eq!((hit.limit, hit.used), (2, 3));
        let _ = quota.admit(project(), Some(4), Month::of(now)).unwrap();
    }

    #[test]
    fn quota_resets_at_midnight_utc() {
        let quota = Quota::new();
        let _ = quota.admit(project(), Some(1), Month::of(at("2026-11-30T23:59:59.999Z"))).unwrap();
        let hit =
            quota.admit(project(), Some(1), Month::of(at("2026-11-30T23:59:59.999Z"))).unwrap_err();
        assert_eq!(hit.resets_at, at("2026-12-01T00:00:00Z"));
        let _ = quota.admit(project(), Some(1), Month::of(hit.resets_at)).unwrap();
        assert_eq!(quota.unwritten().len(), 2, "both months are written");
    }

    #[test]
    fn released_call_is_uncounted_even_after_a_flush() {
        let quota = Quota::new();
        let now = at("2026-11-18T11:06:40Z");
        quota.release(quota.admit(project(), Some(1), Month::of(now)).unwrap());
        assert!(quota.unwritten().is_empty());
        let counted = quota.admit(project(), Some(1), Month::of(now)).unwrap();
        quota.written(count(&quota), 1, Duration::ZERO);
        quota.release(counted);
        assert_eq!(count(&quota).requests, -1);
        let _ = quota.admit(project(), Some(1), Month::of(now)).unwrap();
        assert!(quota.admit(project(), Some(1), Month::of(now)).is_err());
    }

    #[test]
    fn idle_project_is_dropped_only_once_written() {
        let quota = Quota::new();
        let now = at("2026-11-18T11:06:40Z");
        let _ = quota.admit(project(), None, Month::of(now)).unwrap();
        quota.forget_idle(IDLE * 2);
        let batch = count(&quota);
        quota.written(batch, 1, Duration::ZERO);
        assert!(quota.is_fresh(project(), Month::of(now), Duration::ZERO));
        quota.forget_idle(IDLE);
        assert!(!quota.is_fresh(project(), Month::of(now), Duration::ZERO));
    }

    #[test]
    fn quota_error_names_limit_usage_and_reset() {
        let resets_at = at("2026-12-01T00:00:00Z");
        let hit = QuotaHit { limit: 100_000, used: 100_002, resets_at };
        assert_eq!(
            hit.detail(),
            "The monthly quota of 100,000 live requests is exhausted: 100,002 used. It resets at \
             2026-12-01T00:00:00.000Z."
        );
        assert_eq!(
            (thousands(0), thousands(999), thousands(5_000_000)),
            ("0".to_owned(), "999".to_owned(), "5,000,000".to_owned())
        );
    }

    #[test]
    fn only_live_calls_of_customers_count() {
        assert!(counts(KeyKind::Api, Environment::Live));
        assert!(counts(KeyKind::Inference, Environment::Live));
        assert!(!counts(KeyKind::Api, Environment::Test));
        assert!(!counts(KeyKind::Inference, Environment::Test));
        assert!(!counts(KeyKind::Service, Environment::Live));
    }
}
