//! Imports a file: reads it, compares it with the database, and stores all of it or nothing.

use latchkey_checker::KeyInvalidation;
use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::ProjectId;
use latchkey_domain::import::{ImportAnswer, ImportedRow, KeyShape, Preset};
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use latchkey_store::entity::project;
use sea_orm::{ConnectionTrait, EntityTrait};

use super::compare::{add_missing_applications, compare};
use super::faults::RowFaults;
use super::insert::{self, Shared};
use super::prepare::PreparedKey;
use super::read::{PreparedFile, read};
use super::request::{Import, ImportSecret};
use super::{scheme_limit, secrets, shapes};
use crate::actor::Actor;
use crate::audit::{self, Changes, Event};
use crate::creates;
use crate::error::Error;
use crate::keys::{Idempotency, check_tier_for};
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite, ProjectScope};
use crate::services::Services;

/// Times that a file is compared again because another request was faster.
const ATTEMPTS: usize = 3;

/// Imports the keys of a file into a project, or says what would become of them.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for whoever may not import; `Invalid` with
/// the first wrong rows, or if the project has no shape for them; `TierLimitReached`, also in a dry
/// run; `LimitReached` for more than 32 shapes; `Replay` and `IdempotencyMismatch`; `Conflict` if
/// other requests keep changing the same keys.
pub async fn import(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    request: Import,
    idempotency: Option<&Idempotency>,
) -> Result<ImportAnswer, Error> {
    let scope = scope::project(services, actor, project, Permission::KeysImport).await?;
    let now = services.clock.now();
    let idempotency = idempotency.filter(|_| !request.dry_run);
    creates::check_early(services.database.reader(), actor, idempotency, now).await?;
    let Import { dry_run, preset, .. } = request;
    let secret = request.digest_secret();
    let pepper = services.checker.pepper().id();
    // Reading takes a second of a processor: other requests go on meanwhile.
    let reader = services.clone();
    let batch = tokio::task::spawn_blocking(move || read(&reader, &request, now));
    let mut batch = batch.await.map_err(latchkey_store::Error::unavailable)??;
    for _ in 0..ATTEMPTS {
        check(services, &scope, &mut batch, secret.as_ref(), now).await?;
        if dry_run {
            return Ok(answer(&batch.keys, true));
        }
        let secret = secret.as_ref();
        let storing = Storing { scope: &scope, batch: &batch, secret, pepper, preset, now };
        match retried(services, || storing.store(services, actor, idempotency)).await {
            Err(Error::Store(error)) if error.is_unique_violation() => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(answer(&batch.keys, false)),
        }
    }
    Err(Error::Conflict("Other requests change the same keys. Try again."))
}

/// All that can be refused without a transaction.
async fn check(
    services: &Services,
    scope: &ProjectScope,
    batch: &mut PreparedFile,
    secret: Option<&ImportSecret>,
    now: Timestamp,
) -> Result<(), Error> {
    let reader = services.database.reader();
    compare(reader, scope, batch).await?;
    std::mem::take(&mut batch.faults).into_result()?;
    scheme_limit::check(reader, scope, &batch.keys).await?;
    let new = shapes::missing(reader, scope, &batch.shapes, KeyShape::covers).await?;
    if new.is_empty()
        && batch.keys.iter().any(|key| key.needs_shape)
        && shapes::of_project(reader, scope).await?.is_empty()
    {
        let message = "Say first what these keys look like: POST …/key-shapes.";
        return Err(Error::invalid("key-shapes", message));
    }
    let project = project::Entity::find_by_id(scope.id()).one(reader).await?;
    let project = project.ok_or(Error::NotFound)?;
    check_tier(services, reader, &project, &batch.keys, now).await?;
    secrets::sealed(services, reader, scope, &batch.keys, secret).await?;
    Ok(())
}

async fn check_tier(
    services: &Services,
    database: &impl ConnectionTrait,
    project: &project::Model,
    keys: &[PreparedKey],
    now: Timestamp,
) -> Result<(), Error> {
    let active = keys.iter().filter(|key| key.is_active(now)).count();
    if active == 0 {
        return Ok(());
    }
    let active = u64::try_from(active).unwrap_or(u64::MAX);
    check_tier_for(services, database, project, active).await
}

/// A file that is ready to be stored.
struct Storing<'a> {
    scope: &'a ProjectScope,
    batch: &'a PreparedFile,
    /// The secret of the other system's HMAC.
    secret: Option<&'a ImportSecret>,
    /// The pepper that the digests were made with.
    pepper: [u8; 16],
    preset: Option<Preset>,
    now: Timestamp,
}

impl Storing<'_> {
    async fn store(
        &self,
        services: &Services,
        actor: &Actor,
        idempotency: Option<&Idempotency>,
    ) -> Result<(), Error> {
        let PreparedFile { keys, shapes, .. } = self.batch;
        if services.checker.pepper().id() != self.pepper {
            return Err(Error::Conflict("Keys are moving to another pepper. Import them again."));
        }
        let mut scope = self.scope.clone();
        let AuthorizedWrite { transaction, by, within } = scope.begin(services, actor).await?;
        creates::check(&transaction, actor, idempotency, self.now).await?;
        check_tier(services, &transaction, &within, keys, self.now).await?;
        let mut faults = RowFaults::default();
        add_missing_applications(&transaction, &scope, keys, &mut faults).await?;
        faults.into_result()?;
        // Again, under the lock of the project: another import may have been faster.
        scheme_limit::check(&transaction, &scope, keys).await?;
        let secret = secrets::sealed(services, &transaction, &scope, keys, self.secret).await?;
        let new = shapes::missing(&transaction, &scope, shapes, KeyShape::covers).await?;
        shapes::insert(services, &transaction, &scope, actor, &new, self.now).await?;
        let shared = Shared {
            project: &within,
            created_by: actor.author(),
            now: self.now,
            secret,
            pepper: self.pepper,
        };
        insert::insert(&transaction, &shared, keys).await?;
        let count = keys.len();
        let made = format!("{count} imported key{}", if count == 1 { "" } else { "s" });
        creates::keep(&transaction, actor, idempotency, made, self.now).await?;
        let changes = Changes::default().set("keys_imported", count);
        let event = Event {
            action: AuditAction::KeysImported,
            kind: TargetKind::Project,
            id: scope.id().to_string(),
            name: &within.name,
            changes: match self.preset {
                Some(preset) => changes.set("preset", preset),
                None => changes,
            },
        };
        audit::record(services, &transaction, scope.organization(), &by, event).await?;
        // A key may be cached as unknown, if somebody tried it before.
        KeyInvalidation::Imported.commit_and_invalidate(&services.checker, transaction).await?;
        Ok(())
    }
}

fn answer(keys: &[PreparedKey], dry_run: bool) -> ImportAnswer {
    let row =
        |key: &PreparedKey| ImportedRow { row: key.row, key_id: (!dry_run).then_some(key.id) };
    ImportAnswer { dry_run, imported: keys.len(), rows: keys.iter().map(row).collect() }
}
