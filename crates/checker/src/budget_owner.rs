//! Whose limits a call has to fit: the key's, then the project's, then the organization's.

use latchkey_domain::budget::LimitScope;
use latchkey_domain::id::{KeyId, OrganizationId, ProjectId};
use sea_orm::prelude::Uuid;

/// Owner of limits. The IDs of keys, projects and organizations never collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BudgetOwner {
    /// One key, for its calls alone.
    Key(KeyId),
    /// A project, for all its keys.
    Project(ProjectId),
    /// An organization, for all its keys.
    Organization(OrganizationId),
}

impl BudgetOwner {
    /// The ID without its kind.
    pub fn uuid(self) -> Uuid {
        match self {
            Self::Key(id) => id.into(),
            Self::Project(id) => id.into(),
            Self::Organization(id) => id.into(),
        }
    }

    /// The kind without the ID.
    pub const fn scope(self) -> LimitScope {
        match self {
            Self::Key(_) => LimitScope::Key,
            Self::Project(_) => LimitScope::Project,
            Self::Organization(_) => LimitScope::Organization,
        }
    }
}
