//! Confirms a key again once the rest of its call has arrived.
//!
//! A client may withhold the last byte of a body for as long as the server waits, and the key may
//! change meanwhile. Nothing is counted a second time. As long as no key of the same cache slot has
//! changed, confirming costs two comparisons.

use std::net::IpAddr;
use std::sync::Arc;

use crate::checker::Checker;
use crate::error::Error;
use crate::evaluate;
use crate::key_digests::KeyDigests;
use crate::key_version::KeyVersion;
use crate::lookup::PresentedBy;
use crate::lookup::look_up;
use crate::outcome::Denial;
use crate::record::KeyRecord;
use crate::request::CheckRequest;
use crate::request::IdentifiedKey;

impl Checker {
    /// Confirms that a key may still make a call that was admitted. Limits were acquired then and
    /// are not checked again.
    ///
    /// # Errors
    /// `Denied` if the key was revoked or has expired since, or may no longer make such a call.
    pub async fn confirm(
        &self,
        key: &Arc<KeyRecord>,
        seen: &KeyVersion,
        call: CheckRequest<'_>,
    ) -> Result<(), Error> {
        if seen.holds(&self.key_cache, self.clock.monotonic()) {
            return evaluated(self, key, key.is_old(seen.digest()), call);
        }
        // Boxed: few calls need the future of a database query.
        let identity = Box::pin(find_again(self, seen, call.ip)).await.map_err(Box::new)?;
        evaluated(self, &identity.key, identity.old, call)
    }
}

/// The current key, if it may have changed since it was identified.
///
/// # Errors
/// The [`Denial`] of a key that is gone or cannot be looked up.
pub(crate) async fn current(
    checker: &Checker,
    identity: &IdentifiedKey,
    ip: Option<IpAddr>,
) -> Result<Option<IdentifiedKey>, Denial> {
    if identity.seen.holds(&checker.key_cache, checker.clock.monotonic()) {
        return Ok(None);
    }
    look_up_again(checker, identity, ip).await.map(Some)
}

/// As [`current`], for a key that was identified a moment ago: while invalidations may be missed,
/// it is not looked up a second time.
///
/// # Errors
/// As [`current`].
pub(crate) async fn changed(
    checker: &Checker,
    identity: &IdentifiedKey,
    ip: Option<IpAddr>,
) -> Result<Option<IdentifiedKey>, Denial> {
    if !identity.seen.has_changed(&checker.key_cache) {
        return Ok(None);
    }
    look_up_again(checker, identity, ip).await.map(Some)
}

async fn look_up_again(
    checker: &Checker,
    identity: &IdentifiedKey,
    ip: Option<IpAddr>,
) -> Result<IdentifiedKey, Denial> {
    // Boxed: few calls need the future of a database query.
    Box::pin(find_again(checker, &identity.seen, ip)).await
}

/// Looks up the key where it was, and where it may have moved since.
async fn find_again(
    checker: &Checker,
    seen: &KeyVersion,
    ip: Option<IpAddr>,
) -> Result<IdentifiedKey, Denial> {
    look_up(checker, &KeyDigests::again(seen), PresentedBy::Caller(ip)).await
}

fn evaluated(
    checker: &Checker,
    key: &Arc<KeyRecord>,
    old: bool,
    call: CheckRequest<'_>,
) -> Result<(), Error> {
    let now = checker.clock.now();
    let Some((outcome, detail)) = evaluate::evaluate(key, old, call, now) else { return Ok(()) };
    let denial = Denial { detail, key: Some(Arc::clone(key)), ..Denial::of(outcome) };
    Err(Error::Denied(Box::new(denial)))
}
