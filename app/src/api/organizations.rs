//! Organizations.

use latchkey_domain::api::{Organization, OrganizationPatch, OrganizationRequest, PlanUse};
use latchkey_domain::id::OrganizationId;

#[cfg(feature = "ssr")]
use super::caller::caller;
use super::server_function::server_function;

server_function! {
    #[endpoint("organizations/create", summary = "Create an organization", refuses = [LimitReached])]
    pub async fn create_organization(
        /// What it shall be.
        request: OrganizationRequest,
    ) -> Organization {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::organizations::create(&services, &actor, request, None).await?)
    }
}

server_function! {
    #[endpoint(
        "organizations/change",
        summary = "Update an organization’s name, tier or limits",
        refuses = [Forbidden, NotFound],
    )]
    pub async fn update_organization(
        /// Organization that the call is about.
        organization_id: OrganizationId,
        /// Fields to update; omitted fields are left unchanged.
        patch: OrganizationPatch,
    ) -> Organization {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::organizations::change(&services, &actor, organization_id, patch).await?)
    }
}

server_function! {
    #[endpoint(
        "organizations/plan",
        summary = "Get the limits of an organization’s plan and their use",
        refuses = [NotFound],
    )]
    pub async fn get_plan_use(
        /// Organization that the call is about.
        organization_id: OrganizationId,
    ) -> PlanUse {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::organizations::plan_use(&services, &actor, organization_id).await?)
    }
}

server_function! {
    #[endpoint(
        "organizations/delete",
        summary = "Delete an organization with its contents and revoke its keys",
        refuses = [Forbidden, NotFound],
    )]
    pub async fn delete_organization(
        /// Organization that the call is about.
        organization_id: OrganizationId,
    ) -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::organizations::delete(&services, &actor, organization_id).await?)
    }
}
