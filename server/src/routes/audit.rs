//! `/v1/organizations/{id}/audit`: who did what, as JSON and as CSV.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use futures::stream;
use latchkey_domain::api::Organization;
use latchkey_domain::api::{AuditEvent, AuditFilter, Page};
use latchkey_domain::audit::AuditAction;
use latchkey_domain::id::OrganizationId;
use latchkey_domain::problem::Problem;
use latchkey_domain::query::QueryText;
use latchkey_domain::time::Timestamp;
use latchkey_services::{Services, audit};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::auth::Caller;
use crate::http::extract::{ListPage, PageParams, Params, PathId, given, one_of, parsed};
use crate::http::problem::Refusal;
use crate::http::responses::{Invalid, IsNotAdmin, NoAccess};

/// Filters for the audit log.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditParams {
    /// Only events by this actor: an ID (`usr_…`, `key_…`), a login, or `system`.
    #[param(value_type = Option<QueryText>)]
    actor: Option<String>,
    /// Only events with this action, e.g. `key.revoked`.
    #[param(value_type = Option<AuditAction>)]
    action: Option<String>,
    /// Only events at or after this time (RFC 3339).
    #[param(value_type = Option<Timestamp>)]
    from: Option<String>,
    /// Only events before this time (RFC 3339).
    #[param(value_type = Option<Timestamp>)]
    to: Option<String>,
}

impl AuditParams {
    pub(crate) fn filter(self) -> Result<AuditFilter, Refusal> {
        let time = |field: &str, text: Option<String>| -> Result<_, Refusal> {
            let wrong = |_| Problem::invalid(field, "Use a time such as 2026-11-21T07:45:53Z.");
            Ok(given(text).map(|text| Timestamp::parse(&text)).transpose().map_err(wrong)?)
        };
        Ok(AuditFilter {
            actor: parsed("actor", self.actor)?,
            action: one_of("action", self.action, "Unknown action.")?,
            from: time("from", self.from)?,
            to: time("to", self.to)?,
        })
    }
}

/// List audit log events
#[utoipa::path(
    get,
    path = "/v1/organizations/{id}/audit",
    operation_id = "list_audit_events",
    tag = "Audit",
    params(("id" = OrganizationId, Path), AuditParams, PageParams),
    responses(
        (status = 200, description = "The list, newest first", body = Page<AuditEvent>),
        NoAccess<Organization>,
        IsNotAdmin,
        Invalid,
    ),
    security(("user" = [])),
)]
pub(crate) async fn list(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(organization): PathId<OrganizationId>,
    Params(params): Params<AuditParams>,
    ListPage(page): ListPage,
) -> Result<axum::Json<Page<AuditEvent>>, Refusal> {
    let filter = params.filter()?;
    Ok(axum::Json(audit::list(&services, &actor, organization, &filter, page).await?))
}

/// Export the audit log as CSV
///
/// Streams CSV as defined by RFC 4180. The response is aborted if the caller loses access to the
/// audit log, or spends more than ten minutes in total without reading. Cells that a spreadsheet
/// would interpret as a formula are prefixed with an apostrophe.
#[utoipa::path(
    get,
    path = "/v1/organizations/{id}/audit.csv",
    operation_id = "export_audit_events",
    tag = "Audit",
    params(("id" = OrganizationId, Path), AuditParams),
    responses(
        (status = 200, description = "CSV with a header line, newest event first", body = String, content_type = "text/csv"),
        NoAccess<Organization>,
        IsNotAdmin,
        Invalid,
    ),
    security(("user" = [])),
)]
pub(crate) async fn export(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(organization): PathId<OrganizationId>,
    Params(params): Params<AuditParams>,
) -> Result<impl IntoResponse, Refusal> {
    let filter = params.filter()?;
    let export = audit::export(&services, &actor, organization, &filter).await?;
    // An error during the export aborts the connection, so that no client takes a part for the
    // whole.
    let parts = stream::try_unfold(export, async |mut export| {
        Ok::<_, latchkey_services::Error>(export.next().await?.map(|part| (part, export)))
    });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"audit-log.csv\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(parts)))
}
