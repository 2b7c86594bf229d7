//! What the lists of telemetry are narrowed to.

use latchkey_domain::api::{SpanKind, SpanStatus};
use latchkey_domain::query::QueryText;
use sea_orm::sea_query::{Expr, ExprTrait, Func, FunctionCall, LikeExpr};
use sea_orm::{ColumnTrait, Condition};

use crate::entity::{log, trace};

/// Which traces are wanted; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceFilter {
    /// Of this trace.
    pub trace_id: Option<QueryText>,
    /// Spans of this kind.
    pub kind: Option<SpanKind>,
    /// Spans with this status.
    pub status: Option<SpanStatus>,
    /// Those that have no span above them.
    pub root: bool,
    /// A text within the method, the URL or the name.
    pub q: Option<QueryText>,
}

impl TraceFilter {
    pub(super) fn condition(&self) -> Condition {
        use trace::Column;
        let trace_id = self.trace_id.as_ref().map(|id| Column::TraceId.eq(id.as_str()));
        let kind = self.kind.map(|kind| match kind {
            SpanKind::Unspecified => Column::Kind.is_null(),
            kind => Column::Kind.eq(kind.as_str()),
        });
        let status = self.status.map(|status| match status {
            SpanStatus::Unset => Column::Status.is_null(),
            status => Column::Status.eq(status.as_str()),
        });
        let text = [Column::RequestUrl, Column::RequestMethod];
        Condition::all()
            .add_option(trace_id)
            .add_option(kind)
            .add_option(status)
            .add_option(self.root.then(|| Column::ParentSpanId.is_null()))
            .add_option(self.q.as_ref().map(|q| contains(&text, q)))
    }
}

/// Which logs are wanted; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Of this trace.
    pub trace_id: Option<QueryText>,
    /// Of this level, in upper or lower case.
    pub level: Option<QueryText>,
    /// A text within the message or the type.
    pub q: Option<QueryText>,
}

impl LogFilter {
    pub(super) fn condition(&self) -> Condition {
        use log::Column;
        let level = self
            .level
            .as_ref()
            .map(|level| Expr::expr(lowered(Column::Level)).eq(level.as_str().to_lowercase()));
        let text = [Column::Message, Column::Kind];
        Condition::all()
            .add_option(self.trace_id.as_ref().map(|id| Column::TraceId.eq(id.as_str())))
            .add_option(level)
            .add_option(self.q.as_ref().map(|q| contains(&text, q)))
    }
}

fn lowered<C: ColumnTrait>(column: C) -> FunctionCall {
    Func::lower(Expr::col(column.as_column_ref()))
}

/// What is sought stands for itself: `%` and `_` are no wildcards.
fn contains<C: ColumnTrait>(columns: &[C], q: &QueryText) -> Condition {
    let mut pattern = String::from("%");
    for character in q.as_str().to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    columns.iter().fold(Condition::any(), |any, column| {
        any.add(Expr::expr(lowered(*column)).like(LikeExpr::new(pattern.clone()).escape('\\')))
    })
}
