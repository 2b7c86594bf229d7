//! How many sessions a person has at most, and which of them end when there would be more.
//!
//! Without a bound, one account could make as many as hold up the one writer when all of them end.

use latchkey_domain::api::SessionEndReason;
use latchkey_domain::id::{SessionId, UserId};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::authenticate::standing;
use super::sessions;
use crate::error::Error;
use crate::services::Services;
use latchkey_store::entity::session;

/// How many sessions of a person stand at most; nobody uses more.
pub(super) const MOST_SESSIONS: usize = 100;
/// How many one sign-in ends at most, where more stand than may.
const MOST_REPLACED: usize = 1_000;

/// Ends sessions of a person who is about to begin one, if it would be one too many: those that
/// nobody has used for the longest time.
///
/// Sessions are locked before people are (see [`crate::scope`]), so call it before the person is
/// written.
pub(super) async fn make_room(
    services: &Services,
    transaction: &DatabaseTransaction,
    user: UserId,
) -> Result<(), Error> {
    let own = || {
        session::Entity::find()
            .select_only()
            .column(session::Column::Id)
            .filter(session::Column::UserId.eq(user))
            .filter(standing(services))
    };
    let all = own().order_by_asc(session::Column::Id).lock(LockType::NoKeyUpdate);
    all.into_tuple::<SessionId>().all(transaction).await?;
    // The session of a sign-in that this one has waited for is seen by another look only.
    let oldest = own()
        .order_by_asc(session::Column::LastSeenAt)
        .order_by_asc(session::Column::Id)
        .into_tuple();
    let mut oldest: Vec<SessionId> = oldest.all(transaction).await?;
    let too_many = (oldest.len() + 1).saturating_sub(MOST_SESSIONS);
    if too_many > 0 {
        oldest.truncate(too_many.min(MOST_REPLACED));
        let which = session::Column::Id.is_in(oldest);
        sessions::end_all(services, transaction, which, SessionEndReason::Replaced).await?;
    }
    Ok(())
}
