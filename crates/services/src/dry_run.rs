//! What a call of a key would come to now, without taking or counting anything.

use latchkey_domain::api::{DryRun, DryRunRequest};
use latchkey_domain::role::Permission;

use crate::actor::Actor;
use crate::error::Error;
use crate::keys;
use crate::scope::{self, KeyRef};
use crate::services::Services;

/// What a check of a key would come to, for a call like that one.
///
/// # Errors
/// `NotFound` for a stranger. That the key would be refused is an answer, not an error.
pub async fn dry_run(
    services: &Services,
    actor: &Actor,
    key: impl Into<KeyRef>,
    request: &DryRunRequest,
) -> Result<DryRun, Error> {
    let named = key.into();
    let scope = scope::project_of_key(services, actor, named, Permission::KeysRead).await?;
    let row = keys::find(services.database.reader(), &scope, named.id).await?;
    services.checker.dry_run(&row.digest, request).await?.ok_or(Error::NotFound)
}
