//! Keys of a project: list, create, update, rotate, archive.

use latchkey_domain::api::{ApiKey, CreatedKey, KeyFilter, KeyPatch, KeyRequest, ListedKey, Page};
use latchkey_domain::id::{KeyId, ProjectId};

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::server_function::server_function;

server_function! {
    #[endpoint("project-keys/list", summary = "List the keys of a project", refuses = [NotFound])]
    pub async fn list_project_keys(
        /// Project that the call is about.
        project_id: ProjectId,
        /// Which keys, and in which order.
        filter: KeyFilter,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    ) -> Page<ListedKey> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::keys::list(&services, &actor, project_id, &filter, page(cursor)).await?)
    }
}

server_function! {
    #[endpoint(
        "project-keys/create",
        summary = "Create a key. The secret is returned only once",
        refuses = [Forbidden, NotFound, NameTaken, TierLimitReached],
    )]
    pub async fn create_project_key(
        /// Project that the call is about.
        project_id: ProjectId,
        /// What the key shall be.
        request: KeyRequest,
    ) -> CreatedKey {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::keys::create(&services, &actor, project_id, request, None).await?)
    }
}

server_function! {
    #[endpoint("keys/get", summary = "Get a key", refuses = [NotFound])]
    pub async fn get_key(
        /// Key that the call is about.
        key_id: KeyId,
    ) -> ListedKey {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::keys::get(&services, &actor, key_id).await?)
    }
}

server_function! {
    #[endpoint(
        "keys/change",
        summary = "Update a key’s name, limits or expiry",
        refuses = [Forbidden, NotFound, Conflict, NameTaken, TierLimitReached],
    )]
    pub async fn update_key(
        /// Key that the call is about.
        key_id: KeyId,
        /// Fields to update; omitted fields are left unchanged.
        patch: KeyPatch,
    ) -> ApiKey {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::keys::change(&services, &actor, key_id, patch).await?)
    }
}

server_function! {
    #[endpoint(
        "keys/rotate",
        summary = "Rotate a key. The new secret is returned only once",
        refuses = [Forbidden, NotFound, Conflict],
    )]
    pub async fn rotate_key(
        /// Key that the call is about.
        key_id: KeyId,
        /// For how long the old secret goes on working.
        grace_seconds: u64,
    ) -> CreatedKey {
        let (services, actor) = caller().await?;
        let request = latchkey_domain::api::RotateRequest { grace_seconds };
        Ok(latchkey_services::keys::rotate(&services, &actor, key_id, request, None).await?)
    }
}

server_function! {
    #[endpoint(
        "keys/archive",
        summary = "Archive a revoked or expired key",
        refuses = [Forbidden, NotFound, Conflict],
    )]
    pub async fn archive_key(
        /// Key that the call is about.
        key_id: KeyId,
    ) -> ApiKey {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::keys::archive(&services, &actor, key_id).await?)
    }
}

server_function! {
    #[endpoint(
        "keys/unarchive",
        summary = "Unarchive a key",
        refuses = [Forbidden, NotFound, Conflict],
    )]
    pub async fn unarchive_key(
        /// Key that the call is about.
        key_id: KeyId,
    ) -> ApiKey {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::keys::unarchive(&services, &actor, key_id).await?)
    }
}

server_function! {
    #[endpoint(
        "keys/end-grace",
        summary = "End the grace period of a rotation",
        refuses = [Forbidden, NotFound],
    )]
    pub async fn end_grace(
        /// Key that the call is about.
        key_id: KeyId,
    ) -> ListedKey {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::keys::end_grace(&services, &actor, key_id).await?)
    }
}
