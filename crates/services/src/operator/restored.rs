//! Keeps a restored backup from bringing back keys that ended after it was made.
//!
//! The database that was in use is compared with the backup, key by key. What was revoked or
//! deleted is revoked in the backup, and what was disabled is disabled. Of a rotated key the backup
//! has the secret that was replaced, so it is disabled: whoever holds the newer secret needs
//! another one in any case. A rotation is told by the visible characters of the secret; the digest
//! alone also changes with the pepper.

use std::collections::HashMap;

use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::{KeyId, OrganizationId, ProjectId};
use latchkey_domain::time::Timestamp;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};

use super::Operator;
use crate::audit::{Changes, Event};
use crate::error::Error;
use latchkey_store::database::Database;
use latchkey_store::entity::{key, project};

/// Keys that are compared at once.
const ROWS: u64 = 1_000;

/// A key that has ended again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedKey {
    /// ID of the key.
    pub id: KeyId,
    /// Name of the key.
    pub name: String,
    /// Organization of its project.
    pub organization: OrganizationId,
    /// What had happened to it after the backup.
    pub change: LaterChange,
}

/// What happened to a key after the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaterChange {
    /// It was revoked, and is revoked again.
    Revoked,
    /// Its row was deleted. It is revoked.
    Deleted,
    /// It was disabled, and is disabled again.
    Disabled,
    /// Its secret was replaced. It is disabled.
    Rotated,
    /// The secret before its rotation was ended early, and is ended again.
    GraceEnded,
}

/// Ends the keys of `restored` that had ended in `later`, the database that was used after the
/// backup. Both have the newest schema, and no server uses either. With an `operator` each key is
/// recorded in the audit log.
///
/// # Errors
/// A database fails. Keys that were ended until then stay ended.
pub async fn end_since(
    restored: &Database,
    later: &Database,
    operator: Option<&Operator>,
    now: Timestamp,
) -> Result<Vec<EndedKey>, Error> {
    let mut ended = Vec::new();
    let mut organizations = HashMap::new();
    let mut after: Option<KeyId> = None;
    loop {
        let mut query = key::Entity::find().order_by_asc(key::Column::Id).limit(ROWS);
        if let Some(after) = after {
            query = query.filter(key::Column::Id.gt(after));
        }
        let rows = query.all(restored.reader()).await?;
        let Some(last) = rows.last() else { return Ok(ended) };
        after = Some(last.id);
        let ids = rows.iter().map(|row| row.id);
        let theirs = key::Entity::find().filter(key::Column::Id.is_in(ids));
        let theirs = theirs.all(later.reader()).await?;
        let theirs: HashMap<_, _> = theirs.into_iter().map(|row| (row.id, row)).collect();
        let transaction = restored.begin().await?;
        for row in rows {
            let theirs = theirs.get(&row.id);
            let Some((change, row)) = end(row, theirs, now) else { continue };
            let row = row.into_active_model().reset_all().update(&transaction).await?;
            let organization =
                organization_of(&transaction, &mut organizations, row.project_id).await?;
            if let Some(operator) = operator {
                record(operator, &transaction, organization, &row, change).await?;
            }
            ended.push(EndedKey { id: row.id, name: row.name, organization, change });
        }
        transaction.commit().await?;
    }
}

/// The row as it has to be, if something about it had ended.
fn end(
    mut row: key::Model,
    later: Option<&key::Model>,
    now: Timestamp,
) -> Option<(LaterChange, key::Model)> {
    if row.revoked_at.is_some() {
        return None;
    }
    let Some(later) = later else {
        row.revoked_at = Some(now);
        return Some((LaterChange::Deleted, row));
    };
    if later.revoked_at.is_some() {
        row.revoked_at = later.revoked_at;
        return Some((LaterChange::Revoked, row));
    }
    if later.digest != row.digest && later.hint != row.hint {
        row.disabled = true;
        return Some((LaterChange::Rotated, row));
    }
    let grace_ended = later.old_ends_at < row.old_ends_at && later.old_hint == row.old_hint;
    if grace_ended {
        row.old_ends_at = later.old_ends_at;
    }
    if later.disabled && !row.disabled {
        row.disabled = true;
        return Some((LaterChange::Disabled, row));
    }
    grace_ended.then_some((LaterChange::GraceEnded, row))
}

/// Organization of a project, which is read once.
pub(super) async fn organization_of(
    transaction: &DatabaseTransaction,
    known: &mut HashMap<ProjectId, OrganizationId>,
    id: ProjectId,
) -> Result<OrganizationId, Error> {
    if let Some(organization) = known.get(&id) {
        return Ok(*organization);
    }
    let row = project::Entity::find_by_id(id).one(transaction).await?;
    let row = row.ok_or(Error::corrupt("project of a key"))?;
    known.insert(id, row.organization_id);
    Ok(row.organization_id)
}

async fn record(
    operator: &Operator,
    transaction: &DatabaseTransaction,
    organization: OrganizationId,
    row: &key::Model,
    change: LaterChange,
) -> Result<(), Error> {
    let (action, changes) = match change {
        LaterChange::Revoked | LaterChange::Deleted => {
            (AuditAction::KeyRevoked, Changes::default())
        }
        LaterChange::Disabled | LaterChange::Rotated => {
            (AuditAction::KeyDisabled, Changes::default().field("disabled", false, true))
        }
        LaterChange::GraceEnded => (AuditAction::KeyGraceEnded, Changes::default()),
    };
    let (kind, id) = (TargetKind::Key, row.id.to_string());
    let event = Event { action, kind, id, name: &row.name, changes };
    operator.record(transaction, organization, event).await
}
