//! A key as its holder sees it.

use std::net::IpAddr;

use latchkey_checker::CheckRequest;
use latchkey_domain::api::KeyView;
use latchkey_domain::hint::{ForeignHint, MaskedSecret};
use latchkey_domain::id::KeyId;
use latchkey_domain::key::KeyStatus;
use latchkey_domain::secret::PresentedKey;
use latchkey_store::entity::key;
use sea_orm::EntityTrait;

use crate::error::Error;
use crate::services::Services;

/// The key that has this secret, and where its limits stand. Counts as no request and acquires
/// nothing. Each key has 60 views a minute on each node.
///
/// # Errors
/// `Denied` if the key is not valid, or not for the address. `TooManyFailures` instead, if it is
/// malformed or unknown and the address has had too many of these. `TooMany` after the views of a
/// minute.
pub async fn key_view(
    services: &Services,
    secret: Option<&str>,
    ip: Option<IpAddr>,
) -> Result<KeyView, Error> {
    let identity = services.checker.authenticate(secret, ip).await?;
    let call = CheckRequest { ip, ..CheckRequest::default() };
    services.checker.evaluate(&identity, call)?;
    let key = identity.key();
    services.key_views.count(key.id, services.clock.monotonic())?;
    let limits = services.checker.peek(key).await;
    let budgets = services.checker.key_budget_states(key).await?;
    let extended = key.extended();
    Ok(KeyView {
        id: key.id,
        kind: key.kind,
        project_id: key.project,
        application_id: key.application,
        name: key.name.to_string(),
        environment: key.environment,
        masked: masked(services, secret, key.id).await?,
        // No other is shown: the key would have been refused.
        status: KeyStatus::Active,
        expires_at: key.expires_at,
        rpm: key.rpm,
        tpm: extended.tpm,
        max_parallel: extended.max_parallel,
        scopes: extended.scopes.clone().unwrap_or_default(),
        external_id: extended.external_id.clone(),
        ratelimit: limits.requests,
        tokens: limits.tokens,
        budgets,
    })
}

/// Masked form of the secret that was sent, which may be the one before a rotation.
async fn masked(
    services: &Services,
    secret: Option<&str>,
    id: KeyId,
) -> Result<MaskedSecret, Error> {
    if let Some(key) = secret.and_then(|text| PresentedKey::parse(text).ok()) {
        return Ok(key.hint().into());
    }
    // An imported key: nothing of its text is known to be fit to show, so only the row can tell.
    let row = key::Entity::find_by_id(id).one(services.database.reader()).await?;
    let hints = row.map(|row| (row.hint, row.old_hint));
    let shown = match hints {
        Some((MaskedSecret::Imported(hint), _) | (_, Some(MaskedSecret::Imported(hint)))) => hint,
        Some((MaskedSecret::Own(_), _)) | None => ForeignHint::default(),
    };
    Ok(MaskedSecret::Imported(shown))
}
