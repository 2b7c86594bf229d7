//! Roles and their permissions: one table for the services and the dashboard.

use serde::Serialize;

use strum::EnumCount;

use crate::word::{all, from_name, from_words, words};

/// Role of a member in an organization, from least to most permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Can read everything except the audit log.
    Viewer,
    /// Can also create, update, rotate, revoke and verify keys, and manage applications.
    Member,
    /// Can also manage projects, members (except owners) and service keys, and read the audit log.
    Admin,
    /// Can also manage owners and delete the organization.
    Owner,
}

/// A permission that a role can include.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::EnumCount, strum::VariantArray)]
pub enum Permission {
    /// Read the organization, its projects, applications, masked keys, telemetry and usage.
    Read,
    /// List and read keys, masked.
    KeysRead,
    /// Create, update, rotate, revoke and archive API and inference keys.
    KeysWrite,
    /// Create, update, rotate, revoke and archive service keys.
    ServiceKeysWrite,
    /// Import keys of other systems, and register what they look like.
    KeysImport,
    /// Export all keys with what is stored of them.
    KeysExport,
    /// Verify keys of the organization.
    KeysVerify,
    /// Read the usage of keys.
    UsageRead,
    /// Create, update and delete applications.
    ApplicationsWrite,
    /// Create, update and delete projects.
    ProjectsWrite,
    /// Invite, update and remove members who are not owners.
    MembersWrite,
    /// Invite, update and remove owners, and make a member an owner.
    OwnersWrite,
    /// Change the organization's name.
    OrganizationWrite,
    /// Delete the organization with its contents.
    OrganizationDelete,
    /// Read the audit log.
    AuditRead,
}

impl Permission {
    /// All permissions in their display order.
    pub const ALL: [Self; Self::COUNT] = all();
}

words!(Role);
from_words!(Role);
from_name!(Role);

impl Role {
    /// Whether this role allows `permission`.
    pub fn allows(self, permission: Permission) -> bool {
        let weakest = match permission {
            Permission::Read | Permission::KeysRead | Permission::UsageRead => Self::Viewer,
            Permission::KeysWrite | Permission::KeysVerify | Permission::ApplicationsWrite => {
                Self::Member
            }
            Permission::ServiceKeysWrite
            | Permission::KeysImport
            | Permission::KeysExport
            | Permission::ProjectsWrite
            | Permission::MembersWrite
            | Permission::OrganizationWrite
            | Permission::AuditRead => Self::Admin,
            Permission::OwnersWrite | Permission::OrganizationDelete => Self::Owner,
        };
        self >= weakest
    }

    /// The permission needed to grant or remove this role.
    pub const fn to_manage(self) -> Permission {
        match self {
            Self::Owner => Permission::OwnersWrite,
            Self::Viewer | Self::Member | Self::Admin => Permission::MembersWrite,
        }
    }

    /// The name in the dashboard.
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
    fn viewer_can_read_but_not_write() {
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
