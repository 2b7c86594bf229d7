//! A check from end to end, and its first steps: authenticate and look up.

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_domain::id::ApplicationId;
use latchkey_domain::key::KeyKind;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::secret::PresentedKey;
use latchkey_domain::time::Timestamp;
use latchkey_domain::token_usage::TokenUsage;
use latchkey_store::database::in_time;

use crate::Checker;
use crate::Error;
use crate::acquire::{self, AcquiredTokens};
use crate::begin::BegunCall;
use crate::cache::CachedLookup;
use crate::confirm::{self, KeyVersion};
use crate::digest::KeyDigest;
use crate::failures::Address;
use crate::lookup_limiter::LookupCaller;
use crate::outcome::{Admission, Denial, LimitStates};
use crate::record::{self, KeyRecord};
use crate::token_estimate::TokenAmount;
use crate::usage::Use;

/// The call that a key shall admit.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckRequest<'a> {
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
pub struct IdentifiedKey {
    pub(crate) key: Arc<KeyRecord>,
    /// The secret is the one before the last rotation.
    pub(crate) old: bool,
    pub(crate) seen: KeyVersion,
}

impl IdentifiedKey {
    /// Record of the identified key.
    pub const fn key(&self) -> &Arc<KeyRecord> {
        &self.key
    }

    /// One use of the key.
    pub(crate) fn used(&self, call: CheckRequest<'_>, at: Timestamp, outcome: Outcome) -> Use {
        Use {
            key: self.key.id,
            project: self.key.project,
            kind: self.key.kind,
            environment: self.key.environment,
            old_secret: self.old,
            outcome,
            at,
            ip: call.ip,
            tokens: TokenUsage::default(),
        }
    }
}

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

/// A key whose form is right, or why there is none.
pub type Parsed<'a> = Result<PresentedKey<'a>, Outcome>;

fn parse(presented: Option<&str>) -> Parsed<'_> {
    PresentedKey::parse(presented.ok_or(Outcome::MissingKey)?).map_err(|_| Outcome::MalformedKey)
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
    /// As [`find`].
    pub async fn authenticate_for(
        &self,
        presented: Option<&str>,
        asker: LookupCaller,
    ) -> Result<IdentifiedKey, Denial> {
        authenticate_by(self, parse(presented), PresentedBy::Other(asker)).await
    }
}

/// Who presents a secret.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PresentedBy {
    /// Whoever calls, from this address if it can be read.
    Caller(Option<IpAddr>),
    /// Somebody else, for whom this one asks and is no guesser.
    Other(LookupCaller),
}

impl PresentedBy {
    fn guesses(self, checker: &Checker) -> bool {
        match self {
            Self::Caller(ip) => checker.failed_keys.is_full(ip, checker.clock.monotonic()),
            Self::Other(_) => false,
        }
    }

    fn asker(self) -> LookupCaller {
        match self {
            Self::Caller(ip) => LookupCaller::Address(Address::of(ip)),
            Self::Other(asker) => asker,
        }
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

pub(crate) async fn look_up(
    checker: &Checker,
    digest: KeyDigest,
    by: PresentedBy,
) -> Result<IdentifiedKey, Denial> {
    // Before anything is read: what is changed from here on is looked at again.
    let seen = KeyVersion::now(checker, digest);
    let cached = checker.key_cache.get(&digest, checker.clock.monotonic());
    checker.counters.looked(cached.is_some());
    let known = match cached {
        Some(known) => known,
        None => load(checker, digest, by).await?,
    };
    let CachedLookup::Key(key) = known else { return Err(Denial::of(Outcome::UnknownKey)) };
    Ok(IdentifiedKey { old: key.is_old(&digest), key, seen })
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

pub(crate) fn count(
    checker: &Checker,
    found: &IdentifiedKey,
    call: CheckRequest<'_>,
    denial: Option<&Denial>,
    now: Timestamp,
) {
    match denial {
        None => checker.counters.checked(Outcome::Valid),
        Some(denial) => record_denial(checker, found, call, denial, now),
    }
}

pub(crate) fn record_denial(
    checker: &Checker,
    found: &IdentifiedKey,
    call: CheckRequest<'_>,
    denial: &Denial,
    now: Timestamp,
) {
    checker.counters.checked(denial.outcome);
    checker.usage.denied(&found.used(call, now, denial.outcome), &denial.detail);
}

/// Asks the database for a record and caches it. If the key is changed meanwhile, asks again: what
/// was read before the change must not be used after it.
///
/// Waiting for a turn counts as waiting for the database. Whether a key that was not looked up
/// exists nobody knows: not even to an address that guesses is it called unknown.
pub(crate) async fn load(
    checker: &Checker,
    digest: KeyDigest,
    by: PresentedBy,
) -> Result<CachedLookup, Denial> {
    let guesser = by.guesses(checker);
    let asking = async {
        let turn = checker.lookup_limiter.turn(by.asker(), guesser).await;
        let Ok(_turn) = turn else { return Ok(None) };
        loop {
            let stamp = checker.key_cache.begin_load(&digest);
            let record = record::load(checker, &digest).await?;
            let known =
                record.map_or(CachedLookup::Unknown, |record| CachedLookup::Key(Arc::new(record)));
            let now = checker.clock.monotonic();
            if checker.key_cache.finish_load(digest, stamp, &known, now) {
                return Ok(Some(known));
            }
        }
    };
    let asked = in_time(asking).await.unwrap_or_else(|error| {
        tracing::error!(%error, "Failed to look up a key");
        None
    });
    asked.ok_or_else(|| Denial::of(Outcome::Unavailable))
}

impl Checker {
    /// Whether a key that is not cached could be checked: asks what a check asks.
    ///
    /// # Errors
    /// The database does not answer, or not this role.
    pub async fn can_look_up(&self) -> Result<(), latchkey_store::Error> {
        let nobody = self.pepper.digest("");
        in_time(async { record::load(self, &nobody).await.map(|_| ()) }).await
    }
}
