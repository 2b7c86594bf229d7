//! Sums of usage, and groups of them.

use std::ops::AddAssign;

use latchkey_domain::api::{GroupedUsage, UsageGroup};
use latchkey_domain::money::Usd;
use latchkey_domain::outcome::Outcome;

use crate::usage::read::number;
use latchkey_checker::usage::Counts;

/// What is summed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) requests: u64,
    pub(super) valid: u64,
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
    pub(super) cost: Usd,
}

/// Requests, prompt tokens, completion tokens and cost.
pub(super) type StoredSums = (i64, i64, i64, i64);

/// ID of a key or application, a model, an external ID or a tag. `None`: requests without one.
pub(super) type GroupName = Option<String>;

/// A group and its sums.
pub(super) type Group = (GroupName, Sums);

impl Sums {
    pub(super) fn new(counts: &Counts, valid: u64) -> Self {
        Self {
            requests: counts.requests,
            valid,
            prompt_tokens: counts.tokens.prompt,
            completion_tokens: counts.tokens.completion,
            cost: counts.cost,
        }
    }

    pub(super) fn of_outcome(counts: &Counts, outcome: Outcome) -> Self {
        Self::new(counts, if outcome == Outcome::Valid { counts.requests } else { 0 })
    }

    pub(super) fn stored(
        (requests, prompt, completion, cost): StoredSums,
        outcome: Outcome,
    ) -> Self {
        let requests = number(requests);
        Self {
            requests,
            valid: if outcome == Outcome::Valid { requests } else { 0 },
            prompt_tokens: number(prompt),
            completion_tokens: number(completion),
            cost: Usd::from_billionths(number(cost)),
        }
    }

    /// What is left without a part. A call that did not fit into memory may be in the part alone.
    pub(super) fn without(self, part: Self) -> Self {
        let cost = self.cost.billionths().saturating_sub(part.cost.billionths());
        Self {
            requests: self.requests.saturating_sub(part.requests),
            valid: self.valid.saturating_sub(part.valid),
            prompt_tokens: self.prompt_tokens.saturating_sub(part.prompt_tokens),
            completion_tokens: self.completion_tokens.saturating_sub(part.completion_tokens),
            cost: Usd::from_billionths(cost),
        }
    }

    /// The row of the report.
    pub(super) fn shown(self, group: GroupName, label: Option<String>) -> UsageGroup {
        UsageGroup {
            group,
            label,
            requests: self.requests,
            valid: self.valid,
            denied: self.requests.saturating_sub(self.valid),
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.completion_tokens,
            cost_usd: self.cost,
        }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.valid += other.valid;
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.cost += other.cost;
    }
}

/// The groups with most requests, in that order.
pub(super) fn largest(groups: impl IntoIterator<Item = Group>) -> Vec<Group> {
    let used = groups.into_iter().filter(|(_, sums)| sums.requests > 0);
    let mut groups: Vec<Group> = used.collect();
    groups.sort_by(|(one, of_one), (other, of_other)| {
        of_other.requests.cmp(&of_one.requests).then_with(|| one.cmp(other))
    });
    groups.truncate(GroupedUsage::MAX_GROUPS);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_bounded_and_largest_come_first() {
        let sums = |requests, valid| Sums { requests, valid, ..Sums::default() };
        let named = |name: &str, sums| (Some(name.to_owned()), sums);
        let mut groups = vec![named("b", sums(2, 1)), named("none", sums(0, 0))];
        groups.extend([named("a", sums(2, 2)), (None, sums(9, 4))]);
        let rows = largest(groups).into_iter().map(|(name, sums)| sums.shown(name, None));
        let rows: Vec<_> = rows.map(|row| (row.group, row.denied)).collect();
        assert_eq!(rows, [(None, 5), (Some("a".to_owned()), 0), (Some("b".to_owned()), 1)]);
        let many = (0..1_200).map(|number| named(&number.to_string(), sums(1 + number, 0)));
        let rows = largest(many);
        assert_eq!((rows.len(), rows[0].1.requests), (GroupedUsage::MAX_GROUPS, 1_200));
    }
}
