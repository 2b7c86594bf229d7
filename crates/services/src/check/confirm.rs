//! Looking again at a key that was admitted a moment ago, once the rest of its call has arrived.
//!
//! A client may hold back the last byte of a body for as long as the server waits. What its key was
//! when the head came says nothing of what it is then. Nothing is counted a second time, and as
//! long as no key of the cache's slot has changed meanwhile, it costs two comparisons.

use std::net::IpAddr;
use std::sync::Arc;

use super::cache::Stamp;
use super::{Call, Denial, Found, KeyRecord, Presenter, admit, find_digest};
use crate::digest::KeyDigest;
use crate::error::Error;
use crate::services::Services;

/// By which secret a key was found, and as of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    digest: KeyDigest,
    stamp: Stamp,
}

impl Seen {
    /// As of now. Take it before the key is looked up.
    pub(super) fn now(services: &Services, digest: KeyDigest) -> Self {
        Self { digest, stamp: services.key_cache.begin_load(&digest) }
    }

    /// The digest of the secret.
    pub(crate) const fn digest(&self) -> &KeyDigest {
        &self.digest
    }

    /// Whether what was read then still holds. It does not where changes by other nodes are not
    /// heard of.
    fn holds(&self, services: &Services) -> bool {
        services.key_cache.is_trusted(services.clock.monotonic())
            && services.key_cache.begin_load(&self.digest) == self.stamp
    }
}

/// Whether a key that was admitted to a call may still make it. Its limits were taken then and are
/// not asked.
///
/// # Errors
/// `Denied` if it was revoked or disabled meanwhile, has expired, or may not make such a call any
/// more.
pub async fn confirm(
    services: &Services,
    key: &Arc<KeyRecord>,
    seen: Seen,
    call: Call<'_>,
) -> Result<(), Error> {
    if seen.holds(services) {
        return judged(services, key, &seen, call);
    }
    // Boxed: hardly any call needs the states of asking the database.
    let asking = Box::pin(find_digest(services, seen.digest, Presenter::Caller(call.ip)));
    let found = asking.await.map_err(Box::new)?;
    judged(services, &found.key, &seen, call)
}

/// The key as it is now, if it may have changed since it was found.
///
/// # Errors
/// The [`Denial`] of a key that is gone, or can't be looked up.
pub(super) async fn current(
    services: &Services,
    found: &Found,
    ip: Option<IpAddr>,
) -> Result<Option<Found>, Denial> {
    if found.seen.holds(services) {
        return Ok(None);
    }
    Box::pin(find_digest(services, found.seen.digest, Presenter::Caller(ip))).await.map(Some)
}

fn judged(
    services: &Services,
    key: &Arc<KeyRecord>,
    seen: &Seen,
    call: Call<'_>,
) -> Result<(), Error> {
    let now = services.clock.now();
    let Some((outcome, detail)) = admit::judge(key, key.is_old(&seen.digest), call, now) else {
        return Ok(());
    };
    let denial = Denial { detail, key: Some(Arc::clone(key)), ..Denial::of(outcome) };
    Err(Error::Denied(Box::new(denial)))
}
