//! Organizations.

use latchkey_domain::api::{Organization, OrganizationPatch, OrganizationRequest, PlanUse};
use latchkey_domain::id::OrganizationId;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::caller;
use super::{ApiError, Body};
use crate::data::bearer::Bearer;

/// Makes an organization that the person owns.
///
/// # Errors
/// See [`ApiError`]; `invalid`, `limit_reached`.
#[server(prefix = "/api", endpoint = "organizations/create", input = Body, output = Body, client = Bearer)]
pub async fn create_organization(
    /// What it shall be.
    request: OrganizationRequest,
) -> Result<Organization, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::organizations::create(&services, &actor, request, None).await?)
}

/// Renames an organization, or puts it on another tier, effective at once.
///
/// # Errors
/// See [`ApiError`]; `forbidden`: names are for owners and admins, tiers for the instance’s
/// administrators.
#[server(prefix = "/api", endpoint = "organizations/change", input = Body, output = Body, client = Bearer)]
pub async fn update_organization(
    /// Organization that the call is about.
    organization_id: OrganizationId,
    /// Fields to update; omitted fields are left unchanged.
    patch: OrganizationPatch,
) -> Result<Organization, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::organizations::change(&services, &actor, organization_id, patch).await?)
}

/// What an organization's plan allows, and how much of it is used.
///
/// # Errors
/// See [`ApiError`]; `not_found` for an organization that the person is not in.
#[server(prefix = "/api", endpoint = "organizations/plan", input = Body, output = Body, client = Bearer)]
pub async fn get_plan_use(
    /// Organization that the call is about.
    organization_id: OrganizationId,
) -> Result<PlanUse, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::organizations::plan_use(&services, &actor, organization_id).await?)
}

/// Deletes an organization with all that is in it, and revokes its keys.
///
/// # Errors
/// See [`ApiError`]; `forbidden` for everybody but owners.
#[server(prefix = "/api", endpoint = "organizations/delete", input = Body, output = Body, client = Bearer)]
pub async fn delete_organization(
    /// Organization that the call is about.
    organization_id: OrganizationId,
) -> Result<(), ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::organizations::delete(&services, &actor, organization_id).await?)
}
