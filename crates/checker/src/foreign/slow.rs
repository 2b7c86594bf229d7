//! Looks up keys whose stored form is a slow hash, by the start or the end of their text.
//!
//! A guess costs up to a second of a processor, and so would every call of a key if it stayed like
//! this: at its first use it gets our own digest. Until then, a node computes two hashes at a time
//! and others wait for up to a second; guessers share one of the two. 30 failures a minute for one
//! key hold up that key alone.

use std::cmp::Reverse;

use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::import::SlowHash;
use latchkey_domain::outcome::Outcome;
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select};

use super::shape_reader::open;
use super::shape_table::ShapedText;
use super::slow_hash;
use super::slow_keys::CountedAttempt;
use crate::checker::Checker;
use crate::error::Error;
use crate::failures::TooManyFailures;
use crate::key_digests::KeyDigests;
use crate::lookup::{PROJECTS_PER_STATEMENT, PresentedBy, look_up, look_up_now};
use crate::moves::{self, Origin};
use crate::outcome::Denial;
use crate::request::IdentifiedKey;
use latchkey_store::database::in_time;
use latchkey_store::entity::imported_key;

/// Most keys with the same start that are tried.
const MAX_KEYS: u8 = 8;

/// A key that may have the presented text, and its hash.
struct Candidate {
    id: KeyId,
    hash: SlowHash,
}

/// The key with a slow hash of the text. It gets our own digest before this returns, if the
/// database can be written to.
///
/// # Errors
/// `Denied` as `unknown_key`, or as `unavailable` if a turn did not come in time; `TooManyFailures`
/// if the key has had too many.
pub(super) async fn find(
    checker: &Checker,
    shaped: &ShapedText<'_>,
    own: &KeyDigests,
    text: &str,
    by: PresentedBy,
) -> Result<IdentifiedKey, Error> {
    let unavailable = || Box::new(Denial::of(Outcome::Unavailable));
    let candidates = candidates(checker, shaped, by).await?;
    if candidates.is_empty() {
        return moved_meanwhile(checker, own, by, None).await;
    }
    let turn = checker.slow_keys.turn(by.guesses(checker)).await.ok_or_else(unavailable)?;
    // Another call may have been the first one meanwhile.
    match look_up(checker, own, by).await {
        Ok(identity) => return Ok(identity),
        Err(denial) if denial.outcome == Outcome::UnknownKey => {}
        Err(denial) => return Err(Box::new(denial).into()),
    }
    let Counted { candidates, attempts, full } = count(checker, candidates);
    if candidates.is_empty()
        && let Some(full) = full
    {
        return Err(full.into());
    }
    let presented = text.to_owned();
    let computing = tokio::task::spawn_blocking(move || {
        let has_text = |candidate: &&Candidate| slow_hash::is_of(&candidate.hash, &presented);
        (candidates.iter().find(has_text).map(|candidate| candidate.id), turn)
    });
    let (found, turn) = computing.await.map_err(|_| unavailable())?;
    let Some(id) = found else {
        drop(turn);
        return moved_meanwhile(checker, own, by, full).await;
    };
    attempts.into_iter().for_each(CountedAttempt::release);
    let identity = moved(checker, own, id, by).await;
    drop(turn);
    identity
}

/// The key, if it has moved since it was looked up by its own digest: then its hash was not among
/// those that were tried.
async fn moved_meanwhile(
    checker: &Checker,
    own: &KeyDigests,
    by: PresentedBy,
    full: Option<TooManyFailures>,
) -> Result<IdentifiedKey, Error> {
    match Box::pin(look_up_now(checker, own, by)).await {
        Ok(identity) => Ok(identity),
        Err(denial) => match full.filter(|_| denial.outcome == Outcome::UnknownKey) {
            Some(full) => Err(full.into()),
            None => Err(Box::new(denial).into()),
        },
    }
}

/// Keys to try, whose attempts are counted as failures until one has the text.
struct Counted {
    candidates: Vec<Candidate>,
    attempts: Vec<CountedAttempt>,
    /// Why another one is not tried.
    full: Option<TooManyFailures>,
}

fn count(checker: &Checker, all: Vec<Candidate>) -> Counted {
    let now = checker.clock.monotonic();
    let mut counted = Counted { candidates: Vec::new(), attempts: Vec::new(), full: None };
    for candidate in all {
        match checker.slow_keys.count(candidate.id, now) {
            Ok(attempt) => {
                counted.attempts.push(attempt);
                counted.candidates.push(candidate);
            }
            Err(full) => counted.full = Some(full),
        }
    }
    counted
}

/// Gives a key the digest of its text, and looks it up by that.
async fn moved(
    checker: &Checker,
    own: &KeyDigests,
    id: KeyId,
    by: PresentedBy,
) -> Result<IdentifiedKey, Error> {
    let writing = checker.peppers.writing();
    let slow = writing.each().map(|pepper| pepper.slow_key_digest(id));
    let digests = own.instead(slow);
    let identity = look_up(checker, &digests, by).await;
    let identity = match identity {
        // It has moved in this moment.
        Err(denial) if denial.outcome == Outcome::UnknownKey => {
            Box::pin(look_up_now(checker, own, by)).await
        }
        other => other,
    };
    let identity = identity.map_err(Box::new)?;
    match moves::now(checker, &identity, Origin::Imported).await {
        Ok(()) => Ok(look_up(checker, own, by).await.unwrap_or(identity)),
        Err(error) => {
            tracing::warn!(%error, "Failed to replace the slow hash of a key; its next use tries \
                                    again");
            Ok(identity)
        }
    }
}

/// Keys with a slow hash that are found by the start of the text. The longest start comes first,
/// then the oldest project: another project's shorter ones must not keep out a key.
async fn candidates(
    checker: &Checker,
    shaped: &ShapedText<'_>,
    by: PresentedBy,
) -> Result<Vec<Candidate>, Error> {
    let guesser = by.guesses(checker);
    let reading = async {
        let permit = checker.lookup_limiter.acquire(by.caller(), guesser).await;
        let Ok(_permit) = permit else { return Ok(None) };
        let mut rows: Vec<imported_key::Model> = Vec::new();
        for projects in shaped.projects.chunks(PROJECTS_PER_STATEMENT) {
            rows.extend(starting_like(shaped, projects).all(checker.database.reader()).await?);
            // The projects are in order, and stay so.
            rows.sort_by_key(|row| Reverse(row.lookup.as_ref().map(|start| start.chars().count())));
            rows.truncate(MAX_KEYS.into());
        }
        Ok(Some(rows))
    };
    let rows = in_time(reading).await.unwrap_or_else(|error| {
        tracing::error!(%error, "Failed to look up an imported key");
        None
    });
    let rows = rows.ok_or_else(|| Box::new(Denial::of(Outcome::Unavailable)))?;
    Ok(rows.into_iter().filter_map(|row| candidate(checker, row)).collect())
}

/// Those of these projects.
fn starting_like(shaped: &ShapedText<'_>, projects: &[ProjectId]) -> Select<imported_key::Entity> {
    let length = Expr::expr(Func::char_length(Expr::col(imported_key::Column::Lookup)));
    imported_key::Entity::find()
        .filter(imported_key::Column::Lookup.is_in(shaped.lookups.iter().map(|lookup| &**lookup)))
        .filter(imported_key::Column::ProjectId.is_in(projects.iter().copied()))
        .filter(imported_key::Column::MovedAt.is_null())
        .order_by(length, Order::Desc)
        .order_by_asc(imported_key::Column::ProjectId)
        .limit(u64::from(MAX_KEYS))
}

fn candidate(checker: &Checker, row: imported_key::Model) -> Option<Candidate> {
    let opened = open(checker, &row.sealed?)?;
    let stored = std::str::from_utf8(opened.expose()).ok()?;
    let hash = SlowHash::parse(&row.scheme, stored).ok()?;
    Some(Candidate { id: row.key_id, hash })
}
