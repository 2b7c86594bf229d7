//! The conditions under which a session, and the person who has it, may act.

use sea_orm::{ColumnTrait, Condition};

use crate::services::Services;
use latchkey_store::entity::{session, user};

/// Condition of active sessions: neither ended nor expired.
pub(crate) fn is_active(services: &Services) -> Condition {
    Condition::all()
        .add(session::Column::EndedAt.is_null())
        .add(session::Column::ExpiresAt.gt(services.clock.now()))
}

/// The people who may sign in according to the operator's settings.
pub(crate) fn is_allowed(services: &Services) -> Condition {
    let everybody = Condition::all();
    if services.settings.local_code.is_some() {
        everybody
    } else {
        everybody.add(user::Column::GithubId.is_not_null())
    }
}
