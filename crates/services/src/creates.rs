//! `Idempotency-Key` of creates that return no secret: one that is sent again makes nothing a
//! second time, and says what was made.

use latchkey_domain::time::Timestamp;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, Set};

use crate::actor::Actor;
use crate::error::Error;
use crate::keys::Idempotency;
use latchkey_store::entity::idempotent_create;
use latchkey_store::is_unique_violation;

/// Refuses what was done before.
///
/// # Errors
/// `Replay` with what was made, `IdempotencyMismatch` if it was something else.
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

/// Remembers what was made, in the transaction that makes it.
///
/// # Errors
/// `Conflict` if the same was sent twice at once, and the other one was quicker.
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
