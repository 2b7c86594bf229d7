//! A complete check: authenticate, look up, evaluate, acquire, record.

use std::net::IpAddr;

use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;

use crate::acquire::{self, AcquiredTokens, LimitNeed};
use crate::checker::Checker;
use crate::confirm;
use crate::error::Error;
use crate::lookup::{PresentedBy, look_up};
use crate::lookup_limiter::LookupCaller;
use crate::outcome::{Admission, Denial, LimitStates};
use crate::pending_call::PendingCall;
use crate::recording::count;
use crate::request::{CheckRequest, IdentifiedKey, Parsed, parse};

impl Checker {
    /// Checks the key that a caller presents; `None` if it presents none.
    ///
    /// This neither waits nor queries the database if the record is cached, the project is in use
    /// and this node has a lease of each budget that applies.
    ///
    /// # Errors
    /// `Denied` with the outcome. `TooManyFailures` instead, if the key is malformed or unknown and
    /// the caller's address has had too many of these.
    pub async fn check(
        &self,
        presented: Option<&str>,
        call: CheckRequest<'_>,
    ) -> Result<Admission, Error> {
        self.check_parsed(parse(presented), call).await
    }

    /// Same as [`Self::check`], for a key that was parsed before.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub async fn check_parsed(
        &self,
        parsed: Parsed<'_>,
        call: CheckRequest<'_>,
    ) -> Result<Admission, Error> {
        let identity = authenticate_parsed(self, parsed, call.ip).await?;
        let limits = self.admit(&identity, call).await.map_err(Box::new)?;
        Ok(Admission { key: identity.key, seen: identity.seen, limits })
    }
}

impl Checker {
    /// Identifies the key that authenticates a call from `ip`.
    ///
    /// # Errors
    /// `Denied` if there is no secret, it is malformed or unknown, or the database is unavailable.
    /// `TooManyFailures` instead, if it is malformed or unknown and the address has had too many of
    /// these.
    pub async fn authenticate(
        &self,
        presented: Option<&str>,
        ip: Option<IpAddr>,
    ) -> Result<IdentifiedKey, Error> {
        authenticate_parsed(self, parse(presented), ip).await
    }
}

async fn authenticate_parsed(
    checker: &Checker,
    parsed: Parsed<'_>,
    ip: Option<IpAddr>,
) -> Result<IdentifiedKey, Error> {
    let by = PresentedBy::Caller(ip);
    authenticate_by(checker, parsed, by).await.map_err(|denial| failed(checker, ip, denial))
}

/// Turns the denial of an unidentified key into an error. Guesses count against their address.
fn failed(checker: &Checker, ip: Option<IpAddr>, denial: Denial) -> Error {
    let guessed = matches!(denial.outcome, Outcome::MalformedKey | Outcome::UnknownKey);
    let counted = guessed.then(|| checker.failed_keys.count(ip, checker.clock.monotonic()));
    match counted {
        Some(Err(full)) => full.into(),
        _ => Box::new(denial).into(),
    }
}

impl Checker {
    /// Identifies the key that has a secret, on behalf of the server.
    ///
    /// # Errors
    /// A [`Denial`]: there is no secret, it is malformed or unknown, or the database is
    /// unavailable.
    pub async fn authenticate_for_server(
        &self,
        presented: Option<&str>,
    ) -> Result<IdentifiedKey, Denial> {
        self.authenticate_for(presented, LookupCaller::Server).await
    }

    /// Same as [`Self::authenticate_for_server`], on behalf of a caller who was presented the
    /// secret.
    ///
    /// # Errors
    /// As [`Self::authenticate_for_server`].
    pub async fn authenticate_for(
        &self,
        presented: Option<&str>,
        caller: LookupCaller,
    ) -> Result<IdentifiedKey, Denial> {
        authenticate_by(self, parse(presented), PresentedBy::Other(caller)).await
    }
}

async fn authenticate_by(
    checker: &Checker,
    parsed: Parsed<'_>,
    by: PresentedBy,
) -> Result<IdentifiedKey, Denial> {
    let identity = resolve(checker, parsed, by).await;
    if let Err(denial) = &identity {
        checker.counters.checked(denial.outcome);
    }
    identity
}

async fn resolve(
    checker: &Checker,
    parsed: Parsed<'_>,
    by: PresentedBy,
) -> Result<IdentifiedKey, Denial> {
    let secret = parsed.map_err(Denial::of)?;
    look_up(checker, checker.pepper.digest(secret.expose()), by).await
}

impl Checker {
    /// Decides whether an identified key admits a call, and counts the call. Returns the states of
    /// the key's limits after that.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome.
    pub async fn admit(
        &self,
        identity: &IdentifiedKey,
        call: CheckRequest<'_>,
    ) -> Result<LimitStates, Denial> {
        self.admit_pending(identity, call, None).await
    }

    /// Same as [`Self::admit`], for a call that has acquired its request before.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome.
    pub async fn admit_pending(
        &self,
        identity: &IdentifiedKey,
        call: CheckRequest<'_>,
        pending: Option<&PendingCall>,
    ) -> Result<LimitStates, Denial> {
        let now = self.clock.now();
        let need = LimitNeed::spent(call.cost);
        let (limits, _) = decide(self, identity, call, need, now, pending).await?;
        self.usage.record(&identity.used(call, now, Outcome::Valid));
        Ok(limits)
    }
}

/// Decides a call and counts a denial.
async fn decide(
    checker: &Checker,
    identity: &IdentifiedKey,
    call: CheckRequest<'_>,
    need: LimitNeed<'_>,
    now: Timestamp,
    pending: Option<&PendingCall>,
) -> Result<(LimitStates, AcquiredTokens), Denial> {
    // The key may have changed while the body arrived, or while the caller asked the database for
    // the application that the call names.
    let current = if pending.is_some() || identity.waited {
        confirm::current(checker, identity, call.ip).await?
    } else {
        confirm::changed(checker, identity, call.ip).await?
    };
    let identity = current.as_ref().unwrap_or(identity);
    let decided = acquire::decide(checker, identity, call, need, now, pending).await;
    count(checker, identity, call, decided.as_ref().err(), now);
    decided
}
