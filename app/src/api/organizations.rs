//! Organizations.

use latchkey_domain::api::Organization;
use latchkey_domain::id::OrganizationId;
use latchkey_domain::tier::Tier;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::caller;
use super::{ApiError, Bearer, Body};

/// Puts an organization on another tier, effective at once. For the instance's administrators.
///
/// # Errors
/// See [`ApiError`]; `forbidden` for everybody else.
#[server(prefix = "/api", endpoint = "organizations/change-tier", input = Body, output = Body, client = Bearer)]
pub async fn change_tier(
    /// Which organization.
    organization_id: OrganizationId,
    /// Its tier from now on.
    tier: Tier,
) -> Result<Organization, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::organizations::change_tier(&services, &actor, organization_id, tier)
        .await?)
}
