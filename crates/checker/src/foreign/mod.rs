//! Keys that another system has made.
//!
//! Their texts have no checksum, and what is stored of them was digested by the other system. A
//! text is looked up as such a key only if it has a shape that a project has registered
//! (`shapes`):
//!
//! ```text
//! our own digest, as after the first use -> what another system stores of the text, under our
//! pepper -> the slow hashes that start like the text
//! ```
//! A key that is found in the second or third way gets our own digest (`crate::moves`), so that its
//! next check is as fast as any. The key must be of a project with the shape.

mod digest;
mod fast;
pub(crate) mod seal;
pub(crate) mod shape_reader;
mod shape_table;
pub(crate) mod shapes;
mod slow;
mod slow_hash;
pub(crate) mod slow_keys;

use latchkey_domain::outcome::Outcome;

use crate::checker::Checker;
use crate::error::Error;
use crate::lookup::{KeyLookup, PresentedBy, cached, look_up};
use crate::moves::{self, Origin};
use crate::outcome::Denial;
use crate::request::IdentifiedKey;

/// Identifies the key of another system that has this text.
///
/// `is_own_form`: but for its checksum the text looks like a key of ours.
///
/// # Errors
/// `Denied` as `malformed_key` if the text has no known shape, as `unknown_key` if no key has it,
/// and as `unavailable` if that can't be told. `TooManyFailures` for a key that is checked slowly.
pub(crate) async fn authenticate(
    checker: &Checker,
    text: &str,
    is_own_form: bool,
    by: PresentedBy,
) -> Result<IdentifiedKey, Error> {
    let denied = |outcome| Error::from(Box::new(Denial::of(outcome)));
    let changes = checker.shapes.changes();
    let table = shape_reader::current(checker).await.map_err(|error| {
        tracing::error!(%error, "Failed to read the shapes of imported keys");
        denied(Outcome::Unavailable)
    })?;
    let Some(shaped) = table.shaped(text, is_own_form) else {
        return Err(denied(Outcome::MalformedKey));
    };
    let writing = checker.peppers.writing();
    let own = writing.digests(text).within(&shaped.projects);
    if let Some(KeyLookup::Key(identity)) = cached(checker, &own) {
        checker.counters.looked_up(true);
        moves::start(checker, &identity, writing, Origin::Pepper);
        return Ok(identity);
    }
    let digests = own.clone().and(shaped.foreign_digests(writing));
    let looked_up = look_up(checker, &digests, by).await;
    if checker.shapes.changes() != changes {
        // It may be kept as unknown because this table lacks a project.
        checker.key_cache.forget_unknown();
    }
    match looked_up {
        Ok(identity) => {
            let is_own = own.as_slice().contains(identity.seen.digest());
            let origin = if is_own { Origin::Pepper } else { Origin::Imported };
            moves::start(checker, &identity, writing, origin);
            Ok(identity)
        }
        Err(denial) if denial.outcome == Outcome::UnknownKey && !shaped.lookups.is_empty() => {
            slow::find(checker, &shaped, &own, text, by).await
        }
        Err(denial) => Err(Box::new(denial).into()),
    }
}

impl Checker {
    /// Whether a text that is no key of ours looks like one that was imported.
    pub fn has_foreign_shape(&self, text: &str) -> bool {
        self.shapes.have(text, false)
    }
}
