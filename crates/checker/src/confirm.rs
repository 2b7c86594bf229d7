//! Looking again at a key that was admitted a moment ago, once the rest of its call has arrived.
//!
//! A client may hold back the last byte of a body for as long as the server waits. What its key was
//! when the head came says nothing of what it is then. Nothing is counted a second time, and as
//! long as no key of the cache's slot has changed meanwhile, it costs two comparisons.

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
    /// Whether a key that was admitted to a call may still make it. Its limits were taken then and
    /// are not asked.
    ///
    /// # Errors
    /// `Denied` if it was revoked or disabled meanwhile, has expired, or may not make such a call
    /// any more.
    pub async fn confirm(
        &self,
        key: &Arc<KeyRecord>,
        seen: KeyVersion,
        call: CheckRequest<'_>,
    ) -> Result<(), Error> {
        if seen.holds(&self.key_cache, self.clock.monotonic()) {
            return evaluated(self, key, &seen, call);
        }
        // Boxed: hardly any call needs the states of asking the database.
        let asking = Box::pin(look_up(self, *seen.digest(), PresentedBy::Caller(call.ip)));
        let found = asking.await.map_err(Box::new)?;
        evaluated(self, &found.key, &seen, call)
    }
}

/// The key as it is now, if it may have changed since it was found.
///
/// # Errors
/// The [`Denial`] of a key that is gone, or can't be looked up.
pub(crate) async fn current(
    checker: &Checker,
    found: &IdentifiedKey,
    ip: Option<IpAddr>,
) -> Result<Option<IdentifiedKey>, Denial> {
    if found.seen.holds(&checker.key_cache, checker.clock.monotonic()) {
        return Ok(None);
    }
    Box::pin(look_up(checker, *found.seen.digest(), PresentedBy::Caller(ip))).await.map(Some)
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
