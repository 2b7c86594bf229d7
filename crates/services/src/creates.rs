//! `Idempotency-Key` for creates that return no secret. A repeated request creates nothing and
//! returns the id of what the first one created.

use latchkey_domain::time::Timestamp;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, Set};

use crate::actor::Actor;
use crate::error::Error;
use crate::keys::Idempotency;
use latchkey_store::entity::idempotent_create;
use latchkey_store::is_unique_violation;

/// As [`check`], before the work of a long request begins, and without changing anything.
///
/// # Errors
/// As [`check`].
pub(crate) async fn check_early(
    database: &impl ConnectionTrait,
    actor: &Actor,
    idempotency: Option<&Idempotency>,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(idempotency) = idempotency else { return Ok(()) };
    let row = idempotent_create::Entity::find_by_id(idempotency.id(actor)).one(database).await?;
    let Some(row) = row else { return Ok(()) };
    if idempotency.repeats(&row.request, row.created_at, now)? {
        return Err(Error::Replay(row.made));
    }
    Ok(())
}

/// Refuses a repeated request.
///
/// # Errors
/// `Replay` with the id of what was created, `IdempotencyMismatch` if the body differs.
pub(crate) async fn check(
    transaction: &impl ConnectionTrait,
    actor: &Actor,
    idempotency: Option<&Idempotency>,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(idempotency) = idempotency else { return Ok(()) };
    let id = idempotency.id(actor);
    let row = idempotent_create::Entity::find_by_id(id.clone()).one(transaction).await?;
    let Some(row) = row else { return Ok(()) };
    if idempotency.repeats(&row.request, row.created_at, now)? {
        return Err(Error::Replay(row.made));
    }
    idempotent_create::Entity::delete_by_id(id).exec(transaction).await?;
    Ok(())
}

/// Stores the key, in the transaction that creates the resource.
///
/// # Errors
/// `Conflict` if a concurrent request with the same key committed first.
pub(crate) async fn keep(
    transaction: &impl ConnectionTrait,
    actor: &Actor,
    idempotency: Option<&Idempotency>,
    made: String,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(idempotency) = idempotency else { return Ok(()) };
    let row = idempotent_create::ActiveModel {
        id: Set(idempotency.id(actor)),
        request: Set(idempotency.request().to_vec()),
        made: Set(made),
        created_at: Set(now),
    };
    match row.insert(transaction).await {
        Ok(_) => Ok(()),
        Err(error) if is_unique_violation(&error) => Err(Error::Conflict(
            "Another request with this Idempotency-Key is in progress. Retry when it has finished.",
        )),
        Err(error) => Err(error.into()),
    }
}
