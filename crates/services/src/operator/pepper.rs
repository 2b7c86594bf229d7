//! Ends what still stands under a retired pepper.

use std::collections::HashMap;

use latchkey_checker::{KeyInvalidation, PepperCounts, lock_left_keys};
use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::time::Timestamp;
use sea_orm::{ActiveModelTrait, DatabaseTransaction, IntoActiveModel};

use super::Operator;
use super::restored::organization_of;
use crate::audit::{Changes, Event};
use crate::error::Error;
use latchkey_store::entity::key;

/// Keys that are ended in one transaction.
const ROWS: u64 = 500;

/// What [`drop_retired`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropRetired {
    /// So many keys were revoked, or lost the secret before their last rotation.
    Revoked(u64),
    /// Nothing, since keys have not begun to move to the new pepper.
    NotReplaced,
}

/// How many live keys stand under the pepper in use, and how many under one before.
///
/// # Errors
/// The database fails.
pub async fn pepper_counts(operator: &Operator) -> Result<PepperCounts, Error> {
    let Operator { database, pepper, clock, .. } = operator;
    Ok(latchkey_checker::pepper_counts(database, pepper, clock.now()).await?)
}

/// Revokes the live keys that stand under a retired pepper, and ends old secrets that do. Servers
/// that run refuse them within a second.
///
/// # Errors
/// The database fails. What was revoked until then stays revoked.
pub async fn drop_retired(operator: &Operator) -> Result<DropRetired, Error> {
    let now = operator.clock.now();
    let mut organizations = HashMap::new();
    let mut ended = 0;
    loop {
        let transaction = operator.database.begin().await?;
        let left = lock_left_keys(&transaction, &operator.pepper, now, ROWS).await?;
        let Some(left) = left else { return Ok(DropRetired::NotReplaced) };
        if left.is_empty() {
            transaction.rollback().await?;
            return Ok(DropRetired::Revoked(ended));
        }
        let mut digests = Vec::with_capacity(left.len() * 2);
        for (row, is_current) in left {
            digests.extend([Some(row.digest), row.old_digest].into_iter().flatten());
            let organization =
                organization_of(&transaction, &mut organizations, row.project_id).await?;
            end(operator, &transaction, organization, (row, is_current), now).await?;
            ended += 1;
        }
        KeyInvalidation::keys(digests).commit_and_notify(transaction).await?;
    }
}

async fn end(
    operator: &Operator,
    transaction: &DatabaseTransaction,
    organization: OrganizationId,
    (mut row, is_current): (key::Model, bool),
    now: Timestamp,
) -> Result<(), Error> {
    let action = if is_current {
        row.revoked_at = Some(now);
        AuditAction::KeyRevoked
    } else {
        row.old_ends_at = Some(Timestamp::EPOCH);
        AuditAction::KeyGraceEnded
    };
    let row = row.into_active_model().reset_all().update(transaction).await?;
    let event = Event {
        action,
        kind: TargetKind::Key,
        id: row.id.to_string(),
        name: &row.name,
        changes: Changes::default(),
    };
    operator.record(transaction, organization, event).await
}
