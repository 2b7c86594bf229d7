//! Projects.

use latchkey_domain::api::{Page, Project, ProjectPatch, ProjectRequest};
use latchkey_domain::id::{OrganizationId, ProjectId};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::{ApiError, Body};
use crate::data::bearer::Bearer;

/// The projects of an organization.
///
/// # Errors
/// See [`ApiError`]; `not_found` for an organization that the person is not in.
#[server(prefix = "/api", endpoint = "projects/list", input = Body, output = Body, client = Bearer)]
pub async fn list_projects(
    /// Organization that the call is about.
    organization_id: OrganizationId,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
) -> Result<Page<Project>, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::projects::list(&services, &actor, organization_id, page(cursor)).await?)
}

/// Makes a project.
///
/// # Errors
/// See [`ApiError`]; `forbidden` for viewers and members.
#[server(prefix = "/api", endpoint = "projects/create", input = Body, output = Body, client = Bearer)]
pub async fn create_project(
    /// Organization that the call is about.
    organization_id: OrganizationId,
    /// What it shall be.
    request: ProjectRequest,
) -> Result<Project, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::projects::create(&services, &actor, organization_id, request, None)
        .await?)
}

/// Changes a project’s name or key prefix.
///
/// # Errors
/// See [`ApiError`]; `forbidden` for viewers and members.
#[server(prefix = "/api", endpoint = "projects/change", input = Body, output = Body, client = Bearer)]
pub async fn update_project(
    /// Project that the call is about.
    project_id: ProjectId,
    /// Fields to update; omitted fields are left unchanged.
    patch: ProjectPatch,
) -> Result<Project, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::projects::change(&services, &actor, project_id, patch).await?)
}

/// Deletes a project with all that is in it, and revokes its keys.
///
/// # Errors
/// See [`ApiError`]; `forbidden` for viewers and members.
#[server(prefix = "/api", endpoint = "projects/delete", input = Body, output = Body, client = Bearer)]
pub async fn delete_project(
    /// Project that the call is about.
    project_id: ProjectId,
) -> Result<(), ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::projects::delete(&services, &actor, project_id).await?)
}
