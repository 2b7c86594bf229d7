//! What keys are used for.

use latchkey_domain::api::{DryRun, DryRunRequest, KeyActivity, QuotaState, Usage};
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::Environment;
use latchkey_domain::usage::UsageRange;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::caller;
use super::{ApiError, Body};
use crate::data::bearer::Bearer;

/// The use of one key, of whatever kind.
///
/// # Errors
/// See [`ApiError`]; `not_found` for a key that the person can't see.
#[server(prefix = "/api", endpoint = "usage/key", input = Body, output = Body, client = Bearer)]
pub async fn get_key_usage(
    /// Key that the call is about.
    key_id: KeyId,
    /// Time range of the report.
    range: UsageRange,
) -> Result<Usage, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::usage::of_key(&services, &actor, key_id, range).await?)
}

/// The use of a project's keys together.
///
/// # Errors
/// See [`ApiError`]; `not_found` for a project that the person can't see.
#[server(prefix = "/api", endpoint = "usage/project", input = Body, output = Body, client = Bearer)]
pub async fn get_project_usage(
    /// Project that the call is about.
    project_id: ProjectId,
    /// Keys of this environment only; none: of both.
    environment: Option<Environment>,
    /// Time range of the report.
    range: UsageRange,
) -> Result<Usage, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::usage::of_project(&services, &actor, project_id, environment, range)
        .await?)
}

/// How much of its plan's quota a project has used this month.
///
/// # Errors
/// See [`ApiError`]; `not_found` for a project that the person can't see.
#[server(prefix = "/api", endpoint = "usage/month", input = Body, output = Body, client = Bearer)]
pub async fn get_project_month(
    /// Project that the call is about.
    project_id: ProjectId,
) -> Result<QuotaState, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::usage::of_month(&services, &actor, project_id).await?)
}

/// What a check of a key would come to, for a call like that one. It takes nothing and counts
/// nothing.
///
/// # Errors
/// See [`ApiError`]; `not_found` for a key that the person can't see.
#[server(prefix = "/api", endpoint = "keys/dry-run", input = Body, output = Body, client = Bearer)]
pub async fn dry_run_key(
    /// Key that the call is about.
    key_id: KeyId,
    /// The hypothetical call to check.
    request: DryRunRequest,
) -> Result<DryRun, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::check::dry_run(&services, &actor, key_id, &request).await?)
}

/// The last 24 hours of up to 100 keys of a project, for the lines of a list. Keys that were not
/// used are left out.
///
/// # Errors
/// See [`ApiError`]; `not_found` for a project that the person can't see.
#[server(prefix = "/api", endpoint = "usage/keys", input = Body, output = Body, client = Bearer)]
pub async fn get_key_activity(
    /// Project that the call is about.
    project_id: ProjectId,
    /// Up to 100 keys to report.
    key_ids: Vec<KeyId>,
) -> Result<Vec<KeyActivity>, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::usage::of_keys(&services, &actor, project_id, &key_ids).await?)
}
