//! The `state` parameter of an OAuth sign-in: random, bound to one browser, single-use and
//! short-lived.

use std::net::IpAddr;
use std::time::Duration;

use latchkey_domain::path::LocalPath;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::SignInAttempt;
use crate::error::Error;
use crate::services::Services;
use latchkey_checker::digest::sha256;
use latchkey_store::database::OnBehalfOf;
use latchkey_store::entity::sign_in_state;

/// How long a person may take on GitHub's page.
pub const STATE_LIFETIME: Duration = Duration::from_mins(10);

/// A sign-in that has started.
pub struct NewState {
    /// Goes to GitHub, and into a cookie of the browser that must return it.
    pub state: String,
}

/// Starts a sign-in that returns to `next`.
///
/// # Errors
/// `TooManyFailures`, or the database fails.
pub async fn begin_sign_in(
    services: &Services,
    next: &LocalPath,
    ip: Option<IpAddr>,
) -> Result<NewState, Error> {
    let attempt = SignInAttempt::begin(services, ip)?;
    let now = services.clock.now();
    let state = services.random.token();
    let row = sign_in_state::ActiveModel {
        digest: Set(sha256(&state)),
        next: Set(next.to_string()),
        expires_at: Set(now + STATE_LIFETIME),
    };
    // The person is unknown yet, so the write is queued for anonymous sign-ins.
    let _permit = services.database.write_permit(OnBehalfOf::SignIn(None)).await?;
    let written =
        sign_in_state::Entity::insert(row).exec_without_returning(services.database.writer()).await;
    if let Err(error) = written {
        attempt.release();
        return Err(error.into());
    }
    attempt.keep(services, &state);
    Ok(NewState { state })
}

/// Consumes a returned state. Deleting the row decides which of several requests gets it.
///
/// Returns the path to continue at. `None` if the state is unknown, used or expired.
///
/// # Errors
/// The database fails.
pub async fn consume_state(services: &Services, state: &str) -> Result<Option<LocalPath>, Error> {
    let digest = sha256(state);
    let known = sign_in_state::Entity::find_by_id(digest.clone());
    // An unknown state must not occupy the single writer.
    let Some(row) = known.one(services.database.reader()).await? else { return Ok(None) };
    let _permit = services.database.write_permit(OnBehalfOf::SignIn(None)).await?;
    let deleted = sign_in_state::Entity::delete_many()
        .filter(sign_in_state::Column::Digest.eq(digest))
        .exec(services.database.writer())
        .await?;
    let good = deleted.rows_affected == 1 && services.clock.now() < row.expires_at;
    Ok(good.then(|| LocalPath::or_root(Some(&row.next))))
}
