//! Reading back what applications sent in.

use axum::extract::State;
use latchkey_domain::api::{
    IngestedLog, IngestedTrace, LogFilter, Page, SpanKind, SpanStatus, TraceFilter,
};
use latchkey_domain::id::ApplicationId;
use latchkey_domain::problem::Problem;
use latchkey_domain::query::QueryText;
use latchkey_services::{Services, telemetry};
use serde::Deserialize;
use utoipa::IntoParams;

use super::auth::Caller;
use super::extract::{ListPage, PageParams, Params, PathId, given, sought};
use super::problem::Refusal;

/// Which traces of an application are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TraceParams {
    /// Of this trace.
    #[param(value_type = Option<QueryText>)]
    trace_id: Option<String>,
    /// `server`, `client`, `internal`, `producer`, `consumer` or `unspecified`.
    #[param(inline, value_type = Option<SpanKind>)]
    kind: Option<String>,
    /// `ok`, `error` or `unset`.
    #[param(inline, value_type = Option<SpanStatus>)]
    status: Option<String>,
    /// `true` leaves out what has a span above it.
    #[param(value_type = Option<bool>)]
    root: Option<String>,
    /// What stands somewhere in the method, the URL or `meta`: in its names and values, such as the
    /// span’s name, attributes, events and stack traces. Capitals and white space are no
    /// difference.
    #[param(value_type = Option<QueryText>)]
    q: Option<String>,
}

impl TraceParams {
    fn filter(self) -> Result<TraceFilter, Refusal> {
        let kind = |name: String| {
            let known = SpanKind::ALL.into_iter().find(|kind| kind.as_str() == name);
            let words = "Use server, client, internal, producer, consumer or unspecified.";
            known.ok_or_else(|| Problem::invalid("kind", words))
        };
        let status = |name: String| {
            let known = SpanStatus::ALL.into_iter().find(|status| status.as_str() == name);
            known.ok_or_else(|| Problem::invalid("status", "Use ok, error or unset."))
        };
        let root = match self.root.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Problem::invalid("root", "Use true or false.").into()),
        };
        Ok(TraceFilter {
            trace_id: sought("trace_id", self.trace_id)?,
            kind: given(self.kind).map(kind).transpose()?,
            status: given(self.status).map(status).transpose()?,
            root,
            q: sought("q", self.q)?,
        })
    }
}

/// Which logs of an application are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogParams {
    /// Of this trace.
    #[param(value_type = Option<QueryText>)]
    trace_id: Option<String>,
    /// Of this level, in upper or lower case.
    #[param(value_type = Option<QueryText>)]
    level: Option<String>,
    /// What stands somewhere in the message, the type or `meta`: in its names and values. Capitals
    /// and white space are no difference.
    #[param(value_type = Option<QueryText>)]
    q: Option<String>,
}

impl LogParams {
    fn filter(self) -> Result<LogFilter, Refusal> {
        Ok(LogFilter {
            trace_id: sought("trace_id", self.trace_id)?,
            level: sought("level", self.level)?,
            q: sought("q", self.q)?,
        })
    }
}

/// List the traces of an application
///
/// A page of a narrowed list looks through at most 10,000 rows or 16 MiB. It may have fewer rows
/// than `limit`, even none, and a `next_cursor`: go on until that is null.
#[utoipa::path(
    get,
    path = "/v1/applications/{id}/traces",
    tag = "Telemetry",
    params(
        ("id" = ApplicationId, Path),
        PageParams,
        TraceParams,
    ),
    responses(
        (status = 200, description = "Newest first by their own time", body = Page<IngestedTrace>),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 404, description = "`not_found`: no such application, or another tenant’s", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn list_traces(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<ApplicationId>,
    ListPage(page): ListPage,
    Params(params): Params<TraceParams>,
) -> Result<axum::Json<Page<IngestedTrace>>, Refusal> {
    Ok(axum::Json(telemetry::list_traces(&services, &actor, id, &params.filter()?, page).await?))
}

/// List the logs of an application
///
/// A page of a narrowed list looks through at most 10,000 rows or 16 MiB. It may have fewer rows
/// than `limit`, even none, and a `next_cursor`: go on until that is null.
#[utoipa::path(
    get,
    path = "/v1/applications/{id}/logs",
    tag = "Telemetry",
    params(
        ("id" = ApplicationId, Path),
        PageParams,
        LogParams,
    ),
    responses(
        (status = 200, description = "Newest first by their own time", body = Page<IngestedLog>),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 404, description = "`not_found`: no such application, or another tenant’s", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn list_logs(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<ApplicationId>,
    ListPage(page): ListPage,
    Params(params): Params<LogParams>,
) -> Result<axum::Json<Page<IngestedLog>>, Refusal> {
    Ok(axum::Json(telemetry::list_logs(&services, &actor, id, &params.filter()?, page).await?))
}
