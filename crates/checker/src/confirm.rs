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
        seen: KeyVersion,
        call: CheckRequest<'_>,
    ) -> Result<(), Error> {
        if seen.holds(&self.key_cache, self.clock.monotonic()) {
            return evaluated(self, key, &seen, call);
        }
        // Boxed: few calls need the future of a database query.
        let lookup = Box::pin(look_up(self, *seen.digest(), PresentedBy::Caller(call.ip)));
        let identity = lookup.await.map_err(Box::new)?;
        evaluated(self, &identity.key, &seen, call)
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
    Box::pin(look_up(checker, *identity.seen.digest(), PresentedBy::Caller(ip))).await
}

fn evaluated(
    checker: &Checker,
    key: &Arc<KeyRecord>,
    seen: &KeyVersion,
    call: CheckRequest<'_>,
) -> Result<(), Error> {
    let now = checker.clock.now();
    let Some((outcome, detail)) = evaluate::evaluate(key, key.is_old(seen.digest()), call, now)
    else {
        return Ok(());
    };
    let denial = Denial { detail, key: Some(Arc::clone(key)), ..Denial::of(outcome) };
    Err(Error::Denied(Box::new(denial)))
}
