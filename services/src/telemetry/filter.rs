//! What the lists of telemetry are narrowed to, as conditions on their rows.

use latchkey_domain::api::{LogFilter, SpanKind, SpanStatus, TraceFilter};
use latchkey_domain::query::QueryText;
use sea_orm::sea_query::{Expr, ExprTrait, Func, FunctionCall, LikeExpr};
use sea_orm::{ColumnTrait, Condition};

use crate::entity::{log, trace};

/// What the rows of wanted traces have.
pub(super) fn of_traces(filter: &TraceFilter) -> Condition {
    use trace::Column;
    let trace_id = filter.trace_id.as_ref().map(|id| Column::TraceId.eq(id.as_str()));
    let kind = filter.kind.map(|kind| match kind {
        SpanKind::Unspecified => Column::Kind.is_null(),
        kind => Column::Kind.eq(kind.as_str()),
    });
    let status = filter.status.map(|status| match status {
        SpanStatus::Unset => Column::Status.is_null(),
        status => Column::Status.eq(status.as_str()),
    });
    let text = [Column::RequestUrl, Column::RequestMethod];
    Condition::all()
        .add_option(trace_id)
        .add_option(kind)
        .add_option(status)
        .add_option(filter.root.then(|| Column::ParentSpanId.is_null()))
        .add_option(filter.q.as_ref().map(|q| contains(&text, q)))
}

/// What the rows of wanted logs have.
pub(super) fn of_logs(filter: &LogFilter) -> Condition {
    use log::Column;
    let level = filter
        .level
        .as_ref()
        .map(|level| Expr::expr(lowered(Column::Level)).eq(level.as_str().to_lowercase()));
    let text = [Column::Message, Column::Kind];
    Condition::all()
        .add_option(filter.trace_id.as_ref().map(|id| Column::TraceId.eq(id.as_str())))
        .add_option(level)
        .add_option(filter.q.as_ref().map(|q| contains(&text, q)))
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
