//! Administrators of the instance.
//!
//! The operator names GitHub ids or logins. A login can change hands: its owner may rename the
//! account, and somebody else may take the name. A configured login is therefore bound to the
//! GitHub id that first signs in with it, and from then on it stands for that id, whatever its
//! login is. The binding outlives the setting: a login that is removed and added again keeps its
//! binding. To name a different account, use its id.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, Set};

use super::administrators::Administrators;
use crate::error::Error;
use crate::services::Services;
use latchkey_store::entity::administrator_login;

/// Binds a configured login to the GitHub id that signs in with it, unless the login is bound
/// already.
pub(super) async fn bind(
    services: &Services,
    database: &impl ConnectionTrait,
    github_id: i64,
    login: &str,
) -> Result<(), Error> {
    if !services.settings.administrators.names(login) {
        return Ok(());
    }
    let row = administrator_login::ActiveModel {
        login: Set(login.to_ascii_lowercase()),
        github_id: Set(github_id),
        bound_at: Set(services.clock.now()),
    };
    administrator_login::Entity::insert(row)
        .on_conflict(OnConflict::column(administrator_login::Column::Login).do_nothing().to_owned())
        .exec_without_returning(database)
        .await?;
    Ok(())
}

/// Whether the operator named this GitHub account.
pub(super) async fn is_administrator(
    services: &Services,
    database: &impl ConnectionTrait,
    github_id: i64,
) -> Result<bool, Error> {
    let Administrators { ids, logins } = &services.settings.administrators;
    if ids.contains(&github_id) {
        return Ok(true);
    }
    if logins.is_empty() {
        return Ok(false);
    }
    let bound = administrator_login::Entity::find()
        .filter(administrator_login::Column::GithubId.eq(github_id))
        .filter(administrator_login::Column::Login.is_in(logins));
    Ok(bound.count(database).await? > 0)
}
