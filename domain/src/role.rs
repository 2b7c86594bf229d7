//! Who may do what: one table that the services ask and that the pages read.

use serde::Serialize;

use crate::word::from_words;

/// A member's role in an organization, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything but the audit log.
    Viewer,
    /// Also makes, changes, rotates and revokes keys, verifies, and writes applications.
    Member,
    /// Also projects, members (not owners), service keys and the audit log.
    Admin,
    /// Also owners and deleting the organization.
    Owner,
}

/// One thing that a role may or may not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See the organization, its projects, applications, masked keys, telemetry and usage.
    Read,
    /// See keys, masked.
    KeysRead,
    /// Make, change, rotate, revoke and archive API and inference keys.
    KeysWrite,
    /// The same for service keys.
    ServiceKeysWrite,
    /// Check keys.
    KeysVerify,
    /// See what keys were used for.
    UsageRead,
    /// Make, change and delete applications.
    ApplicationsWrite,
    /// Make, change and delete projects.
    ProjectsWrite,
    /// Invite, change and remove members who are not owners.
    MembersWrite,
    /// The same for owners, and making somebody one.
    OwnersWrite,
    /// Rename the organization.
    OrganizationWrite,
    /// Delete the organization.
    OrganizationDelete,
    /// See who did what.
    AuditRead,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 13] = [
        Self::Read,
        Self::KeysRead,
        Self::KeysWrite,
        Self::ServiceKeysWrite,
        Self::KeysVerify,
        Self::UsageRead,
        Self::ApplicationsWrite,
        Self::ProjectsWrite,
        Self::MembersWrite,
        Self::OwnersWrite,
        Self::OrganizationWrite,
        Self::OrganizationDelete,
        Self::AuditRead,
    ];
}

from_words!(Role);

impl Role {
    /// All roles, weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Owner];

    /// Whether this role allows `permission`.
    pub fn allows(self, permission: Permission) -> bool {
        let weakest = match permission {
            Permission::Read | Permission::KeysRead | Permission::UsageRead => Self::Viewer,
            Permission::KeysWrite | Permission::KeysVerify | Permission::ApplicationsWrite => {
                Self::Member
            }
            Permission::ServiceKeysWrite
            | Permission::ProjectsWrite
            | Permission::MembersWrite
            | Permission::OrganizationWrite
            | Permission::AuditRead => Self::Admin,
            Permission::OwnersWrite | Permission::OrganizationDelete => Self::Owner,
        };
        self >= weakest
    }

    /// What one has to be allowed to give this role, or to take it away.
    pub const fn to_manage(self) -> Permission {
        match self {
            Self::Owner => Permission::OwnersWrite,
            Self::Viewer | Self::Member | Self::Admin => Permission::MembersWrite,
        }
    }

    /// As it stands in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// As the pages name it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Viewer => "Viewer",
            Self::Member => "Member",
            Self::Admin => "Admin",
            Self::Owner => "Owner",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_reads_and_does_not_write() {
        assert!(Role::Viewer.allows(Permission::Read));
        assert!(!Role::Viewer.allows(Permission::KeysVerify));
        assert!(!Role::Member.allows(Permission::ServiceKeysWrite));
        assert!(Role::Admin.allows(Permission::ServiceKeysWrite));
        assert!(!Role::Viewer.allows(Permission::KeysWrite));
        assert!(Role::Member.allows(Permission::KeysWrite));
    }

    #[test]
    fn only_owners_manage_owners() {
        let managed =
            |own: Role| Role::ALL.into_iter().filter(move |it| own.allows(it.to_manage()));
        assert_eq!(Role::ALL.map(|own| managed(own).count()), [0, 0, 3, 4]);
        assert!(!Role::Admin.allows(Role::Owner.to_manage()));
    }
}
