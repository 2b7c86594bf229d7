//! The month's live requests of a project, held against its tier.
//!
//! Each node counts in memory what it admits and knows the database's total as of its last look, so
//! a call is admitted or refused without waiting. Within a node the limit is exact whatever runs in
//! parallel; what other nodes admit is known about two seconds later (see
//! `docs/decisions/007-quota.md`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::id::ProjectId;
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::number::thousands;
use latchkey_domain::time::Timestamp;
use latchkey_domain::usage::Month;

use latchkey_store::id_map::IdMap;

/// How long a total may be used without looking again. A project in use is looked at with every
/// batch, once a second; the rest is for a slow one.
const FRESH: Duration = Duration::from_millis(1_500);
/// A project without calls is forgotten after as long.
const IDLE: Duration = Duration::from_mins(10);
/// A power of two.
const SHARDS: usize = 16;

/// The month's quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuotaHit {
    /// The organization's live requests of a month.
    pub(crate) limit: u64,
    /// Those that were made.
    pub(crate) used: u64,
    /// When the next month begins.
    pub(crate) resets_at: Timestamp,
}

impl QuotaHit {
    /// For the caller: what the limit is, what was used, when it frees.
    pub(crate) fn detail(&self) -> String {
        format!(
            "The monthly quota of {} live requests is exhausted: {} used. It resets at {}.",
            thousands(self.limit),
            thousands(self.used),
            self.resets_at
        )
    }
}

/// Whether a key's calls count: live, and not a backend's own.
pub(crate) const fn counts(kind: KeyKind, environment: Environment) -> bool {
    matches!(environment, Environment::Live) && !matches!(kind, KeyKind::Service)
}

#[derive(Debug, Default)]
struct MonthCounter {
    /// The database's total at the last look, all nodes together.
    total: u64,
    /// When that look began, on the monotonic clock; none: never looked.
    looked_at: Option<Duration>,
    /// What this node admitted and has not written; below zero if what was written was given back.
    unwritten: i64,
}

/// A call that was counted, to be given back if it is refused for another reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) struct CountedCall {
    project: ProjectId,
    month: Month,
}

/// What a node admitted of a month and has not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MonthCount {
    pub(super) project: ProjectId,
    pub(super) month: Month,
    pub(super) requests: i64,
}

type Counters = IdMap<(ProjectId, Month), MonthCounter>;

/// What this node knows of every project's month.
pub(crate) struct Quota(Box<[Mutex<Counters>]>);

impl Quota {
    pub(super) fn new() -> Self {
        Self(std::iter::repeat_with(Mutex::default).take(SHARDS).collect())
    }

    /// Counts a live call, unless the month's quota is used up. Without a limit it only counts.
    ///
    /// # Errors
    /// The quota is used up; nothing was counted.
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

    /// The same, if what the database said is fresh enough at `now` (monotonic): one look instead
    /// of two.
    pub(crate) fn admit_if_fresh(
        &self,
        project: ProjectId,
        limit: Option<u64>,
        month: Month,
        now: Duration,
    ) -> Option<Result<CountedCall, QuotaHit>> {
        let mut counters = self.shard(project);
        let counter = counters.get_mut(&(project, month))?;
        let may = limit.is_none() || counter.is_looked_at_within(FRESH, now);
        may.then(|| counter.admit(limit, CountedCall { project, month }))
    }

    /// Uncounts a call, written by now or not.
    pub(crate) fn release(&self, CountedCall { project, month }: CountedCall) {
        self.shard(project).entry((project, month)).or_default().unwritten -= 1;
    }

    /// How many live calls of the month were made, as far as the database has told.
    pub(crate) fn used(&self, project: ProjectId, month: Month) -> u64 {
        let counters = self.shard(project);
        let counter = counters.get(&(project, month));
        counter.map_or(0, |counter| counter.total.saturating_add_signed(counter.unwritten))
    }

    /// What is to be written.
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

    /// `written`, which may be nothing, is in the database now, which has `total` in all.
    /// `looked_at` is on the monotonic clock.
    pub(super) fn written(&self, written: MonthCount, total: u64, looked_at: Duration) {
        let mut counters = self.shard(written.project);
        let counter = counters.entry((written.project, written.month)).or_default();
        counter.unwritten -= written.requests;
        counter.total = total;
        counter.looked_at = Some(looked_at);
    }

    /// Forgets the projects that have not been asked for in a while. `now` is monotonic.
    pub(super) fn forget_idle(&self, now: Duration) {
        for shard in &self.0 {
            lock(shard).retain(|_, counter| {
                counter.unwritten != 0 || counter.is_looked_at_within(IDLE, now)
            });
        }
    }

    pub(crate) fn is_fresh(&self, project: ProjectId, month: Month, now: Duration) -> bool {
        let counters = self.shard(project);
        counters
            .get(&(project, month))
            .is_some_and(|counter| counter.is_looked_at_within(FRESH, now))
    }

    pub(crate) fn is_known(&self, project: ProjectId, month: Month) -> bool {
        let counters = self.shard(project);
        counters.get(&(project, month)).is_some_and(|counter| counter.looked_at.is_some())
    }

    fn shard(&self, project: ProjectId) -> MutexGuard<'_, Counters> {
        // The last bits of an id are random.
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

    fn is_looked_at_within(&self, time: Duration, now: Duration) -> bool {
        self.looked_at.is_some_and(|looked_at| now.saturating_sub(looked_at) < time)
    }
}

fn lock(shard: &Mutex<Counters>) -> MutexGuard<'_, Counters> {
    // No code panics while it holds the lock, and the counters would be whole even so.
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
    fn the_limit_is_exact_whatever_runs_in_parallel() {
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
    fn looking_counts_nothing() {
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
    fn writing_frees_nothing() {
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
    fn a_higher_tier_admits_at_once_and_a_lower_one_refuses_at_once() {
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
    fn a_month_ends_at_midnight_utc() {
        let quota = Quota::new();
        let _ = quota.admit(project(), Some(1), Month::of(at("2026-11-30T23:59:59.999Z"))).unwrap();
        let hit =
            quota.admit(project(), Some(1), Month::of(at("2026-11-30T23:59:59.999Z"))).unwrap_err();
        assert_eq!(hit.resets_at, at("2026-12-01T00:00:00Z"));
        let _ = quota.admit(project(), Some(1), Month::of(hit.resets_at)).unwrap();
        assert_eq!(quota.unwritten().len(), 2, "both months are written");
    }

    #[test]
    fn what_is_given_back_was_never_counted_written_or_not() {
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
    fn idle_projects_are_forgotten_and_nothing_unwritten_is() {
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
    fn a_hit_names_the_limit_the_use_and_the_reset() {
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
