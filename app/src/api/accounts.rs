//! The person who is asking, and what they may open.

use latchkey_domain::api::{Me, Page, Project};
use latchkey_domain::id::OrganizationId;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::{ApiError, Bearer, Body};

/// The signed-in person and their organizations.
///
/// # Errors
/// See [`ApiError`].
#[server(prefix = "/api", endpoint = "me", input = Body, output = Body, client = Bearer)]
pub async fn get_me() -> Result<Me, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::accounts::me(&services, &actor).await?)
}

/// The projects of an organization.
///
/// # Errors
/// See [`ApiError`]; `not_found` for an organization that the person is not in.
#[server(prefix = "/api", endpoint = "projects/list", input = Body, output = Body, client = Bearer)]
pub async fn list_projects(
    /// Whose projects.
    organization_id: OrganizationId,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
) -> Result<Page<Project>, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::projects::list(&services, &actor, organization_id, page(cursor)).await?)
}
