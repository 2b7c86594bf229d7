//! Keys of a project: found, made, changed, rotated, archived.

use latchkey_domain::api::{ApiKey, CreatedKey, KeyFilter, KeyPatch, KeyRequest, ListedKey, Page};
use latchkey_domain::id::{KeyId, ProjectId};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::{ApiError, Body};
use crate::data::bearer::Bearer;

/// The keys of a project that a filter lets through.
///
/// # Errors
/// See [`ApiError`]; `not_found` for a project that the person can't see.
#[server(prefix = "/api", endpoint = "project-keys/list", input = Body, output = Body, client = Bearer)]
pub async fn list_project_keys(
    /// Project that the call is about.
    project_id: ProjectId,
    /// Which keys, and in which order.
    filter: KeyFilter,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
) -> Result<Page<ListedKey>, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::keys::list(&services, &actor, project_id, &filter, page(cursor)).await?)
}

/// Makes a key. This answer is the only one that ever holds its secret.
///
/// # Errors
/// See [`ApiError`]; `name_taken`, `tier_limit_reached`, `invalid`, `forbidden` for a viewer.
#[server(prefix = "/api", endpoint = "project-keys/create", input = Body, output = Body, client = Bearer)]
pub async fn create_project_key(
    /// Project that the call is about.
    project_id: ProjectId,
    /// What the key shall be.
    request: KeyRequest,
) -> Result<CreatedKey, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::keys::create(&services, &actor, project_id, request, None).await?)
}

/// One key.
///
/// # Errors
/// See [`ApiError`]; `not_found` for a key that the person can't see.
#[server(prefix = "/api", endpoint = "keys/get", input = Body, output = Body, client = Bearer)]
pub async fn get_key(
    /// Key that the call is about.
    key_id: KeyId,
) -> Result<ListedKey, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::keys::get(&services, &actor, key_id).await?)
}

/// Changes a key's name, limits or expiry, effective at once.
///
/// # Errors
/// See [`ApiError`]; `conflict` for a revoked key, `name_taken`, `tier_limit_reached`, `invalid`.
#[server(prefix = "/api", endpoint = "keys/change", input = Body, output = Body, client = Bearer)]
pub async fn update_key(
    /// Key that the call is about.
    key_id: KeyId,
    /// Fields to update; omitted fields are left unchanged.
    patch: KeyPatch,
) -> Result<ApiKey, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::keys::change(&services, &actor, key_id, patch).await?)
}

/// Gives a key a new secret. This answer is the only one that ever holds it.
///
/// # Errors
/// See [`ApiError`]; `conflict` for a key that is revoked or expired.
#[server(prefix = "/api", endpoint = "keys/rotate", input = Body, output = Body, client = Bearer)]
pub async fn rotate_key(
    /// Key that the call is about.
    key_id: KeyId,
    /// For how long the old secret goes on working.
    grace_seconds: u64,
) -> Result<CreatedKey, ApiError> {
    let (services, actor) = caller().await?;
    let request = latchkey_domain::api::RotateRequest { grace_seconds };
    Ok(latchkey_services::keys::rotate(&services, &actor, key_id, request, None).await?)
}

/// Hides a revoked or expired key from lists.
///
/// # Errors
/// See [`ApiError`]; `conflict` for an active key.
#[server(prefix = "/api", endpoint = "keys/archive", input = Body, output = Body, client = Bearer)]
pub async fn archive_key(
    /// Key that the call is about.
    key_id: KeyId,
) -> Result<ApiKey, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::keys::archive(&services, &actor, key_id).await?)
}

/// Shows an archived key in lists again.
///
/// # Errors
/// See [`ApiError`].
#[server(prefix = "/api", endpoint = "keys/unarchive", input = Body, output = Body, client = Bearer)]
pub async fn unarchive_key(
    /// Key that the call is about.
    key_id: KeyId,
) -> Result<ApiKey, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::keys::unarchive(&services, &actor, key_id).await?)
}

/// Ends a rotation's grace: the secret before it stops working now.
///
/// # Errors
/// See [`ApiError`].
#[server(prefix = "/api", endpoint = "keys/end-grace", input = Body, output = Body, client = Bearer)]
pub async fn end_grace(
    /// Key that the call is about.
    key_id: KeyId,
) -> Result<ListedKey, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::keys::end_grace(&services, &actor, key_id).await?)
}
