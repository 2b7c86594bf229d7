//! A complete check: authenticate, look up, evaluate, acquire, record.

use std::net::IpAddr;
use std::pin::Pin;

use latchkey_domain::outcome::Outcome;
use latchkey_domain::secret::{MalformedSecret, PresentedKey};
use latchkey_domain::time::Timestamp;

use crate::acquire::{self, AcquiredTokens, LimitNeed};
use crate::checker::Checker;
use crate::confirm;
use crate::error::Error;
use crate::foreign;
use crate::lookup::{PresentedBy, look_up_cached, look_up_now};
use crate::lookup_limiter::LookupCaller;
use crate::moves::{self, Origin};
use crate::outcome::{Admission, Denial, LimitStates};
use crate::pending_call::PendingCall;
use crate::recording::count;
use crate::request::{CheckRequest, IdentifiedKey};

impl Checker {
    /// Checks the key that a caller presents; `None` if it presents none.
    ///
    /// This neither waits nor queries the database if the record is cached, the project is in use
    /// and this node has a lease of each budget that applies.
    ///
    /// # Errors
    /// `Denied` with the outcome. `TooManyFailures` instead, if the key is malformed or unknown and
    /// the caller's address has had too many of these, or if the key is imported, checked slowly
    /// and has had too many.
    pub async fn check(
        &self,
        presented: Option<&str>,
        call: CheckRequest<'_>,
    ) -> Result<Admission, Error> {
        let identity = self.authenticate(presented, call.ip).await?;
        let limits = self.admit(&identity, call).await.map_err(Box::new)?;
        Ok(Admission { key: identity.key, seen: identity.seen, limits })
    }
}

impl Checker {
    /// Identifies the key that authenticates a call from `ip`.
    ///
    /// # Errors
    /// `Denied` if there is no secret, it is malformed or unknown, or the database is unavailable.
    /// `TooManyFailures` as for [`Self::check`].
    pub async fn authenticate(
        &self,
        presented: Option<&str>,
        ip: Option<IpAddr>,
    ) -> Result<IdentifiedKey, Error> {
        let by = PresentedBy::Caller(ip);
        authenticate_by(self, presented, by).await.map_err(|error| failed(self, ip, error))
    }

    /// Whether a key is certainly as it was when it was identified. If not, identify it again.
    pub fn is_unchanged(&self, identity: &IdentifiedKey) -> bool {
        identity.seen.holds(&self.key_cache, self.clock.monotonic())
    }
}

/// Turns the denial of an unidentified key into an error. Guesses count against their address.
fn failed(checker: &Checker, ip: Option<IpAddr>, error: Error) -> Error {
    let Error::Denied(denial) = &error else { return error };
    let guessed = matches!(denial.outcome, Outcome::MalformedKey | Outcome::UnknownKey);
    let counted = guessed.then(|| checker.failed_keys.count(ip, checker.clock.monotonic()));
    match counted {
        Some(Err(full)) => full.into(),
        _ => error,
    }
}

impl Checker {
    /// Identifies the key that has a secret, on behalf of the server.
    ///
    /// # Errors
    /// A [`Denial`]: there is no secret, it is malformed or unknown, or it can't be looked up.
    pub async fn authenticate_for_server(
        &self,
        presented: Option<&str>,
    ) -> Result<IdentifiedKey, Denial> {
        let identity = self.authenticate_for(presented, LookupCaller::Server).await;
        identity.map_err(|error| match error {
            Error::Denied(denial) => *denial,
            Error::TooManyFailures(_) => Denial::of(Outcome::Unavailable),
        })
    }

    /// Identifies the key that has a secret, on behalf of a caller who was presented it.
    ///
    /// # Errors
    /// `Denied` if there is no secret, it is malformed or unknown, or the database is unavailable.
    /// `TooManyFailures` if the key is imported, checked slowly and has had too many failures; an
    /// address never has.
    pub async fn authenticate_for(
        &self,
        presented: Option<&str>,
        caller: LookupCaller,
    ) -> Result<IdentifiedKey, Error> {
        authenticate_by(self, presented, PresentedBy::Other(caller)).await
    }
}

async fn authenticate_by(
    checker: &Checker,
    presented: Option<&str>,
    by: PresentedBy,
) -> Result<IdentifiedKey, Error> {
    let identity = match resolve(checker, presented, by) {
        Resolving::Done(identity) => identity,
        Resolving::Waiting(identity) => identity.await,
    };
    if let Err(Error::Denied(denial)) = &identity {
        checker.counters.checked(denial.outcome);
    }
    identity
}

/// How far a key is identified without waiting.
enum Resolving<'a> {
    Done(Result<IdentifiedKey, Error>),
    /// Boxed: few checks need the future of a database query, and most present a key of ours.
    Waiting(Pin<Box<dyn Future<Output = Result<IdentifiedKey, Error>> + Send + 'a>>),
}

/// Identifies the key that has a secret if it is cached. No future, so that a check that needs none
/// carries none of its state along.
fn resolve<'a>(checker: &'a Checker, presented: Option<&'a str>, by: PresentedBy) -> Resolving<'a> {
    let denied = |outcome| Error::from(Box::new(Denial::of(outcome)));
    let Some(text) = presented else { return Resolving::Done(Err(denied(Outcome::MissingKey))) };
    let secret = match PresentedKey::parse(text) {
        Ok(secret) => secret,
        Err(malformed) if checker.shapes.are_relevant() => {
            let is_own_form = malformed == MalformedSecret::Checksum;
            let waiting = foreign::authenticate(checker, text, is_own_form, by);
            return Resolving::Waiting(Box::pin(waiting));
        }
        Err(_) => return Resolving::Done(Err(denied(Outcome::MalformedKey))),
    };
    let writing = checker.peppers.writing();
    let digests = writing.digests(secret.expose());
    if let Some(identity) = look_up_cached(checker, &digests) {
        let identity = identity.map_err(denied);
        if let Ok(identity) = &identity {
            moves::start(checker, identity, writing, Origin::Pepper);
        }
        return Resolving::Done(identity);
    }
    Resolving::Waiting(Box::pin(async move {
        let identity = look_up_now(checker, &digests, by).await.map_err(Box::new)?;
        moves::start(checker, &identity, writing, Origin::Pepper);
        Ok(identity)
    }))
}

impl Checker {
    /// Decides whether an identified key admits a call, and counts the call. Returns the states of
    /// the key's limits after that.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome.
    // The future itself, here and below: another one around it would keep a second call.
    pub fn admit<'a>(
        &'a self,
        identity: &'a IdentifiedKey,
        call: CheckRequest<'a>,
    ) -> impl Future<Output = Result<LimitStates, Denial>> + Send {
        self.admit_pending(identity, call, None)
    }

    /// Same as [`Self::admit`], for a call that has acquired its request before.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome.
    pub fn admit_pending<'a>(
        &'a self,
        identity: &'a IdentifiedKey,
        call: CheckRequest<'a>,
        pending: Option<&'a PendingCall>,
    ) -> impl Future<Output = Result<LimitStates, Denial>> + Send {
        admit(self, identity, call, LimitNeed::spent(call.cost), pending)
    }

    /// Same as [`Self::admit`], for a call that reads, or ends, what an earlier call was charged
    /// for. No budget in tokens or dollars refuses it: that call may have reserved all of it.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome.
    pub fn admit_reading<'a>(
        &'a self,
        identity: &'a IdentifiedKey,
        call: CheckRequest<'a>,
    ) -> impl Future<Output = Result<LimitStates, Denial>> + Send {
        admit(self, identity, call, LimitNeed::reading(), None)
    }
}

async fn admit(
    checker: &Checker,
    identity: &IdentifiedKey,
    call: CheckRequest<'_>,
    need: LimitNeed<'_>,
    pending: Option<&PendingCall>,
) -> Result<LimitStates, Denial> {
    let now = checker.clock.now();
    let (limits, _) = decide(checker, identity, call, need, now, pending).await?;
    checker.usage.record(&identity.used(call, now, Outcome::Valid));
    Ok(limits)
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
