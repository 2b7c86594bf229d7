//! Applications.

use latchkey_domain::api::{Application, ApplicationContext, Page};
use latchkey_domain::id::{ApplicationId, ProjectId};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::{ApiError, Bearer, Body};

/// The applications of a project.
///
/// # Errors
/// See [`ApiError`]; `not_found` for a project that the person can't see.
#[server(prefix = "/api", endpoint = "applications/list", input = Body, output = Body, client = Bearer)]
pub async fn list_applications(
    /// Whose applications.
    project_id: ProjectId,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
) -> Result<Page<Application>, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::applications::list(&services, &actor, project_id, page(cursor)).await?)
}

/// An application, with its project and organization.
///
/// # Errors
/// See [`ApiError`]; `not_found` for an application that the person can't see.
#[server(prefix = "/api", endpoint = "applications/get", input = Body, output = Body, client = Bearer)]
pub async fn get_application(
    /// Which application.
    application_id: ApplicationId,
) -> Result<ApplicationContext, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::applications::context(&services, &actor, application_id).await?)
}
