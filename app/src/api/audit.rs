//! The audit log of an organization.

use latchkey_domain::api::{AuditEvent, AuditFilter, Page};
use latchkey_domain::id::OrganizationId;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::{ApiError, Body};
use crate::data::bearer::Bearer;

/// The audit log of an organization, newest first. The CSV is at
/// `/v1/organizations/{id}/audit.csv`.
///
/// # Errors
/// See [`ApiError`]; `forbidden` for viewers and members.
#[server(prefix = "/api", endpoint = "audit/list", input = Body, output = Body, client = Bearer)]
pub async fn list_audit_events(
    /// Organization that the call is about.
    organization_id: OrganizationId,
    /// Filters; all events if empty.
    filter: AuditFilter,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
) -> Result<Page<AuditEvent>, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::audit::list(&services, &actor, organization_id, &filter, page(cursor))
        .await?)
}
