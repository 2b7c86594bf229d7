//! Shapes of a project's imported keys.

use latchkey_checker::KeyInvalidation;
use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::{KeyShapeId, ProjectId};
use latchkey_domain::import::{KeyShape, KeyShapeList, ListedKeyShape};
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Set};

use crate::actor::Actor;
use crate::audit::{self, Changes, Event};
use crate::creates;
use crate::error::Error;
use crate::keys::Idempotency;
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite, ProjectScope};
use crate::services::Services;
use latchkey_store::entity::key_shape;

/// All shapes of a project, oldest first.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for a service key without `keys:read`.
pub async fn list(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
) -> Result<KeyShapeList, Error> {
    let scope = scope::project(services, actor, project, Permission::KeysRead).await?;
    let rows = of_project(services.database.reader(), &scope).await?;
    Ok(KeyShapeList {
        data: rows.into_iter().filter_map(|row| to_listed(&row)).collect(),
        next_cursor: None,
    })
}

/// Registers a shape. Text of it is then looked up as a key of the project.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for whoever may not import, `Invalid` if the
/// shape has the prefix of the project's own keys, `Conflict` if the project has it, `LimitReached`
/// at 32 shapes, `Replay` and `IdempotencyMismatch`.
pub async fn create(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    shape: KeyShape,
    idempotency: Option<&Idempotency>,
) -> Result<ListedKeyShape, Error> {
    retried(services, || create_once(services, actor, project, &shape, idempotency)).await
}

async fn create_once(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    shape: &KeyShape,
    idempotency: Option<&Idempotency>,
) -> Result<ListedKeyShape, Error> {
    let mut scope = scope::project(services, actor, project, Permission::KeysImport).await?;
    refuse_own(&scope, shape)?;
    let AuthorizedWrite { transaction, by, within } = scope.begin(services, actor).await?;
    let now = services.clock.now();
    creates::check(&transaction, actor, idempotency, now).await?;
    let shapes = std::slice::from_ref(shape);
    let new = missing(&transaction, &scope, shapes, KeyShape::eq).await?;
    if new.is_empty() {
        return Err(Error::Conflict("This project already has this shape."));
    }
    let made = insert(services, &transaction, &scope, actor, &new, now).await?;
    let listed = made.into_iter().next().and_then(|row| to_listed(&row));
    let listed = listed.ok_or_else(|| Error::corrupt("key shape"))?;
    creates::keep(&transaction, actor, idempotency, listed.id.to_string(), now).await?;
    let event = Event {
        action: AuditAction::KeyShapeCreated,
        kind: TargetKind::Project,
        id: scope.id().to_string(),
        name: &within.name,
        changes: Changes::default().set("shape", shape),
    };
    audit::record(services, &transaction, scope.organization(), &by, event).await?;
    KeyInvalidation::Imported.commit_and_invalidate(&services.checker, transaction).await?;
    Ok(listed)
}

/// A mistyped key of the project's own would be looked up as one of another system.
fn refuse_own(scope: &ProjectScope, shape: &KeyShape) -> Result<(), Error> {
    let own = ["live", "test"].map(|word| format!("{}_{word}_", scope.key_prefix()));
    if own.iter().any(|own| shape.prefix().starts_with(own.as_str())) {
        return Err(Error::invalid("prefix", "The project’s own keys have this prefix."));
    }
    Ok(())
}

/// The shapes of a project, oldest first.
pub(super) async fn of_project(
    database: &impl ConnectionTrait,
    scope: &ProjectScope,
) -> Result<Vec<key_shape::Model>, Error> {
    Ok(key_shape::Entity::find()
        .filter(key_shape::Column::ProjectId.eq(scope.id()))
        .order_by_asc(key_shape::Column::Id)
        .all(database)
        .await?)
}

/// Those of `wanted` that none of the project's shapes replaces. In a transaction, the caller has
/// locked the project.
///
/// # Errors
/// `LimitReached` if the project would have more than 32.
pub(super) async fn missing(
    database: &impl ConnectionTrait,
    scope: &ProjectScope,
    wanted: &[KeyShape],
    replaces: fn(&KeyShape, &KeyShape) -> bool,
) -> Result<Vec<KeyShape>, Error> {
    let rows = of_project(database, scope).await?;
    let there: Vec<KeyShape> = rows.iter().filter_map(key_shape::Model::shape).collect();
    let new: Vec<KeyShape> =
        wanted.iter().filter(|new| !there.iter().any(|old| replaces(old, new))).cloned().collect();
    let count = rows.len().saturating_add(new.len());
    if new.is_empty() || count <= KeyShape::MAX_PER_PROJECT {
        return Ok(new);
    }
    Err(Error::LimitReached(format!(
        "A project has at most {} shapes, and would have {count}. Register fewer and wider ones.",
        KeyShape::MAX_PER_PROJECT
    )))
}

/// Inserts shapes that the project does not have.
pub(super) async fn insert(
    services: &Services,
    transaction: &impl ConnectionTrait,
    scope: &ProjectScope,
    actor: &Actor,
    shapes: &[KeyShape],
    now: Timestamp,
) -> Result<Vec<key_shape::Model>, Error> {
    let mut rows = Vec::with_capacity(shapes.len());
    for (place, shape) in (0_u16..).zip(shapes) {
        rows.push(key_shape::Model {
            id: KeyShapeId::in_batch(now, place, services.random.bytes()),
            project_id: scope.id(),
            prefix: shape.prefix().to_owned(),
            min_length: i32::from(shape.min_length()),
            max_length: i32::from(shape.max_length()),
            alphabet: shape.alphabet(),
            created_at: now,
            created_by: actor.author(),
        });
    }
    if rows.is_empty() {
        return Ok(rows);
    }
    let new = rows.clone().into_iter().map(|row| key_shape::ActiveModel {
        id: Set(row.id),
        project_id: Set(row.project_id),
        prefix: Set(row.prefix),
        min_length: Set(row.min_length),
        max_length: Set(row.max_length),
        alphabet: Set(row.alphabet),
        created_at: Set(row.created_at),
        created_by: Set(row.created_by),
    });
    key_shape::Entity::insert_many(new).exec_without_returning(transaction).await?;
    Ok(rows)
}

fn to_listed(row: &key_shape::Model) -> Option<ListedKeyShape> {
    let shape = row.shape()?;
    let key_shape::Model { id, created_at, created_by, .. } = *row;
    Some(ListedKeyShape { id, shape, created_at, created_by })
}
