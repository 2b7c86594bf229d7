//! Export of a project's keys as lines of JSON, read and sent a few rows at a time.
//!
//! It lasts as long as its client reads, and the client may be removed or sign out meanwhile.
//! Permission is therefore checked again before each chunk, and a client that reads too slowly is
//! cut off.

use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::import::{ExportedKey, Scheme};
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::accounts;
use crate::actor::Actor;
use crate::audit::{self, Changes, Event};
use crate::client_wait::ClientWait;
use crate::error::Error;
use crate::keys::row;
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite, ProjectScope};
use crate::services::Services;
use latchkey_store::entity::{imported_key, key};

/// Rows per chunk in memory.
const ROWS: u64 = 500;

/// An export in progress.
pub struct KeysExport {
    services: Services,
    actor: Actor,
    project: ProjectId,
    after: Option<KeyId>,
    is_done: bool,
    wait: ClientWait,
}

/// Starts an export of all keys, oldest first, and records it.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for viewers, members and service keys.
pub async fn export(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
) -> Result<KeysExport, Error> {
    retried(services, || record(services, actor, project)).await?;
    Ok(KeysExport {
        services: services.clone(),
        actor: actor.clone(),
        project,
        after: None,
        is_done: false,
        wait: ClientWait::start(services),
    })
}

async fn record(services: &Services, actor: &Actor, project: ProjectId) -> Result<(), Error> {
    let mut scope = scope::project(services, actor, project, Permission::KeysExport).await?;
    let AuthorizedWrite { transaction, by, within } = scope.begin(services, actor).await?;
    let event = Event {
        action: AuditAction::KeysExported,
        kind: TargetKind::Project,
        id: scope.id().to_string(),
        name: &within.name,
        changes: Changes::default(),
    };
    audit::record(services, &transaction, scope.organization(), &by, event).await?;
    Ok(transaction.commit().await?)
}

impl KeysExport {
    /// The next lines; `None` at the end.
    ///
    /// # Errors
    /// As [`export`] if the actor has lost access; `Unauthenticated` if they have signed out;
    /// `Conflict` if the client reads too slowly; the database fails.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        self.wait.end(&self.services)?;
        let part = self.part().await;
        self.wait.start_next(&self.services);
        part
    }

    async fn part(&mut self) -> Result<Option<String>, Error> {
        if self.is_done {
            return Ok(None);
        }
        let Self { services, actor, project, after, .. } = self;
        accounts::confirm(services, actor).await?;
        let scope = scope::project(services, actor, *project, Permission::KeysExport).await?;
        let rows = rows(services, &scope, *after).await?;
        let Some((last, _)) = rows.last() else {
            self.is_done = true;
            return Ok(None);
        };
        *after = Some(last.id);
        let now = services.clock.now();
        let mut lines = String::new();
        for (key, imported) in rows {
            let exported = exported(key, imported, now);
            // Texts, numbers and lists of them always serialize.
            lines.push_str(&serde_json::to_string(&exported).unwrap_or_default());
            lines.push('\n');
        }
        Ok(Some(lines))
    }
}

/// Keys after another one, with what is kept of imported ones.
async fn rows(
    services: &Services,
    scope: &ProjectScope,
    after: Option<KeyId>,
) -> Result<Vec<(key::Model, Option<imported_key::Model>)>, Error> {
    let mut query = key::Entity::find()
        .filter(key::Column::ProjectId.eq(scope.id()))
        .order_by_asc(key::Column::Id)
        .limit(ROWS);
    if let Some(after) = after {
        query = query.filter(key::Column::Id.gt(after));
    }
    let reader = services.database.reader();
    let keys = query.all(reader).await?;
    let ids = keys.iter().map(|key| key.id);
    let imported = imported_key::Entity::find()
        .filter(imported_key::Column::ProjectId.eq(scope.id()))
        .filter(imported_key::Column::KeyId.is_in(ids))
        .all(reader)
        .await?;
    let mut imported: std::collections::HashMap<KeyId, imported_key::Model> =
        imported.into_iter().map(|row| (row.key_id, row)).collect();
    Ok(keys
        .into_iter()
        .map(|key| {
            let imported = imported.remove(&key.id);
            (key, imported)
        })
        .collect())
}

fn exported(key: key::Model, imported: Option<imported_key::Model>, now: Timestamp) -> ExportedKey {
    let budgets = key.all_budgets();
    let status = row::status(&key, now);
    let waiting = imported.filter(|imported| imported.moved_at.is_none());
    ExportedKey {
        id: key.id,
        kind: key.kind,
        application_id: key.application_id,
        environment: key.environment,
        masked: key.hint,
        status,
        disabled: key.disabled,
        rpm: key.rpm,
        tpm: key.tpm,
        max_parallel: key.max_parallel,
        budgets,
        allowed_models: key.allowed_models,
        allowed_cidrs: key.allowed_cidrs,
        permissions: key.permissions,
        external_id: key.external_id,
        metadata: key.metadata.unwrap_or_default(),
        tags: key.tags.unwrap_or_default(),
        scopes: key.scopes.unwrap_or_default(),
        created_at: key.created_at,
        created_by: key.created_by,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
        archived_at: key.archived_at,
        last_used_at: key.last_used_at,
        name: key.name,
        scheme: ExportedKey::SCHEME.to_owned(),
        stored: key.digest.to_hex(),
        imported_scheme: waiting.map(|imported| Scheme::canonical(&imported.scheme)),
    }
}
