//! Keys of an application.

use latchkey_domain::api::{CreatedKey, ListedKey, Page};
use latchkey_domain::id::{ApplicationId, KeyId};
use latchkey_domain::key::Environment;
use latchkey_domain::name::Name;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::server_function::server_function;

server_function! {
    #[endpoint("keys/list", summary = "List the keys of an application", refuses = [NotFound])]
    pub async fn list_application_keys(
        /// Application that the call is about.
        application_id: ApplicationId,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    ) -> Page<ListedKey> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::keys::list_of_application(
            &services,
            &actor,
            application_id,
            page(cursor),
        )
        .await?)
    }
}

server_function! {
    #[endpoint(
        "keys/create",
        summary = "Create a key for an application. The secret is returned only once",
        refuses = [Forbidden, NotFound, NameTaken, TierLimitReached],
    )]
    pub async fn create_application_key(
        /// Application that the call is about.
        application_id: ApplicationId,
        /// Its name; without one, it is made from the application's.
        name: Option<Name>,
        /// Environment of the new key.
        environment: Environment,
    ) -> CreatedKey {
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
}

server_function! {
    #[endpoint("keys/revoke", summary = "Revoke a key", refuses = [Forbidden, NotFound])]
    pub async fn revoke_key(
        /// Key that the call is about.
        key_id: KeyId,
    ) -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::keys::revoke(&services, &actor, key_id).await?)
    }
}
