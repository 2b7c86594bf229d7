//! Secrets of other systems' HMACs. Each stands sealed beside the keys that need it.

use latchkey_domain::import::{HmacAlgorithm, Scheme};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use super::prepare::PreparedKey;
use super::request::ImportSecret;
use crate::error::Error;
use crate::scope::ProjectScope;
use crate::services::Services;
use latchkey_store::entity::imported_key;

/// Different secrets of a project: a check tries each.
const MAX_SECRETS: usize = 8;

/// The sealed secret, if a key needs it: as the project has it already, or sealed now. In a
/// transaction, the caller has locked the project.
///
/// # Errors
/// `Invalid` for a ninth secret; the database fails.
pub(super) async fn sealed(
    services: &Services,
    database: &impl ConnectionTrait,
    scope: &ProjectScope,
    keys: &[PreparedKey],
    secret: Option<&ImportSecret>,
) -> Result<Option<Vec<u8>>, Error> {
    let is_needed = keys.iter().any(PreparedKey::is_hmac);
    let Some(secret) = secret.filter(|_| is_needed) else { return Ok(None) };
    let hmac = [HmacAlgorithm::Sha256, HmacAlgorithm::Sha512].map(Scheme::Hmac);
    // All keys of an import have the same sealed bytes, so there are few different ones.
    let there: Vec<Vec<u8>> = imported_key::Entity::find()
        .select_only()
        .column(imported_key::Column::Sealed)
        .distinct()
        .filter(imported_key::Column::ProjectId.eq(scope.id()))
        .filter(imported_key::Column::Scheme.is_in(hmac))
        .filter(imported_key::Column::Sealed.is_not_null())
        .into_tuple()
        .all(database)
        .await?;
    let (pepper, other) = (services.checker.pepper(), services.checker.other_pepper());
    // While one pepper replaces another, the same secret stands sealed under both.
    let mut different = Vec::new();
    for sealed in &there {
        let opened = pepper.open(sealed);
        if opened.as_ref().is_some_and(|opened| opened.expose() == secret.expose()) {
            return Ok(Some(sealed.clone()));
        }
        let opened = opened.or_else(|| other?.open(sealed));
        if let Some(opened) = opened.filter(|opened| opened.expose() != secret.expose())
            && !different.contains(&opened)
        {
            different.push(opened);
        }
    }
    if different.len() >= MAX_SECRETS {
        let message = "A project has at most 8 HMAC secrets. Import these keys into another one.";
        return Err(Error::invalid("x-import-secret", message));
    }
    Ok(Some(pepper.seal(services.random.bytes(), secret.expose())))
}
