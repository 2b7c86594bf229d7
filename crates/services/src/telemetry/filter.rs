//! Translates list filters: the condition that an index serves, the condition that the database
//! evaluates for each row, and the text search.
//!
//! Text is compared here, not in the database. SQLite's `lower` handles only ASCII, PostgreSQL's
//! depends on the locale, and neither decodes JSON escapes.

use latchkey_domain::api::{LogFilter, SpanKind, SpanStatus, TraceFilter};
use latchkey_domain::query::{QueryText, folded};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, Value};

use super::purge::TelemetryTable;
use super::search_term::SearchTerm;
use latchkey_store::entity::{log, trace};

/// A filter for rows; all parts must match.
pub(super) struct TelemetryFilter {
    /// A condition whose index is in list order, so that rows that don't match are never read. At
    /// most one condition: given two, the database might choose the less selective index.
    pub(super) indexed: Option<Expr>,
    /// The condition evaluated for each row.
    pub(super) row: Condition,
    /// The condition on the row's texts. `None`: the texts are not read.
    pub(super) words: Option<TextFilter>,
}

/// Level and search text to match against a row's texts.
#[derive(Clone)]
pub(super) struct TextFilter {
    level: Option<String>,
    text: Option<SearchTerm>,
}

/// A row's texts, in the order of [`TextFilter::columns`].
pub(super) type RowTexts = [String; 4];

/// A table with searchable texts.
pub(super) trait Searchable: TelemetryTable {
    /// SQL expressions of the level, two texts and `meta`. None of them is ever null.
    const TEXTS: [&'static str; 4];
}

impl Searchable for trace::Entity {
    const TEXTS: [&'static str; 4] = ["''", "request_method", "request_url", "COALESCE(meta, '')"];
}

impl Searchable for log::Entity {
    // Only the part of a message that the lists show.
    const TEXTS: [&'static str; 4] =
        ["level", "kind", "SUBSTR(message, 1, 65536)", "COALESCE(meta, '')"];
}

impl TextFilter {
    fn of(level: Option<&str>, text: Option<&str>) -> Option<Self> {
        let words = Self { level: level.map(folded), text: text.map(SearchTerm::new) };
        (level.is_some() || text.is_some()).then_some(words)
    }

    /// The columns to read of each row. Without a search text, only the level is read.
    pub(super) fn columns<E: Searchable>(&self) -> [Expr; 4] {
        let [level, texts @ ..] = E::TEXTS;
        let texts = texts.map(|text| if self.text.is_some() { text } else { "''" });
        let [first, second, meta] = texts;
        [level, first, second, meta].map(|column| Expr::cust(column).cast_as("text"))
    }

    /// Whether a row's texts match.
    pub(super) fn are_in(&self, [level, first, second, meta]: &RowTexts) -> bool {
        let has_level = self.level.as_ref().is_none_or(|wanted| *wanted == folded(level));
        let has_text =
            |text: &SearchTerm| text.is_in(first) || text.is_in(second) || text.is_in_json(meta);
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
            // A literal instead of a bound parameter: otherwise SQLite does not use the partial
            // index.
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
            words: TextFilter::of(None, filter.q.as_ref().map(QueryText::as_str)),
        }
    }
}

impl From<&LogFilter> for TelemetryFilter {
    fn from(filter: &LogFilter) -> Self {
        let (level, q) = (filter.level.as_ref(), filter.q.as_ref());
        Self {
            indexed: filter.trace_id.as_ref().map(|id| log::Column::TraceId.eq(id.as_str())),
            row: Condition::all(),
            words: TextFilter::of(level.map(QueryText::as_str), q.map(QueryText::as_str)),
        }
    }
}
