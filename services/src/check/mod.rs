//! The check: may this key make this call?
//!
//! ```text
//! text ─► form and checksum (no I/O) ─► HMAC digest ─► cache ─► status, scope, limits ─► outcome
//!                                                     └─miss─► one indexed query ─► cache
//! ```
//! There is one way to check a key, for every caller. If the store can't be asked and no fresh record is at
//! hand, the answer is `unavailable`: nothing is admitted on a guess.

mod admit;
pub(crate) mod budget;
mod cache;
mod dry_run;
mod outcome;
mod record;
mod reserve;
mod windows;

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_domain::id::ApplicationId;
use latchkey_domain::key::KeyKind;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::secret::PresentedKey;
use latchkey_domain::time::Timestamp;

pub(crate) use cache::KeyCache;
pub use dry_run::dry_run;
pub use outcome::{Admission, Denial, LimitStates};
pub use record::KeyRecord;
pub use reserve::{Reservation, TokenNeed, UsedTokens, reserve};
pub(crate) use windows::Windows;

use admit::{Need, TakenTokens};

use crate::digest::KeyDigest;
use crate::error::Error;
use crate::services::Services;
use crate::usage::{TokenCounts, Use};

/// The call that a key shall admit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Call<'a> {
    /// What kind of key it takes; none: any.
    pub kind: Option<KeyKind>,
    /// The application that it names, if it names one.
    pub application: Option<ApplicationId>,
    /// Whether that application is not the key's project's.
    pub elsewhere: bool,
    /// Where it comes from.
    pub ip: Option<IpAddr>,
    /// The model that it uses, if it uses one.
    pub model: Option<&'a str>,
    /// The tokens that it takes.
    pub cost: u64,
}

/// A key that a secret led to. It says nothing yet of whether a call may go on.
#[derive(Debug, Clone)]
pub struct Found {
    key: Arc<KeyRecord>,
    /// The secret is the one before the last rotation.
    old: bool,
}

impl Found {
    /// The key.
    pub const fn key(&self) -> &Arc<KeyRecord> {
        &self.key
    }

    /// One use of the key.
    fn used(&self, call: Call<'_>, at: Timestamp, outcome: Outcome) -> Use {
        Use {
            key: self.key.id,
            project: self.key.project,
            kind: self.key.kind,
            environment: self.key.environment,
            old_secret: self.old,
            outcome,
            at,
            ip: call.ip,
            tokens: TokenCounts::default(),
        }
    }
}

/// Checks the key that came with a call, if one came.
///
/// With a cached record, of a project in use, and no token budget this neither waits nor asks the database.
///
/// # Errors
/// `Denied` with the outcome; `TooManyFailures` instead, if it is that the key is malformed or unknown, and the
/// call's address has had too many of these.
pub async fn check(
    services: &Services,
    presented: Option<&str>,
    call: Call<'_>,
) -> Result<Admission, Error> {
    let found = identify(services, presented, call.ip).await?;
    Ok(admit(services, &found, call).await.map_err(Box::new)?)
}

/// Finds the key that authenticates a call from `ip`.
///
/// # Errors
/// `Denied` if there is no secret, it is malformed or unknown, or the store can't be asked;
/// `TooManyFailures` instead, if it is malformed or unknown and the address has had too many of these.
pub async fn identify(
    services: &Services,
    presented: Option<&str>,
    ip: Option<IpAddr>,
) -> Result<Found, Error> {
    find(services, presented).await.map_err(|denial| failed(services, ip, denial))
}

/// What a call is refused with whose key was not found. Guesses count against their address.
fn failed(services: &Services, ip: Option<IpAddr>, denial: Denial) -> Error {
    let guessed = matches!(denial.outcome, Outcome::MalformedKey | Outcome::UnknownKey);
    let counted = guessed.then(|| services.failed_keys.count(ip, services.clock.monotonic()));
    match counted {
        Some(Err(full)) => full.into(),
        _ => Box::new(denial).into(),
    }
}

/// Finds the key that has a secret.
///
/// # Errors
/// A [`Denial`]: there is no secret, it is malformed or unknown, or the store can't be asked.
pub async fn find(services: &Services, presented: Option<&str>) -> Result<Found, Denial> {
    let text = presented.ok_or_else(|| Denial::of(Outcome::MissingKey))?;
    let secret = PresentedKey::parse(text).map_err(|_| Denial::of(Outcome::MalformedKey))?;
    let digest = services.settings.pepper.digest(secret.expose());
    let key = match services.key_cache.get(&digest, services.clock.monotonic()) {
        Some(record) => record,
        None => load(services, digest).await?.ok_or_else(|| Denial::of(Outcome::UnknownKey))?,
    };
    let old = key.old.is_some_and(|(old, _)| old == digest);
    Ok(Found { key, old })
}

/// Decides whether a key that was found admits a call, and counts the call.
///
/// # Errors
/// The [`Denial`] with the outcome.
pub async fn admit(
    services: &Services,
    found: &Found,
    call: Call<'_>,
) -> Result<Admission, Denial> {
    let now = services.clock.now();
    let need = Need { least: call.cost, most: call.cost };
    let (limits, _) = decide(services, found, call, need, now).await?;
    services.usage.record(&found.used(call, now, Outcome::Valid));
    Ok(Admission { key: Arc::clone(&found.key), limits })
}

/// The decision on a call. A denial is counted here.
async fn decide(
    services: &Services,
    found: &Found,
    call: Call<'_>,
    need: Need,
    now: Timestamp,
) -> Result<(LimitStates, TakenTokens), Denial> {
    let decided = admit::decide(services, found, call, need, now).await;
    if let Err(denial) = &decided {
        services.usage.denied(&found.used(call, now, denial.outcome), &denial.detail);
    }
    decided
}

/// Asks the database for a record and caches it. If the key is changed meanwhile, asks again: what was read
/// before the change must not be used after it.
async fn load(services: &Services, digest: KeyDigest) -> Result<Option<Arc<KeyRecord>>, Denial> {
    loop {
        let ticket = services.key_cache.begin_load(&digest, services.clock.monotonic());
        let record = record::load(services, &digest).await.map_err(|error| {
            tracing::error!(%error, "a key could not be looked up");
            Denial::of(Outcome::Unavailable)
        })?;
        let Some(record) = record.map(Arc::new) else { return Ok(None) };
        if services.key_cache.finish_load(digest, ticket, Arc::clone(&record)) {
            return Ok(Some(record));
        }
    }
}

/// Forgets what no check needs any more.
pub fn forget_idle(services: &Services) {
    let now = services.clock.monotonic();
    services.requests.forget_idle(now);
    services.tokens.forget_idle(now);
}

/// Makes sure that no check uses what was known of keys before their change. Call it after the change has
/// been committed and before it is answered.
pub(crate) fn evict(services: &Services, digests: impl IntoIterator<Item = KeyDigest>) {
    for digest in digests {
        services.key_cache.evict(&digest);
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::id::{ApplicationId, KeyId, ProjectId, UserId};
    use latchkey_domain::key::{Environment, KeyKind};
    use latchkey_domain::tier::Tier;
    use latchkey_domain::time::Timestamp;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    pub(crate) fn record() -> KeyRecord {
        KeyRecord {
            id: KeyId::new(at(0), [0; 10]),
            project: ProjectId::new(at(0), [0; 10]),
            tier: Tier::Free,
            application: Some(ApplicationId::new(at(0), [1; 10])),
            kind: KeyKind::Api,
            name: "Web checkout".to_owned(),
            environment: Environment::Live,
            created_by: UserId::new(at(0), [0; 10]),
            revoked_at: None,
            expires_at: Some(at(1_000)),
            rpm: None,
            tpm: None,
            budget: None,
            models: None,
            networks: None,
            permissions: None,
            old: None,
        }
    }
}
