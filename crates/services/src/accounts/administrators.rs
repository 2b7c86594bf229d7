//! Administrators of the instance.
//!
//! The operator names GitHub ids or logins. A login can change hands: its owner may rename the
//! account, and somebody else may take the name. A configured login is therefore bound to the
//! GitHub id that first signs in with it, and from then on it stands for that id, whatever its
//! login is. The binding outlives the setting: a login that is removed and added again is not bound
//! anew. To name a different account, use its id.

use std::str::FromStr;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, Set};

use crate::error::Error;
use crate::services::Services;
use latchkey_store::entity::administrator_login;

/// The accounts that the operator named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Administrators {
    ids: Vec<i64>,
    /// In lower case: GitHub ignores case.
    logins: Vec<String>,
}

/// A name that is neither a login nor an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a GitHub login or id: followed by the number of a GitHub account")]
pub struct InvalidAdministrator(String);

impl Administrators {
    /// Parses names of the form `login` or `id:12345`.
    ///
    /// # Errors
    /// A name has neither form.
    pub fn parse<'a>(
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidAdministrator> {
        let mut all = Self::default();
        for name in names.into_iter().map(str::trim).filter(|name| !name.is_empty()) {
            let invalid = || InvalidAdministrator(name.to_owned());
            match name.split_once(':') {
                Some(("id", number)) => {
                    let id = i64::from_str(number).ok().filter(|id| *id > 0);
                    all.ids.push(id.ok_or_else(invalid)?);
                }
                None if name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) => {
                    all.logins.push(name.to_ascii_lowercase());
                }
                _ => return Err(invalid()),
            }
        }
        Ok(all)
    }

    /// Whether the list is empty.
    pub const fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.logins.is_empty()
    }

    fn names(&self, login: &str) -> bool {
        self.logins.iter().any(|name| name.eq_ignore_ascii_case(login))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn administrators_are_logins_or_ids() {
        let all = Administrators::parse(["Root", " id:42", "", "under_score"]).unwrap();
        assert_eq!(all.ids, [42]);
        assert!(all.names("root") && all.names("ROOT") && all.names("under_score"));
        assert!(!all.names("id:42") && !all.names("other"));
        assert!(Administrators::parse([""]).unwrap().is_empty());
        for bad in ["id:", "id:x", "id:-1", "id:0", "login:root", "a b", "id:99999999999999999999"]
        {
            assert_eq!(Administrators::parse([bad]), Err(InvalidAdministrator(bad.to_owned())));
        }
    }
}
