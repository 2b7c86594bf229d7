//! A check from end to end: authenticate, look up, evaluate, acquire, record.

use std::net::IpAddr;

use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;

use crate::acquire::{self, AcquiredTokens};
use crate::begun_call::BegunCall;
use crate::checker::Checker;
use crate::confirm;
use crate::error::Error;
use crate::lookup::{PresentedBy, look_up};
use crate::lookup_limiter::LookupCaller;
use crate::outcome::{Admission, Denial, LimitStates};
use crate::recording::count;
use crate::request::{CheckRequest, IdentifiedKey, Parsed, parse};
use crate::token_estimate::TokenAmount;

impl Checker {
    /// Checks the key that came with a call, if one came.
    ///
    /// With a cached record, of a project in use, and no token budget this neither waits nor asks
    /// the database.
    ///
    /// # Errors
    /// `Denied` with the outcome; `TooManyFailures` instead, if it is that the key is malformed or
    /// unknown, and the call's address has had too many of these.
    pub async fn check(
        &self,
        presented: Option<&str>,
        call: CheckRequest<'_>,
    ) -> Result<Admission, Error> {
        self.check_parsed(parse(presented), call).await
    }

    /// The same for a key whose form was found right, or for why there is none.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub async fn check_parsed(
        &self,
        parsed: Parsed<'_>,
        call: CheckRequest<'_>,
    ) -> Result<Admission, Error> {
        let found = authenticate_parsed(self, parsed, call.ip).await?;
        let limits = self.admit(&found, call).await.map_err(Box::new)?;
        Ok(Admission { key: found.key, seen: found.seen, limits })
    }
}

impl Checker {
    /// Finds the key that authenticates a call from `ip`.
    ///
    /// # Errors
    /// `Denied` if there is no secret, it is malformed or unknown, or the store can't be asked;
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

/// What a call is refused with whose key was not found. Guesses count against their address.
fn failed(checker: &Checker, ip: Option<IpAddr>, denial: Denial) -> Error {
    let guessed = matches!(denial.outcome, Outcome::MalformedKey | Outcome::UnknownKey);
    let counted = guessed.then(|| checker.failed_keys.count(ip, checker.clock.monotonic()));
    match counted {
        Some(Err(full)) => full.into(),
        _ => Box::new(denial).into(),
    }
}

impl Checker {
    /// Finds the key that has a secret.
    ///
    /// # Errors
    /// A [`Denial`]: there is no secret, it is malformed or unknown, or the store can't be asked.
    pub async fn authenticate_internally(
        &self,
        presented: Option<&str>,
    ) -> Result<IdentifiedKey, Denial> {
        self.authenticate_for(presented, LookupCaller::Server).await
    }

    /// The same for somebody to whom it was presented.
    ///
    /// # Errors
    /// As [`Self::authenticate_internally`].
    pub async fn authenticate_for(
        &self,
        presented: Option<&str>,
        asker: LookupCaller,
    ) -> Result<IdentifiedKey, Denial> {
        authenticate_by(self, parse(presented), PresentedBy::Other(asker)).await
    }
}

async fn authenticate_by(
    checker: &Checker,
    parsed: Parsed<'_>,
    by: PresentedBy,
) -> Result<IdentifiedKey, Denial> {
    let found = resolve(checker, parsed, by).await;
    if let Err(denial) = &found {
        checker.counters.checked(denial.outcome);
    }
    found
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
    /// Decides whether a key that was found admits a call, and counts the call. Where its limits
    /// stand then.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome.
    pub async fn admit(
        &self,
        found: &IdentifiedKey,
        call: CheckRequest<'_>,
    ) -> Result<LimitStates, Denial> {
        self.admit_begun(found, call, None).await
    }

    /// The same for a call that has taken its request before.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome.
    pub async fn admit_begun(
        &self,
        found: &IdentifiedKey,
        call: CheckRequest<'_>,
        begun: Option<&BegunCall>,
    ) -> Result<LimitStates, Denial> {
        let now = self.clock.now();
        let need = TokenAmount::Exactly(call.cost);
        let (limits, _) = decide(self, found, call, need, now, begun).await?;
        self.usage.record(&found.used(call, now, Outcome::Valid));
        Ok(limits)
    }
}

/// The decision on a call. A denial is counted here.
async fn decide(
    checker: &Checker,
    found: &IdentifiedKey,
    call: CheckRequest<'_>,
    need: TokenAmount,
    now: Timestamp,
    begun: Option<&BegunCall>,
) -> Result<(LimitStates, AcquiredTokens), Denial> {
    // Its body has come since the key was found.
    let current = match begun {
        Some(_) => confirm::current(checker, found, call.ip).await?,
        None => None,
    };
    let found = current.as_ref().unwrap_or(found);
    let decided = acquire::decide(checker, found, call, need, now, begun).await;
    count(checker, found, call, decided.as_ref().err(), now);
    decided
}
