//! The audit log of an organization.

use latchkey_domain::api::{AuditEvent, AuditFilter, Page};
use latchkey_domain::id::OrganizationId;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::server_function::server_function;

server_function! {
    #[endpoint(
        "audit/list",
        summary = "List audit log events of an organization",
        refuses = [Forbidden, NotFound],
    )]
    pub async fn list_audit_events(
        /// Organization that the call is about.
        organization_id: OrganizationId,
        /// Filters; all events if empty.
        filter: AuditFilter,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    ) -> Page<AuditEvent> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::audit::list(&services, &actor, organization_id, &filter, page(cursor))
            .await?)
    }
}
