//! Gives keys the digest that they should have, when they are used: only then is their text known.
//!
//! A key moves from the digest that another system's stored form has under our pepper, or from the
//! digest under a retired pepper, to that of its text under the pepper in use. Checks find it
//! before and after (`key_digests`), so that none is refused; a call in progress finds it again
//! (`KeyVersion`).
//!
//! *Consistency.* The row moves in one conditional statement, so once, whoever tries at the same
//! time. The transaction locks the project and the row as a change of the key does, since a change
//! invalidates the digests that it has read.

use std::sync::Arc;
use std::time::Duration;

use latchkey_domain::id::ProjectId;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};

use crate::checker::Checker;
use crate::key_invalidation::KeyInvalidation;
use crate::key_version::KeyVersion;
use crate::peppers::WritingPepper;
use crate::record::KeyRecord;
use crate::request::IdentifiedKey;
use latchkey_store::Error;
use latchkey_store::database::{OnBehalfOf, in_time};
use latchkey_store::entity::{imported_key, key, project};

/// Pause of one of these after a failure.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Where a key moves from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The digest of its text under the other pepper.
    Pepper,
    /// The digest of what another system stored of it.
    Imported,
}

/// Moves a key behind its call, if it has to. If as many keys are moving as may, its next use tries
/// again.
pub(crate) fn start(
    checker: &Checker,
    identity: &IdentifiedKey,
    writing: WritingPepper<'_>,
    origin: Origin,
) {
    let may_move = origin == Origin::Imported || writing.is_current;
    if identity.seen.is_at_target() || !may_move {
        return;
    }
    let Ok(permit) = Arc::clone(&checker.move_permits).try_acquire_owned() else { return };
    let (checker, identity) = (checker.clone(), identity.clone());
    let pepper = writing.pepper.id();
    let tracker = checker.unsettled.clone();
    tracker.spawn(async move {
        let _permit = permit;
        if let Err(error) = in_time(move_row(&checker, &identity, pepper, origin)).await {
            tracing::warn!(%error, "Failed to replace the digest of a key; its next use tries \
                                    again");
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    });
}

/// Moves a key and waits for it.
///
/// # Errors
/// The database fails.
pub(crate) async fn now(
    checker: &Checker,
    identity: &IdentifiedKey,
    origin: Origin,
) -> Result<(), Error> {
    if identity.seen.is_at_target() {
        return Ok(());
    }
    let pepper = checker.peppers.writing().pepper.id();
    in_time(move_row(checker, identity, pepper, origin)).await
}

async fn move_row(
    checker: &Checker,
    identity: &IdentifiedKey,
    pepper: [u8; 16],
    origin: Origin,
) -> Result<(), Error> {
    let (key, seen) = (&identity.key, &identity.seen);
    let who = OnBehalfOf::Organization(key.organization);
    let transaction = checker.database.begin_for(who).await?;
    lock_project(&transaction, key.project).await?;
    if !replace_digest(&transaction, key, seen, pepper).await? {
        // Somebody else has moved it, or its secret was rotated away.
        return Ok(transaction.rollback().await?);
    }
    if origin == Origin::Imported {
        imported_key::Entity::update_many()
            .col_expr(imported_key::Column::MovedAt, Expr::value(checker.clock.now()))
            .col_expr(imported_key::Column::Sealed, Expr::value(None::<Vec<u8>>))
            .filter(imported_key::Column::KeyId.eq(key.id))
            .filter(imported_key::Column::MovedAt.is_null())
            .exec(&transaction)
            .await?;
    }
    KeyInvalidation::keys([*seen.digest(), *seen.target()])
        .commit_and_invalidate(checker, transaction)
        .await
}

/// A change of the project's limits invalidates the digests that its keys have, under a lock of the
/// project.
async fn lock_project(transaction: &DatabaseTransaction, id: ProjectId) -> Result<(), Error> {
    project::Entity::find_by_id(id)
        .select_only()
        .column(project::Column::Id)
        .lock(LockType::Share)
        .into_tuple::<ProjectId>()
        .one(transaction)
        .await?;
    Ok(())
}

/// Replaces the digest of the current secret, or of the one before the last rotation. Returns false
/// if neither has it any more.
async fn replace_digest(
    transaction: &DatabaseTransaction,
    key: &KeyRecord,
    seen: &KeyVersion,
    pepper: [u8; 16],
) -> Result<bool, Error> {
    use key::Column::{Digest, OldDigest, OldPepper, Pepper};
    for (digest, under) in [(Digest, Pepper), (OldDigest, OldPepper)] {
        let replacing = key::Entity::update_many()
            .col_expr(digest, Expr::value(*seen.target()))
            .col_expr(under, Expr::value(pepper.to_vec()))
            .filter(key::Column::Id.eq(key.id))
            .filter(digest.eq(*seen.digest()));
        if replacing.exec(transaction).await?.rows_affected > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
