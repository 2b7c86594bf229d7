//! What a report is about: whose usage, of which time, and in which state of the database.

use latchkey_domain::api::ProjectUsageFilter;
use latchkey_domain::time::Timestamp;
use latchkey_domain::usage::UsageRange;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{EntityTrait, QueryFilter, QuerySelect, Select};

use crate::scope::ProjectScope;
use crate::usage::read::sum;
use latchkey_checker::usage::Resolution;
use latchkey_store::database::Snapshot;

/// What a report is about.
pub(super) struct Report<'a> {
    pub(super) scope: &'a ProjectScope,
    pub(super) filter: &'a ProjectUsageFilter,
    pub(super) span: Span,
    pub(super) snapshot: &'a Snapshot,
}

/// Time from the first bucket of a range to the end of its last one.
pub(super) struct Span {
    range: UsageRange,
    pub(super) start: Timestamp,
    end: Timestamp,
}

impl Span {
    pub(super) fn new(range: UsageRange, now: Timestamp) -> Self {
        let start = range.start(now);
        Self { range, start, end: start + range.bucket() * range.buckets() }
    }

    pub(super) fn contains(&self, at: Timestamp) -> bool {
        (self.start..self.end).contains(&at)
    }

    /// Sums of the rows in this time, as [`super::sums::StoredSums`].
    pub(super) fn sums<E: EntityTrait>(&self, rows: Select<E>) -> Select<E> {
        rows.select_only()
            .expr_as(sum("requests"), "requests")
            .expr_as(sum("prompt_tokens"), "prompt_tokens")
            .expr_as(sum("completion_tokens"), "completion_tokens")
            .expr_as(sum("cost"), "cost")
            .filter(Expr::col("resolution").eq(Resolution::of(self.range).as_str()))
            .filter(Expr::col("start").gte(self.start))
            .filter(Expr::col("start").lt(self.end))
    }
}
