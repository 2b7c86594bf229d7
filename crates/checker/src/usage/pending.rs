//! Usage in memory that is not written yet.
//!
//! Keys are spread over shards, each behind a lock that is held for a look-up and an addition.
//! Counting another call of the same minute and outcome allocates nothing. Memory is bounded
//! however long the database is unavailable: see `COUNTERS_PER_SHARD`.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::mask;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use smallvec::SmallVec;

use super::call::Use;
use super::counts::Counts;
use super::resolution::Resolution;
use crate::record::KeyRecord;
use latchkey_store::id_map::IdMap;

/// Most denials kept per key, here and in the database.
pub const DENIALS_PER_KEY: usize = 50;
/// Number of shards; a power of two.
const SHARDS: usize = 64;
/// Batch size while few keys are in use. Further keys wait for the next batch, so that the cost of
/// a flush hardly grows with the keys in use, and a key's calls of several seconds become one row.
const KEYS_PER_BATCH: usize = 500;
/// Most batches in a round. A batch holds at least this fraction of the keys (one in 16), so every
/// key is written within 16 batches.
const BATCHES_PER_ROUND: usize = 16;
/// Counters per shard after which calls of a new minute are added to the key's last minute: sums
/// stay exact, minutes blur. Calls of a key without a counter for their outcome are dropped then,
/// and the log reports it.
const COUNTERS_PER_SHARD: usize = 4_096;
/// Denials per shard after which further denials are counted but not listed.
const DENIALS_PER_SHARD: usize = 512;
/// Longest detail of a denial, in characters.
const DETAIL_CHARACTERS: usize = 300;

/// Last use of a key, and last use of its secret before the last rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastUse {
    /// Time of the last use, with either secret.
    pub at: Timestamp,
    /// IP address of that call.
    pub ip: Option<IpAddr>,
    /// Last use of the secret before the last rotation.
    pub old_secret_at: Option<Timestamp>,
}

/// Calls of one minute with the same outcome.
#[derive(Debug, Clone, Copy)]
pub struct Counter {
    /// Start of the minute, on the wall clock.
    pub minute: Timestamp,
    /// Outcome of the checks.
    pub outcome: Outcome,
    /// Number of calls, their tokens and their cost.
    pub counts: Counts,
}

impl Counter {
    fn of(call: &Use) -> Self {
        Self {
            minute: Resolution::Minute.floor(call.at),
            outcome: call.outcome,
            counts: Counts::of(call),
        }
    }
}

/// One call that was not admitted.
#[derive(Debug, Clone)]
pub struct DenialRecord {
    /// Time of the denial.
    pub at: Timestamp,
    /// Reason, as a code.
    pub outcome: Outcome,
    /// Reason, as text.
    pub detail: String,
    /// IP address of the caller.
    pub ip: Option<IpAddr>,
}

/// Usage of one key that is not written yet.
#[derive(Debug)]
pub struct PendingUsage {
    /// Project that the key belongs to.
    pub project: ProjectId,
    /// What the key authenticates.
    pub kind: KeyKind,
    /// Environment of the key.
    pub environment: Environment,
    /// Last call of the key, admitted or not.
    pub last_use: LastUse,
    /// Rarely more than one, so it is stored inline: counting a call then follows no pointer.
    pub counters: SmallVec<[Counter; 1]>,
    /// Denied requests, oldest first.
    pub denials: VecDeque<DenialRecord>,
}

/// Usage taken out of memory to be written.
pub(super) type UsageBatch = Vec<(KeyId, PendingUsage)>;

#[derive(Default)]
struct Shard {
    keys: IdMap<KeyId, PendingUsage>,
    counters: usize,
    denials: usize,
    lost: u64,
}

/// All usage that is not written yet.
pub(super) struct PendingCounters {
    shards: Box<[Mutex<Shard>]>,
    cursor: Mutex<BatchCursor>,
}

/// Position of the batches in the current round.
#[derive(Default)]
struct BatchCursor {
    /// Last key of the previous batch.
    last: Option<KeyId>,
    /// Number of keys in the previous batch. The batch size never shrinks within a round. If it
    /// shrank with the backlog, the last keys would wait longest.
    size: usize,
}

impl PendingCounters {
    pub(super) fn new() -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self { shards, cursor: Mutex::default() }
    }

    pub(super) fn record(&self, call: &Use) {
        self.shard(call.key).record(call);
    }

    /// Counts telemetry of an admitted call that was not stored.
    pub(super) fn rejected(&self, key: &KeyRecord, at: Timestamp, items: u64) {
        let counts = Counts { rejected_items: items, ..Counts::default() };
        let minute = Resolution::Minute.floor(at);
        let counter = Counter { minute, outcome: Outcome::Valid, counts };
        self.shard(key.id).add((key.id, key.project, key.kind, key.environment), counter);
    }

    /// Adds what a call has used that was recorded when it was admitted.
    pub(super) fn settle(&self, call: &Use) {
        let counts = Counts { requests: 0, ..Counts::of(call) };
        let counter = Counter { counts, ..Counter::of(call) };
        self.shard(call.key).add((call.key, call.project, call.kind, call.environment), counter);
    }

    /// Counts a denied call and keeps the reason.
    pub(super) fn denied(&self, call: &Use, detail: &str) {
        let detail = mask::secrets(detail);
        let detail = detail.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
        let denial = DenialRecord {
            at: call.at,
            outcome: call.outcome,
            detail: detail.take(DETAIL_CHARACTERS).collect(),
            ip: call.ip,
        };
        let mut shard = self.shard(call.key);
        shard.record(call);
        shard.deny(call.key, denial);
    }

    /// Takes everything out, to be written.
    pub(super) fn take(&self) -> UsageBatch {
        let drained = self.shards.iter().map(|shard| std::mem::take(&mut *lock(shard)));
        let (mut batch, mut lost) = (UsageBatch::new(), 0);
        for shard in drained {
            lost += shard.lost;
            batch.extend(shard.keys);
        }
        log_lost(lost);
        batch
    }

    /// Takes the next batch out, to be written. A small backlog is one batch.
    ///
    /// Batches follow the order of key IDs. Neighbouring keys share pages of the database, so a
    /// batch changes a few pages instead of one or more for each key.
    pub(super) fn take_batch(&self) -> UsageBatch {
        let keys_of = |shard: &Mutex<Shard>| lock(shard).keys.keys().copied().collect::<Vec<_>>();
        let mut keys: Vec<KeyId> = self.shards.iter().flat_map(keys_of).collect();
        let mut cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        let size = KEYS_PER_BATCH.max(keys.len().div_ceil(BATCHES_PER_ROUND)).max(cursor.size);
        if keys.len() <= size {
            *cursor = BatchCursor::default();
            return self.take();
        }
        log_lost(self.shards.iter().map(|shard| std::mem::take(&mut lock(shard).lost)).sum());
        // In order of IDs, starting after the last key and wrapping around.
        let before = cursor.last;
        let place = |key: &KeyId| (Some(*key) <= before, *key);
        keys.select_nth_unstable_by_key(size, place);
        keys.truncate(size);
        let last = keys.iter().copied().max_by_key(place);
        let is_around = last <= before;
        *cursor = BatchCursor { last, size: if is_around { 0 } else { size } };
        drop(cursor);
        keys.into_iter().filter_map(|key| Some((key, self.shard(key).take(key)?))).collect()
    }

    /// Restores a batch that was not written, and merges it with what was counted since.
    pub(super) fn restore(&self, batch: UsageBatch) {
        for (key, unwritten) in batch {
            self.shard(key).restore(key, unwritten);
        }
    }

    /// Calls `visit` with a key's usage that is not written yet.
    pub(super) fn visit_key(&self, key: KeyId, visit: impl FnOnce(&PendingUsage)) {
        self.shard(key).keys.get(&key).map(visit);
    }

    /// Calls `visit` with the unwritten usage of each of a project's keys.
    pub(super) fn visit_project(
        &self,
        project: ProjectId,
        mut visit: impl FnMut(KeyId, &PendingUsage),
    ) {
        for shard in &self.shards {
            let shard = lock(shard);
            let all = shard.keys.iter().filter(|(_, one)| one.project == project);
            let all = all.filter(|(_, one)| one.is_of_project());
            all.for_each(|(key, one)| visit(*key, one));
        }
    }

    fn shard(&self, key: KeyId) -> MutexGuard<'_, Shard> {
        // The last byte of an id is random.
        let bits = key.to_bytes()[15];
        lock(&self.shards[usize::from(bits) % SHARDS])
    }
}

fn log_lost(lost: u64) {
    if lost > 0 {
        tracing::error!(lost, "Dropped usage records because the write queue is full");
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // No code panics while it holds the lock, and the counters would stay consistent even then.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    /// Adds to the counter of an admitted call, which may have been written by now.
    fn add(
        &mut self,
        (key, project, kind, environment): (KeyId, ProjectId, KeyKind, Environment),
        counter: Counter,
    ) {
        let full = self.counters >= COUNTERS_PER_SHARD;
        let unwritten = match self.keys.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if full => return,
            Entry::Vacant(new) => new.insert(PendingUsage {
                project,
                kind,
                environment,
                // The call itself recorded its last use. This earliest of times moves nothing.
                last_use: LastUse { at: Timestamp::from_millis(0), ip: None, old_secret_at: None },
                counters: SmallVec::new(),
                denials: VecDeque::new(),
            }),
        };
        if let CountResult::New = unwritten.count(counter, full) {
            self.counters += 1;
        }
    }

    fn record(&mut self, call: &Use) {
        let full = self.counters >= COUNTERS_PER_SHARD;
        let old_secret_at = call.old_secret.then_some(call.at);
        let last_use = LastUse { at: call.at, ip: call.ip, old_secret_at };
        let unwritten = match self.keys.entry(call.key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if full => {
                self.lost += 1;
                return;
            }
            Entry::Vacant(new) => new.insert(PendingUsage {
                project: call.project,
                kind: call.kind,
                environment: call.environment,
                last_use,
                counters: SmallVec::new(),
                denials: VecDeque::new(),
            }),
        };
        unwritten.move_last_use(last_use);
        match unwritten.count(Counter::of(call), full) {
            CountResult::Merged => {}
            CountResult::New => self.counters += 1,
            CountResult::Lost => self.lost += 1,
        }
    }

    fn deny(&mut self, key: KeyId, denial: DenialRecord) {
        let Some(unwritten) = self.keys.get_mut(&key) else { return };
        let denials = &mut unwritten.denials;
        let replaces_own = denials.len() >= DENIALS_PER_KEY
            || (self.denials >= DENIALS_PER_SHARD && !denials.is_empty());
        if replaces_own {
            denials.pop_front();
        } else if self.denials >= DENIALS_PER_SHARD {
            return;
        } else {
            self.denials += 1;
        }
        denials.push_back(denial);
    }

    fn take(&mut self, key: KeyId) -> Option<PendingUsage> {
        let usage = self.keys.remove(&key)?;
        self.counters -= usage.counters.len();
        self.denials -= usage.denials.len();
        Some(usage)
    }

    fn restore(&mut self, key: KeyId, old: PendingUsage) {
        let full_of_keys = self.keys.len() >= COUNTERS_PER_SHARD;
        match self.keys.entry(key) {
            // A last use carries no counts, so dropping it loses none.
            Entry::Vacant(_) if old.counters.is_empty() && full_of_keys => {}
            Entry::Vacant(_) if self.counters >= COUNTERS_PER_SHARD => {
                self.lost +=
                    old.counters.iter().map(|counter| counter.counts.requests).sum::<u64>();
            }
            Entry::Vacant(place) => {
                self.counters += old.counters.len();
                self.denials += old.denials.len();
                place.insert(old);
            }
            Entry::Occupied(known) => {
                let new = known.into_mut();
                new.move_last_use(old.last_use);
                for counter in old.counters {
                    match new.count(counter, self.counters >= COUNTERS_PER_SHARD) {
                        CountResult::Merged => {}
                        CountResult::New => self.counters += 1,
                        CountResult::Lost => self.lost += counter.counts.requests,
                    }
                }
                let free = DENIALS_PER_KEY - new.denials.len();
                for denial in old.denials.into_iter().rev().take(free) {
                    new.denials.push_front(denial);
                    self.denials += 1;
                }
            }
        }
    }
}

/// Where a call was counted.
enum CountResult {
    Merged,
    New,
    Lost,
}

impl PendingUsage {
    /// Whether it counts as the project's usage. A service key belongs to the project's backend.
    pub(super) const fn is_of_project(&self) -> bool {
        !matches!(self.kind, KeyKind::Service)
    }

    /// A key's last use only moves forward.
    fn move_last_use(&mut self, last_use: LastUse) {
        // `None` is less than any time.
        let old_secret_at = self.last_use.old_secret_at.max(last_use.old_secret_at);
        if self.last_use.at <= last_use.at {
            self.last_use = last_use;
        }
        self.last_use.old_secret_at = old_secret_at;
    }

    fn count(&mut self, counter: Counter, full: bool) -> CountResult {
        let same = |known: &&mut Counter| known.outcome == counter.outcome;
        // The newest counter is last and the likeliest match.
        let mut known = self.counters.iter_mut().rev().filter(same);
        if let Some(known) = known.find(|known| known.minute == counter.minute) {
            known.counts += counter.counts;
            return CountResult::Merged;
        }
        if !full {
            self.counters.push(counter);
            return CountResult::New;
        }
        let Some(other) = self.counters.iter_mut().rev().find(same) else {
            return CountResult::Lost;
        };
        other.counts += counter.counts;
        CountResult::Merged
    }
}

#[cfg(test)]
mod tests;
