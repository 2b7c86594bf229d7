//! What an audit log records: who did what to which thing.

use serde::{Deserialize, Deserializer, Serialize};

use crate::word;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $label:literal;)*) => {
        /// Type of an audit event. The code is `object.action` in the past tense, e.g.
        /// `key.created`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum AuditAction {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl<'de> Deserialize<'de> for AuditAction {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                word::read(deserializer, Self::ALL, Self::as_str)
            }
        }

        impl AuditAction {
            /// All actions, in the order of the dashboard's filter.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in JSON and in the database.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The name in the dashboard.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)*
                }
            }
        }
    };
}

actions! {
    /// A key was made.
    KeyCreated = "key.created", "Created key";
    /// A key's name, limits or expiry changed.
    KeyChanged = "key.changed", "Changed key";
    /// A key got a new secret.
    KeyRotated = "key.rotated", "Rotated key";
    /// The secret before a rotation was stopped before its time.
    KeyGraceEnded = "key.grace_ended", "Ended grace period";
    /// A key was revoked.
    KeyRevoked = "key.revoked", "Revoked key";
    /// A key was hidden from lists.
    KeyArchived = "key.archived", "Archived key";
    /// A key was shown in lists again.
    KeyUnarchived = "key.unarchived", "Restored key";
    /// An application was made.
    ApplicationCreated = "application.created", "Created application";
    /// An application's name, description or environment changed.
    ApplicationChanged = "application.changed", "Changed application";
    /// An application was deleted, and its keys revoked.
    ApplicationDeleted = "application.deleted", "Deleted application";
    /// A project was made.
    ProjectCreated = "project.created", "Created project";
    /// A project's name or key prefix changed.
    ProjectChanged = "project.changed", "Changed project";
    /// A project was deleted, and its keys revoked.
    ProjectDeleted = "project.deleted", "Deleted project";
    /// The organization was made.
    OrganizationCreated = "organization.created", "Created organization";
    /// The organization's name changed.
    OrganizationChanged = "organization.changed", "Changed organization";
    /// The organization was put on another tier.
    TierChanged = "organization.tier_changed", "Changed plan";
    /// Numbers of the organization's tier were overridden for it, or are the tier's again.
    LimitsChanged = "organization.limits_changed", "Changed plan limits";
    /// The organization was deleted, and its keys revoked.
    OrganizationDeleted = "organization.deleted", "Deleted organization";
    /// A user was invited to the organization.
    MemberInvited = "member.invited", "Invited member";
    /// Somebody was added without being asked, as long as that was possible.
    MemberAdded = "member.added", "Added member";
    /// Somebody who was invited accepted.
    MemberJoined = "member.joined", "Joined";
    /// Somebody who was invited declined.
    InvitationDeclined = "member.invitation_declined", "Declined invitation";
    /// A member's role changed.
    MemberRoleChanged = "member.role_changed", "Changed role";
    /// A member was removed, or left.
    MemberRemoved = "member.removed", "Removed member";
    /// An invitation was withdrawn.
    InvitationWithdrawn = "member.invitation_withdrawn", "Withdrew invitation";
    /// A member signed in. Written until people had a log of their own, as the next two.
    SessionCreated = "session.created", "Signed in";
    /// A member signed out, or ended a session of theirs.
    SessionEnded = "session.ended", "The session has ended";
    /// A used refresh token of a member came back, and its session was ended.
    SessionReuseDetected = "session.reuse_detected", "Refresh token reused";
}

impl AuditAction {
    /// The action of that code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == code)
    }
}

/// By hand, because the derive does not see names that a macro gives.
#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for AuditAction {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("Type of an audit event: `object.action`, e.g. `key.created`"))
            .enum_values(Some(Self::ALL.iter().map(|action| action.as_str())))
            .examples(["key.created"])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for AuditAction {}

macro_rules! kinds {
    ($(#[$docs:meta])* $type:ident { $($(#[$doc:meta])* $name:ident = $code:literal,)* }) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $type {
            $($(#[$doc])* $name,)*
        }

        impl $type {
            /// As it stands in JSON and in the database.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The kind of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                [$(Self::$name),*].into_iter().find(|kind| kind.as_str() == name)
            }
        }
    };
}

kinds! {
    /// Type of the actor of an audit event.
    ActorKind {
        /// A user with a session.
        Person = "person",
        /// A backend with a service key.
        ServiceKey = "service_key",
        /// Latchkey itself, e.g. in a scheduled job.
        System = "system",
    }
}

kinds! {
    /// Type of the target of an audit event.
    TargetKind {
        /// The organization that owns the log.
        Organization = "organization",
        /// A project of the organization.
        Project = "project",
        /// An application of a project.
        Application = "application",
        /// A key of any kind.
        Key = "key",
        /// A member or an invited user.
        Member = "member",
        /// A session of a user.
        Session = "session",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_code_of_its_own() {
        for action in AuditAction::ALL {
            assert_eq!(AuditAction::from_code(action.as_str()), Some(*action));
            let json = serde_json::to_value(action).unwrap();
            assert_eq!(json, action.as_str());
        }
        assert_eq!(AuditAction::from_code("key.stolen"), None);
    }
}
