//! Usage by model in memory that is not written yet.
//!
//! Only names that the gateway has found an upstream for arrive here: a caller can't choose them.
//! They are bounded all the same, and calls beyond the bounds are counted as calls without a model.
//! Calls of the gateway take milliseconds, so one lock is enough.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use latchkey_domain::id::ProjectId;
use latchkey_domain::key::Environment;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use latchkey_store::id_map::IdMap;
use smallvec::SmallVec;

use super::call::Use;
use super::counts::Counts;
use super::resolution::Resolution;

/// Most models per project between two flushes.
const MODELS_PER_PROJECT: usize = 1_000;
/// Counters after which calls of a new minute are added to the model's last minute: sums stay
/// exact, minutes blur.
const COUNTERS: usize = 16_384;

/// Calls of one minute to the same model, with keys of the same environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelCounter {
    /// Start of the minute, on the wall clock.
    pub minute: Timestamp,
    /// Environment of the keys.
    pub environment: Environment,
    /// Number of calls that were admitted.
    pub valid: u64,
    /// All calls.
    pub counts: Counts,
}

type ModelCounters = SmallVec<[ModelCounter; 1]>;

/// Counters of a model in a project.
pub(super) type ModelUsage = (ProjectId, Arc<str>, ModelCounters);

/// All usage by model that is not written yet.
#[derive(Default)]
pub(super) struct PendingModels {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    projects: IdMap<ProjectId, BTreeMap<Arc<str>, ModelCounters>>,
    counters: usize,
}

impl PendingModels {
    pub(super) fn record(&self, call: &Use, model: &Arc<str>) {
        let counter = ModelCounter {
            minute: Resolution::Minute.floor(call.at),
            environment: call.environment,
            valid: u64::from(call.outcome == Outcome::Valid),
            counts: Counts::of(call),
        };
        self.lock().add(call.project, model, counter);
    }

    /// Adds what a call has used that was recorded when it was admitted.
    pub(super) fn settle(&self, call: &Use, model: &Arc<str>) {
        let counter = ModelCounter {
            minute: Resolution::Minute.floor(call.at),
            environment: call.environment,
            valid: 0,
            counts: Counts { requests: 0, ..Counts::of(call) },
        };
        self.lock().add(call.project, model, counter);
    }

    /// Takes everything out, to be written.
    pub(super) fn take(&self) -> Vec<ModelUsage> {
        let State { projects, .. } = std::mem::take(&mut *self.lock());
        let of_project = |(project, models): (ProjectId, BTreeMap<_, _>)| {
            models.into_iter().map(move |(model, counters)| (project, model, counters))
        };
        projects.into_iter().flat_map(of_project).collect()
    }

    /// Restores what was not written, and merges it with what was counted since.
    pub(super) fn restore(&self, unwritten: Vec<ModelUsage>) {
        if unwritten.is_empty() {
            return;
        }
        let mut state = self.lock();
        for (project, model, counters) in unwritten {
            for counter in counters {
                state.add(project, &model, counter);
            }
        }
    }

    /// Calls `visit` with each counter of a project's models.
    pub(super) fn visit(&self, project: ProjectId, mut visit: impl FnMut(&str, &ModelCounter)) {
        let state = self.lock();
        for (model, counters) in state.projects.get(&project).into_iter().flatten() {
            counters.iter().for_each(|counter| visit(model, counter));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the counters would stay consistent even then.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, project: ProjectId, model: &Arc<str>, counter: ModelCounter) {
        let full = self.counters >= COUNTERS;
        let models = self.projects.entry(project).or_default();
        if !models.contains_key(&**model) && (full || models.len() >= MODELS_PER_PROJECT) {
            return;
        }
        let counters = models.entry(Arc::clone(model)).or_default();
        let same = |known: &ModelCounter| known.environment == counter.environment;
        // The newest counter is last and the likeliest match.
        let known =
            counters.iter().rposition(|known| same(known) && known.minute == counter.minute);
        let known = known.or_else(|| counters.iter().rposition(same).filter(|_| full));
        if let Some(known) = known {
            counters[known].valid += counter.valid;
            counters[known].counts += counter.counts;
        } else if !full {
            counters.push(counter);
            self.counters += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::id::KeyId;
    use latchkey_domain::key::KeyKind;
    use latchkey_domain::money::Usd;
    use latchkey_domain::token_usage::TokenUsage;

    use super::*;

    fn project() -> ProjectId {
        ProjectId::new(Timestamp::from_millis(0), [0; 10])
    }

    fn call(millis: i64, outcome: Outcome) -> Use {
        Use {
            key: KeyId::new(Timestamp::from_millis(0), [1; 10]),
            project: project(),
            kind: KeyKind::Inference,
            environment: Environment::Live,
            old_secret: false,
            outcome,
            at: Timestamp::from_millis(millis),
            ip: None,
            tokens: TokenUsage { prompt: 3, completion: 2, ..TokenUsage::default() },
            cost: Usd::from_billionths(7),
        }
    }

    /// Model, minute, requests, valid requests and billionths of a dollar.
    type Seen = (String, i64, u64, u64, u64);

    fn seen(pending: &PendingModels) -> Vec<Seen> {
        let mut seen = Vec::new();
        pending.visit(project(), |model, one| {
            let (minute, cost) = (one.minute.as_millis(), one.counts.cost.billionths());
            seen.push((model.to_owned(), minute, one.counts.requests, one.valid, cost));
        });
        seen
    }

    #[test]
    fn calls_are_summed_by_model_and_minute() {
        let pending = PendingModels::default();
        let (small, large) = (Arc::from("small"), Arc::from("large"));
        pending.record(&call(0, Outcome::Valid), &small);
        pending.record(&call(59_999, Outcome::SpendLimitReached), &small);
        pending.record(&call(60_000, Outcome::Valid), &small);
        pending.record(&call(0, Outcome::Valid), &large);
        let expected = [
            ("large".to_owned(), 0, 1, 1, 7),
            ("small".to_owned(), 0, 2, 1, 14),
            ("small".to_owned(), 60_000, 1, 1, 7),
        ];
        assert_eq!(seen(&pending), expected);
        pending.visit(ProjectId::new(Timestamp::from_millis(0), [1; 10]), |_, _| panic!());
    }

    #[test]
    fn failed_batch_of_models_is_merged() {
        let pending = PendingModels::default();
        let model = Arc::from("small");
        pending.record(&call(0, Outcome::Valid), &model);
        let batch = pending.take();
        assert!(seen(&pending).is_empty());
        pending.record(&call(0, Outcome::Valid), &model);
        pending.restore(batch);
        assert_eq!(seen(&pending), [("small".to_owned(), 0, 2, 2, 14)]);
    }

    #[test]
    fn models_and_counters_in_memory_are_bounded() {
        let pending = PendingModels::default();
        for number in 0..MODELS_PER_PROJECT + 10 {
            pending.record(&call(0, Outcome::Valid), &Arc::from(number.to_string()));
        }
        assert_eq!(pending.take().len(), MODELS_PER_PROJECT);
        let model = Arc::from("small");
        let minutes = i64::try_from(COUNTERS).unwrap() + 5;
        for minute in 0..minutes {
            pending.record(&call(minute * 60_000, Outcome::Valid), &model);
        }
        let counted = seen(&pending);
        assert_eq!(counted.len(), COUNTERS);
        let sum: u64 = counted.iter().map(|(_, _, requests, ..)| requests).sum();
        assert_eq!(i64::try_from(sum).unwrap(), minutes, "sums stay exact");
    }
}
