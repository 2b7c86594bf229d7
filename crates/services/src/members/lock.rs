//! The lock that orders concurrent writes that count what a person has.

use latchkey_domain::id::UserId;
use sea_orm::{ConnectionTrait, EntityTrait, QuerySelect};

use crate::error::Error;
use latchkey_store::entity::user;

/// Locks a person's row, so that concurrent writes that count what the person has see each other.
pub(crate) async fn lock_person(
    transaction: &impl ConnectionTrait,
    person: UserId,
) -> Result<user::Model, Error> {
    user::Entity::find_by_id(person)
        .lock(sea_orm::sea_query::LockType::NoKeyUpdate)
        .one(transaction)
        .await?
        .ok_or(Error::Unauthenticated)
}
