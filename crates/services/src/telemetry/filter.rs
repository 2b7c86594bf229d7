//! What the filters of a list come to: what an index finds, what the database tells of each row,
//! and what is sought in texts.
//!
//! Texts are compared here and not by the database. SQLite's `lower` knows the letters of ASCII
//! alone, PostgreSQL's those of its locale, and neither reads what JSON has escaped.

use latchkey_domain::api::{LogFilter, SpanKind, SpanStatus, TraceFilter};
use latchkey_domain::query::{QueryText, folded};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, Value};

use super::purge::Received;
use super::sought::Sought;
use latchkey_store::entity::{log, trace};

/// Which rows are wanted; all parts must hold.
pub(super) struct TelemetryFilter {
    /// What an index has in the order of the list: rows that lack it are never read. One of it, or
    /// the database might choose the index that leaves more to read.
    pub(super) indexed: Option<Expr>,
    /// What each row is asked for.
    pub(super) row: Condition,
    /// What its texts are asked for; none: nothing, and they are not read.
    pub(super) words: Option<Words>,
}

/// What is sought in a row's texts.
#[derive(Clone)]
pub(super) struct Words {
    level: Option<String>,
    text: Option<Sought>,
}

/// The texts of a row, as [`Words::columns`] has them.
pub(super) type Texts = [String; 4];

/// A table whose rows have texts.
pub(super) trait Searched: Received {
    /// The level, two texts and `meta`, as SQL that is never null.
    const TEXTS: [&'static str; 4];
}

impl Searched for trace::Entity {
    const TEXTS: [&'static str; 4] = ["''", "request_method", "request_url", "COALESCE(meta, '')"];
}

impl Searched for log::Entity {
    // As much of a message as is shown.
    const TEXTS: [&'static str; 4] =
        ["level", "kind", "SUBSTR(message, 1, 65536)", "COALESCE(meta, '')"];
}

impl Words {
    fn of(level: Option<&str>, text: Option<&str>) -> Option<Self> {
        let words = Self { level: level.map(folded), text: text.map(Sought::new) };
        (level.is_some() || text.is_some()).then_some(words)
    }

    /// What to read of each row. Large texts are not read for a level.
    pub(super) fn columns<E: Searched>(&self) -> [Expr; 4] {
        let [level, texts @ ..] = E::TEXTS;
        let texts = texts.map(|text| if self.text.is_some() { text } else { "''" });
        let [first, second, meta] = texts;
        [level, first, second, meta].map(|column| Expr::cust(column).cast_as("text"))
    }

    /// Whether a row is meant.
    pub(super) fn are_in(&self, [level, first, second, meta]: &Texts) -> bool {
        let has_level = self.level.as_ref().is_none_or(|wanted| *wanted == folded(level));
        let has_text =
            |text: &Sought| text.is_in(first) || text.is_in(second) || text.is_in_json(meta);
        has_level && self.text.as_ref().is_none_or(has_text)
    }
}

impl From<&TraceFilter> for TelemetryFilter {
    fn from(filter: &TraceFilter) -> Self {
        use trace::Column;
        let kind = filter.kind.map(|kind| match kind {
            SpanKind::Unspecified => Column::Kind.is_null(),
            kind => Column::Kind.eq(kind.as_str()),
        });
        let status = filter.status.map(|status| match status {
            SpanStatus::Unset => Column::Status.is_null(),
            // Written into the statement, not bound to it: SQLite uses a partial index for nothing
            // else.
            status => Expr::col(Column::Status).eq(Expr::Constant(Value::from(status.as_str()))),
        });
        let trace = filter.trace_id.as_ref().map(|id| Column::TraceId.eq(id.as_str()));
        let failed = status.clone().filter(|_| filter.status == Some(SpanStatus::Error));
        Self {
            indexed: trace.or(failed),
            row: Condition::all()
                .add_option(kind)
                .add_option(status)
                .add_option(filter.root.then(|| Column::ParentSpanId.is_null())),
            words: Words::of(None, filter.q.as_ref().map(QueryText::as_str)),
        }
    }
}

impl From<&LogFilter> for TelemetryFilter {
    fn from(filter: &LogFilter) -> Self {
        let (level, q) = (filter.level.as_ref(), filter.q.as_ref());
        Self {
            indexed: filter.trace_id.as_ref().map(|id| log::Column::TraceId.eq(id.as_str())),
            row: Condition::all(),
            words: Words::of(level.map(QueryText::as_str), q.map(QueryText::as_str)),
        }
    }
}
