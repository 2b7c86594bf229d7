//! The setting that names administrators of the instance, by GitHub id or login.

use std::str::FromStr;

/// The accounts that the operator named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Administrators {
    pub(super) ids: Vec<i64>,
    /// In lower case: GitHub ignores case.
    pub(super) logins: Vec<String>,
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

    pub(super) fn names(&self, login: &str) -> bool {
        self.logins.iter().any(|name| name.eq_ignore_ascii_case(login))
    }
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
