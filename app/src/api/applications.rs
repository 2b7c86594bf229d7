//! Applications.

use latchkey_domain::api::{
    Application, ApplicationContext, ApplicationPatch, ApplicationRequest, Page,
};
use latchkey_domain::id::{ApplicationId, ProjectId};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::{ApiError, Body};
use crate::data::bearer::Bearer;

/// The applications of a project.
///
/// # Errors
/// See [`ApiError`]; `not_found` for a project that the person can't see.
#[server(prefix = "/api", endpoint = "applications/list", input = Body, output = Body, client = Bearer)]
pub async fn list_applications(
    /// Project that the call is about.
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
    /// Application that the call is about.
    application_id: ApplicationId,
) -> Result<ApplicationContext, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::applications::context(&services, &actor, application_id).await?)
}

/// Makes an application.
///
/// # Errors
/// See [`ApiError`]; `forbidden` for viewers.
#[server(prefix = "/api", endpoint = "applications/create", input = Body, output = Body, client = Bearer)]
pub async fn create_application(
    /// Project that the call is about.
    project_id: ProjectId,
    /// What it shall be.
    request: ApplicationRequest,
) -> Result<Application, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::applications::create(&services, &actor, project_id, request, None)
        .await?)
}

/// Changes an application’s name, description or environment.
///
/// # Errors
/// See [`ApiError`]; `forbidden` for viewers.
#[server(prefix = "/api", endpoint = "applications/change", input = Body, output = Body, client = Bearer)]
pub async fn update_application(
    /// Application that the call is about.
    application_id: ApplicationId,
    /// Fields to update; omitted fields are left unchanged.
    patch: ApplicationPatch,
) -> Result<Application, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::applications::change(&services, &actor, application_id, patch).await?)
}

/// Deletes an application, and revokes the keys that are for it alone.
///
/// # Errors
/// See [`ApiError`]; `forbidden` for viewers.
#[server(prefix = "/api", endpoint = "applications/delete", input = Body, output = Body, client = Bearer)]
pub async fn delete_application(
    /// Application that the call is about.
    application_id: ApplicationId,
) -> Result<(), ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::applications::delete(&services, &actor, application_id).await?)
}
