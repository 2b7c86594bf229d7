//! The check: may this key make this call?
//!
//! ```text
//! text -> form and checksum (no I/O) -> HMAC digest -> cache -> status, scope, limits -> outcome
//!                                                       `- miss -> one indexed query -> cache
//! ```
//! There is one way to check a key, for every caller. If the store can't be asked and no fresh
//! record is at hand, the answer is `unavailable`: nothing is admitted on a guess.
//!
//! The steps, and where they are: parse and digest (`look_up` here); look up (`find_digest` and
//! `load` here, `cache`, `queue`, `record`); evaluate (`admit::judge`); acquire (`admit::decide`,
//! with `rates`, the project's quota, and `budget`), all limits or none; record (`count` here,
//! `tally`, `crate::usage`). A gateway call does it in two halves, before its body and after
//! (`begin`, `reserve`). What keeps a record true while it is used: `cache` and `trust` on this
//! node, `changed` and `crate::nodes` between nodes, `confirm` and `watched` for calls that take
//! long.

mod admit;
mod begin;
pub(crate) mod budget;
mod cache;
mod changed;
mod confirm;
mod dry_run;
mod in_progress;
mod lease;
mod need;
mod node;
mod outcome;
mod parallel;
mod queue;
mod rates;
mod ratio;
mod record;
mod reserve;
pub(crate) mod shared;
mod tally;
mod trust;
mod watched;
mod windows;

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_domain::id::ApplicationId;
use latchkey_domain::key::KeyKind;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::secret::PresentedKey;
use latchkey_domain::time::Timestamp;
use latchkey_domain::token_usage::TokenUsage;

pub use begin::{BegunCall, begin, refuse};
pub use cache::CacheSize;
pub(crate) use cache::{KeyCache, Known};
pub(crate) use changed::{CHANNEL, Changed};
pub use confirm::{Seen, confirm};
pub use dry_run::dry_run;
pub(crate) use in_progress::InProgress;
pub(crate) use lease::Leases;
pub use need::{AnswerCap, ReservedTokens, TokenNeed};
pub use node::{
    cache_size, counts, forget_idle, hears_of_changes, leases, leave, return_leases, shares_limits,
    waiting,
};
pub use outcome::{Admission, Denial, LimitStates};
pub use parallel::CallSlot;
pub(crate) use parallel::ParallelCalls;
pub(crate) use queue::{Asker, LookUps};
pub(crate) use ratio::PromptRatios;
pub use record::KeyRecord;
pub use reserve::{FinerCount, Reservation, WantedTokens, reserve};
pub use shared::RedisUrl;
pub(crate) use shared::SharedWindows;
pub use tally::CheckCounts;
pub(crate) use tally::Tally;
pub(crate) use watched::WatchedKeys;
pub use watched::{KeyWatch, watch_key};
pub(crate) use windows::Windows;

use admit::TakenTokens;
use need::Need;

use crate::digest::KeyDigest;
use crate::error::Error;
use crate::failures::Address;
use crate::services::Services;
use crate::usage::Use;
use latchkey_store::database::in_time;

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
    seen: Seen,
}

impl Found {
    /// Record of the identified key.
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
            tokens: TokenUsage::default(),
        }
    }
}

/// Checks the key that came with a call, if one came.
///
/// With a cached record, of a project in use, and no token budget this neither waits nor asks the
/// database.
///
/// # Errors
/// `Denied` with the outcome; `TooManyFailures` instead, if it is that the key is malformed or
/// unknown, and the call's address has had too many of these.
pub async fn check(
    services: &Services,
    presented: Option<&str>,
    call: Call<'_>,
) -> Result<Admission, Error> {
    check_parsed(services, parse(presented), call).await
}

/// The same for a key whose form was found right, or for why there is none.
pub(crate) async fn check_parsed(
    services: &Services,
    parsed: Parsed<'_>,
    call: Call<'_>,
) -> Result<Admission, Error> {
    let found = identify_parsed(services, parsed, call.ip).await?;
    let limits = admit(services, &found, call).await.map_err(Box::new)?;
    Ok(Admission { key: found.key, seen: found.seen, limits })
}

/// A key whose form is right, or why there is none.
pub(crate) type Parsed<'a> = Result<PresentedKey<'a>, Outcome>;

fn parse(presented: Option<&str>) -> Parsed<'_> {
    PresentedKey::parse(presented.ok_or(Outcome::MissingKey)?).map_err(|_| Outcome::MalformedKey)
}

/// Finds the key that authenticates a call from `ip`.
///
/// # Errors
/// `Denied` if there is no secret, it is malformed or unknown, or the store can't be asked;
/// `TooManyFailures` instead, if it is malformed or unknown and the address has had too many of
/// these.
pub async fn identify(
    services: &Services,
    presented: Option<&str>,
    ip: Option<IpAddr>,
) -> Result<Found, Error> {
    identify_parsed(services, parse(presented), ip).await
}

async fn identify_parsed(
    services: &Services,
    parsed: Parsed<'_>,
    ip: Option<IpAddr>,
) -> Result<Found, Error> {
    let by = Presenter::Caller(ip);
    find_from(services, parsed, by).await.map_err(|denial| failed(services, ip, denial))
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
    find_for(services, presented, Asker::Server).await
}

/// The same for somebody to whom it was presented.
///
/// # Errors
/// As [`find`].
pub(crate) async fn find_for(
    services: &Services,
    presented: Option<&str>,
    asker: Asker,
) -> Result<Found, Denial> {
    find_from(services, parse(presented), Presenter::Other(asker)).await
}

/// Who presents a secret.
#[derive(Debug, Clone, Copy)]
enum Presenter {
    /// Whoever calls, from this address if it can be read.
    Caller(Option<IpAddr>),
    /// Somebody else, for whom this one asks and is no guesser.
    Other(Asker),
}

impl Presenter {
    fn guesses(self, services: &Services) -> bool {
        match self {
            Self::Caller(ip) => services.failed_keys.is_full(ip, services.clock.monotonic()),
            Self::Other(_) => false,
        }
    }

    fn asker(self) -> Asker {
        match self {
            Self::Caller(ip) => Asker::Address(Address::of(ip)),
            Self::Other(asker) => asker,
        }
    }
}

async fn find_from(
    services: &Services,
    parsed: Parsed<'_>,
    by: Presenter,
) -> Result<Found, Denial> {
    let found = look_up(services, parsed, by).await;
    if let Err(denial) = &found {
        services.tally.checked(denial.outcome);
    }
    found
}

async fn look_up(services: &Services, parsed: Parsed<'_>, by: Presenter) -> Result<Found, Denial> {
    let secret = parsed.map_err(Denial::of)?;
    find_digest(services, services.settings.pepper.digest(secret.expose()), by).await
}

async fn find_digest(
    services: &Services,
    digest: KeyDigest,
    by: Presenter,
) -> Result<Found, Denial> {
    // Before anything is read: what is changed from here on is looked at again.
    let seen = Seen::now(services, digest);
    let cached = services.key_cache.get(&digest, services.clock.monotonic());
    services.tally.looked(cached.is_some());
    let known = match cached {
        Some(known) => known,
        None => load(services, digest, by).await?,
    };
    let Known::Key(key) = known else { return Err(Denial::of(Outcome::UnknownKey)) };
    Ok(Found { old: key.is_old(&digest), key, seen })
}

/// Decides whether a key that was found admits a call, and counts the call. Where its limits stand
/// then.
///
/// # Errors
/// The [`Denial`] with the outcome.
pub async fn admit(
    services: &Services,
    found: &Found,
    call: Call<'_>,
) -> Result<LimitStates, Denial> {
    admit_begun(services, found, call, None).await
}

/// The same for a call that has taken its request before.
///
/// # Errors
/// The [`Denial`] with the outcome.
pub async fn admit_begun(
    services: &Services,
    found: &Found,
    call: Call<'_>,
    begun: Option<&BegunCall>,
) -> Result<LimitStates, Denial> {
    let now = services.clock.now();
    let need = Need::Exactly(call.cost);
    let (limits, _) = decide(services, found, call, need, now, begun).await?;
    services.usage.record(&found.used(call, now, Outcome::Valid));
    Ok(limits)
}

/// The decision on a call. A denial is counted here.
async fn decide(
    services: &Services,
    found: &Found,
    call: Call<'_>,
    need: Need,
    now: Timestamp,
    begun: Option<&BegunCall>,
) -> Result<(LimitStates, TakenTokens), Denial> {
    // Its body has come since the key was found.
    let current = match begun {
        Some(_) => confirm::current(services, found, call.ip).await?,
        None => None,
    };
    let found = current.as_ref().unwrap_or(found);
    let decided = admit::decide(services, found, call, need, now, begun).await;
    count(services, found, call, decided.as_ref().err(), now);
    decided
}

fn count(
    services: &Services,
    found: &Found,
    call: Call<'_>,
    denial: Option<&Denial>,
    now: Timestamp,
) {
    match denial {
        None => services.tally.checked(Outcome::Valid),
        Some(denial) => tally_and_record(services, found, call, denial, now),
    }
}

fn tally_and_record(
    services: &Services,
    found: &Found,
    call: Call<'_>,
    denial: &Denial,
    now: Timestamp,
) {
    services.tally.checked(denial.outcome);
    services.usage.denied(&found.used(call, now, denial.outcome), &denial.detail);
}

/// Asks the database for a record and caches it. If the key is changed meanwhile, asks again: what
/// was read before the change must not be used after it.
///
/// Waiting for a turn counts as waiting for the database. Whether a key that was not looked up
/// exists nobody knows: not even to an address that guesses is it called unknown.
async fn load(services: &Services, digest: KeyDigest, by: Presenter) -> Result<Known, Denial> {
    let guesser = by.guesses(services);
    let asking = async {
        let turn = services.look_ups.turn(by.asker(), guesser).await;
        let Ok(_turn) = turn else { return Ok(None) };
        loop {
            let stamp = services.key_cache.begin_load(&digest);
            let record = record::load(services, &digest).await?;
            let known = record.map_or(Known::Unknown, |record| Known::Key(Arc::new(record)));
            let now = services.clock.monotonic();
            if services.key_cache.finish_load(digest, stamp, &known, now) {
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

/// Whether a key that is not cached could be checked: asks what a check asks.
///
/// # Errors
/// The database does not answer, or not this role.
pub async fn can_look_up(services: &Services) -> Result<(), Error> {
    let nobody = services.settings.pepper.digest("");
    in_time(async { record::load(services, &nobody).await.map(|_| ()) }).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use latchkey_domain::id::{ApplicationId, KeyId, OrganizationId, ProjectId, UserId};
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
            organization: OrganizationId::new(at(0), [0; 10]),
            tier: Tier::Free,
            application: Some(ApplicationId::new(at(0), [1; 10])),
            kind: KeyKind::Api,
            name: "Web checkout".into(),
            environment: Environment::Live,
            created_by: UserId::new(at(0), [0; 10]),
            revoked_at: None,
            expires_at: Some(at(1_000)),
            rpm: None,
            rare: None,
        }
    }
}
