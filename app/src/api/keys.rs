//! Keys of an application.

use latchkey_domain::api::{CreatedKey, ListedKey, Page};
use latchkey_domain::id::{ApplicationId, KeyId};
use latchkey_domain::key::Environment;
use latchkey_domain::name::Name;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::{ApiError, Body};
use crate::data::bearer::Bearer;

/// The keys of an application, newest first.
///
/// # Errors
/// See [`ApiError`]; `not_found` for an application that the person can't see.
#[server(prefix = "/api", endpoint = "keys/list", input = Body, output = Body, client = Bearer)]
pub async fn list_application_keys(
    /// Application that the call is about.
    application_id: ApplicationId,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
) -> Result<Page<ListedKey>, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::keys::list_of_application(
        &services,
        &actor,
        application_id,
        page(cursor),
    )
    .await?)
}

/// Makes a key for an application. This answer is the only one that ever holds its secret.
///
/// # Errors
/// See [`ApiError`]; `name_taken`, `tier_limit_reached`, `forbidden` for a viewer.
#[server(prefix = "/api", endpoint = "keys/create", input = Body, output = Body, client = Bearer)]
pub async fn create_application_key(
    /// Application that the call is about.
    application_id: ApplicationId,
    /// Its name; without one, it is made from the application's.
    name: Option<Name>,
    /// Environment of the new key.
    environment: Environment,
) -> Result<CreatedKey, ApiError> {
    let (services, actor) = caller().await?;
    let request = latchkey_domain::api::ApplicationKeyRequest { name, environment };
    Ok(latchkey_services::keys::create_for_application(
        &services,
        &actor,
        application_id,
        request,
        None,
    )
    .await?)
}

/// Revokes a key. Once this has answered, no check admits it.
///
/// # Errors
/// See [`ApiError`]; `not_found` for a key that the person can't see, `forbidden` for a viewer.
#[server(prefix = "/api", endpoint = "keys/revoke", input = Body, output = Body, client = Bearer)]
pub async fn revoke_key(
    /// Key that the call is about.
    key_id: KeyId,
) -> Result<(), ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::keys::revoke(&services, &actor, key_id).await?)
}
