//! The upstreams that may serve a call, and the order in which they are tried.
//!
//! The calls of a conversation go to the upstream that had it before, while it is healthy. All
//! others are shared by weight. Backups are tried only if none of the others can serve the call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use latchkey_domain::price::Price;

use super::attempt::Attempt;
use super::config::Tokenizer;
use super::conversation::Conversation;
use super::upstream_endpoint::UpstreamModel;

/// The golden ratio as a fraction of 2⁶⁴. Its multiples are spread evenly, so that any run of
/// calls is shared by weight, without a long run at one upstream.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The upstreams that may serve a call: at least one, in the order of the file.
pub(super) struct Candidates {
    /// Those that have not been tried.
    targets: Vec<Arc<UpstreamModel>>,
    /// Number of the next call to this model.
    turns: Arc<AtomicU64>,
    conversation: Option<Conversation>,
    /// Whether there is only one, which is never out.
    is_sole: bool,
    is_tried: bool,
}

impl Candidates {
    /// None without a target.
    pub(super) fn new(targets: Vec<Arc<UpstreamModel>>, turns: &Arc<AtomicU64>) -> Option<Self> {
        let is_sole = targets.len() == 1;
        let turns = Arc::clone(turns);
        (!targets.is_empty()).then_some(Self {
            targets,
            turns,
            conversation: None,
            is_sole,
            is_tried: false,
        })
    }

    /// Whether an upstream is left to try.
    pub(super) const fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Whether there is a choice.
    pub(super) const fn is_sole(&self) -> bool {
        self.is_sole
    }

    /// Keeps the call on the upstream of its conversation.
    pub(super) fn keep_together(&mut self, conversation: Option<Conversation>) {
        self.conversation = conversation;
    }

    /// Allows one upstream only, which has what the call refers to. False if it is not among them.
    pub(super) fn restrict_to(&mut self, upstream: &str) -> bool {
        let Some(at) = self.targets.iter().position(|one| one.upstream.name == upstream) else {
            return false;
        };
        self.targets = vec![self.targets.swap_remove(at)];
        self.is_sole = true;
        true
    }

    pub(super) const fn conversation(&self) -> Option<&Conversation> {
        self.conversation.as_ref()
    }

    /// The most output tokens that any of them may give.
    pub(super) fn max_output_tokens(&self) -> u64 {
        self.targets.iter().map(|target| target.max_output_tokens).max().unwrap_or_default()
    }

    /// The tokenizer, if it is the same at all of them.
    pub(super) fn tokenizer(&self) -> Option<Tokenizer> {
        let (first, others) = self.targets.split_first()?;
        let is_shared = others.iter().all(|other| other.tokenizer == first.tokenizer);
        first.tokenizer.filter(|_| is_shared)
    }

    /// The price at which a call reserves: in each part the highest of all, so that it is enough
    /// whichever upstream answers. None if one of them has no price.
    pub(super) fn price(&self) -> Option<Price> {
        let (first, others) = self.targets.split_first()?;
        others.iter().try_fold(first.price?, |price, other| Some(price.highest(other.price?)))
    }

    /// Begins a call at the next upstream. None if each has been tried, or all others are out.
    ///
    /// If all are out before the first attempt, one is called all the same, as a sole upstream
    /// would be: the one that is back first.
    pub(super) fn next_attempt(&mut self, now: Duration) -> Option<(Arc<UpstreamModel>, Attempt)> {
        if self.is_sole {
            let target = self.targets.pop()?;
            let attempt = Attempt::begin(&target.upstream, now);
            return Some((target, attempt));
        }
        // Another call may begin to try an upstream between the choice and the beginning.
        while let Some(at) = self.choose(now) {
            if let Some(attempt) = Attempt::begin_if_available(&self.targets[at].upstream, now) {
                self.is_tried = true;
                return Some((self.targets.remove(at), attempt));
            }
        }
        if self.is_tried {
            return None;
        }
        self.is_tried = true;
        let order = |at: &usize| self.targets[*at].upstream.status.order_of_return();
        let first = (0..self.targets.len()).min_by_key(order)?;
        let target = self.targets.remove(first);
        let attempt = Attempt::begin(&target.upstream, now);
        Some((target, attempt))
    }

    /// The place of an upstream that is not out.
    fn choose(&self, now: Duration) -> Option<usize> {
        let usable: Vec<usize> = (0..self.targets.len())
            .filter(|at| self.targets[*at].upstream.status.is_available(now))
            .collect();
        let of = |at: usize| &self.targets[at].upstream;
        if let Some(name) = self.conversation.as_ref().and_then(Conversation::upstream)
            && let Some(at) = usable.iter().copied().find(|at| of(*at).name == name)
        {
            return Some(at);
        }
        let (backups, others): (Vec<_>, Vec<_>) = usable.into_iter().partition(|at| of(*at).backup);
        let usable = if others.is_empty() { backups } else { others };
        if let Some(conversation) = &self.conversation {
            let score = |at: &usize| conversation.score(&of(*at).name, of(*at).weight);
            return usable.into_iter().max_by(|one, other| score(one).total_cmp(&score(other)));
        }
        let total: u64 = usable.iter().map(|at| u64::from(of(*at).weight)).sum();
        if usable.len() < 2 {
            return usable.first().copied();
        }
        let mut point = share(self.turns.fetch_add(1, Ordering::Relaxed), total);
        usable.into_iter().find(|at| {
            let weight = u64::from(of(*at).weight);
            let is_here = point < weight;
            point = point.saturating_sub(weight);
            is_here
        })
    }
}

/// A number below `total` for each turn.
fn share(turn: u64, total: u64) -> u64 {
    let fraction = u128::from(turn.wrapping_mul(GOLDEN));
    u64::try_from((fraction * u128::from(total)) >> 64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_shared_evenly() {
        // Weights 3 and 1: each run of 40 calls has 30 and 10, give or take one.
        for first in [0, 7, 1_000_000, u64::MAX - 20] {
            let turns = (0..40).map(|turn: u64| first.wrapping_add(turn));
            let heavy = turns.filter(|turn| share(*turn, 4) < 3).count();
            assert!((29..=31).contains(&heavy), "{first}: {heavy}");
        }
        assert!((0..1_000).all(|turn| share(turn, 1_000) < 1_000));
    }
}
