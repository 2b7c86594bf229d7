//! Dry run: the outcome of a check now, without acquiring or counting anything.

use latchkey_domain::api::{DryRun, DryRunRequest};
use latchkey_domain::role::Permission;

use crate::actor::Actor;
use crate::error::Error;
use crate::keys;
use crate::scope::{self, KeyRef};
use crate::services::Services;

/// The outcome that a check of the key would have for such a request.
///
/// # Errors
/// `NotFound` if the actor has no access. A denial is a result, not an error.
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
