//! Limits a person's active sessions and ends the least recently used ones beyond the limit.
//!
//! Without a limit, one account could create so many sessions that ending them all blocks the
//! single writer.

use latchkey_domain::api::SessionEndReason;
use latchkey_domain::id::{SessionId, UserId};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::session_state::is_active;
use super::sessions;
use crate::error::Error;
use crate::services::Services;
use latchkey_store::entity::session;

/// Maximum number of sessions that one sign-in ends, if more than the limit are active.
const MAX_EVICTED: usize = 1_000;

/// Ends the least recently used sessions of a person who is about to start one, if it would exceed
/// the limit.
///
/// Sessions are locked before people (see [`crate::scope`]), so the caller runs this before it
/// writes the person's row.
pub(super) async fn evict_oldest(
    services: &Services,
    transaction: &DatabaseTransaction,
    user: UserId,
) -> Result<(), Error> {
    let own = || {
        session::Entity::find()
            .select_only()
            .column(session::Column::Id)
            .filter(session::Column::UserId.eq(user))
            .filter(is_active(services))
    };
    let all = own().order_by_asc(session::Column::Id).lock(LockType::NoKeyUpdate);
    all.into_tuple::<SessionId>().all(transaction).await?;
    // A second query, because the locking one does not return a session that a concurrent sign-in
    // committed while this one waited.
    let oldest = own()
        .order_by_asc(session::Column::LastSeenAt)
        .order_by_asc(session::Column::Id)
        .into_tuple();
    let mut oldest: Vec<SessionId> = oldest.all(transaction).await?;
    let too_many = (oldest.len() + 1).saturating_sub(sessions::MAX_SESSIONS);
    if too_many > 0 {
        oldest.truncate(too_many.min(MAX_EVICTED));
        let which = session::Column::Id.is_in(oldest);
        sessions::end_all(services, transaction, which, SessionEndReason::Replaced).await?;
    }
    Ok(())
}
