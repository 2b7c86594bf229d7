//! Reading back what applications sent in.

use axum::extract::State;
use latchkey_domain::api::Application;
use latchkey_domain::api::{
    IngestedLog, IngestedTrace, LogFilter, Page, SpanKind, SpanStatus, TraceFilter,
};
use latchkey_domain::id::ApplicationId;
use latchkey_domain::query::QueryText;
use latchkey_services::{Services, telemetry};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::auth::Caller;
use crate::http::extract::{ListPage, PageParams, Params, PathId, flag, one_of, parsed};
use crate::http::problem::Refusal;
use crate::http::responses::{Invalid, NoAccess};

/// Filters for a list of traces.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TraceParams {
    /// Only items of this trace.
    #[param(value_type = Option<QueryText>)]
    trace_id: Option<String>,
    /// Only spans of this kind: `server`, `client`, `internal`, `producer`, `consumer` or
    /// `unspecified`.
    #[param(inline, value_type = Option<SpanKind>)]
    kind: Option<String>,
    /// Only spans with this status: `ok`, `error` or `unset`.
    #[param(inline, value_type = Option<SpanStatus>)]
    status: Option<String>,
    /// Whether to return only spans without a parent.
    #[param(value_type = Option<bool>)]
    root: Option<String>,
    /// Only items whose method, URL or `meta` contains this text. `meta` includes names and values,
    /// such as the span’s name, attributes, events and stack traces. Case and white space are
    /// ignored.
    #[param(value_type = Option<QueryText>)]
    q: Option<String>,
}

impl TraceParams {
    fn filter(self) -> Result<TraceFilter, Refusal> {
        let kinds = "Use server, client, internal, producer, consumer or unspecified.";
        let root = flag("root", self.root.as_deref())?;
        Ok(TraceFilter {
            trace_id: parsed("trace_id", self.trace_id)?,
            kind: one_of("kind", self.kind, kinds)?,
            status: one_of("status", self.status, "Use ok, error or unset.")?,
            root,
            q: parsed("q", self.q)?,
        })
    }
}

/// Filters for a list of logs.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogParams {
    /// Only items of this trace.
    #[param(value_type = Option<QueryText>)]
    trace_id: Option<String>,
    /// Only messages of this level, ignoring case.
    #[param(value_type = Option<QueryText>)]
    level: Option<String>,
    /// Only items whose message, type or `meta` contains this text. `meta` includes names and
    /// values. Case and white space are ignored.
    #[param(value_type = Option<QueryText>)]
    q: Option<String>,
}

impl LogParams {
    fn filter(self) -> Result<LogFilter, Refusal> {
        Ok(LogFilter {
            trace_id: parsed("trace_id", self.trace_id)?,
            level: parsed("level", self.level)?,
            q: parsed("q", self.q)?,
        })
    }
}

/// List the traces of an application
///
/// With filters, a page scans at most 10,000 rows or 16 MiB. It can therefore have fewer items than
/// `limit`, or none, and still have a `next_cursor`. Continue until `next_cursor` is null.
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
        (status = 200, description = "Items, newest timestamp first", body = Page<IngestedTrace>),
        NoAccess<Application>,
        Invalid,
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
/// With filters, a page scans at most 10,000 rows or 16 MiB. It can therefore have fewer items than
/// `limit`, or none, and still have a `next_cursor`. Continue until `next_cursor` is null.
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
        (status = 200, description = "Items, newest timestamp first", body = Page<IngestedLog>),
        NoAccess<Application>,
        Invalid,
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
