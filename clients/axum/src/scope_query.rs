//! Which scopes a request needs, in the form that Latchkey reads.

use serde::Serialize;

/// The scopes that a request needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ScopeQuery {
    /// Every member has to be met.
    All(Vec<Self>),
    /// One member has to be met.
    Any(Vec<Self>),
    /// A scope that the key has to have.
    #[serde(untagged)]
    One(String),
}

impl From<&str> for ScopeQuery {
    fn from(scope: &str) -> Self {
        Self::One(scope.to_owned())
    }
}

impl<const N: usize> From<[&str; N]> for ScopeQuery {
    fn from(scopes: [&str; N]) -> Self {
        Self::All(scopes.map(Self::from).into())
    }
}
