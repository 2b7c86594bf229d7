//! Events of an audit log: actor, action and target.

use serde::{Deserialize, Deserializer, Serialize};

use crate::word::{self, from_name, words};

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
    /// A key was created.
    KeyCreated = "key.created", "Created key";
    /// A key's name, limits, attributes or expiry were updated.
    KeyChanged = "key.changed", "Changed key";
    /// A key was disabled.
    KeyDisabled = "key.disabled", "Disabled key";
    /// A disabled key was enabled again.
    KeyEnabled = "key.enabled", "Enabled key";
    /// A key's secret was rotated.
    KeyRotated = "key.rotated", "Rotated key";
    /// The grace period of a key's previous secret was ended early.
    KeyGraceEnded = "key.grace_ended", "Ended grace period";
    /// A key was revoked.
    KeyRevoked = "key.revoked", "Revoked key";
    /// A key was archived, which hides it from lists.
    KeyArchived = "key.archived", "Archived key";
    /// A key was restored from the archive.
    KeyUnarchived = "key.unarchived", "Restored key";
    /// Keys of another system were imported.
    KeysImported = "keys.imported", "Imported keys";
    /// All keys of a project were exported.
    KeysExported = "keys.exported", "Exported keys";
    /// A project got a shape of imported keys.
    KeyShapeCreated = "key_shape.created", "Registered key shape";
    /// An application was created.
    ApplicationCreated = "application.created", "Created application";
    /// An application's name, description or environment was updated.
    ApplicationChanged = "application.changed", "Changed application";
    /// An application was deleted and its keys were revoked.
    ApplicationDeleted = "application.deleted", "Deleted application";
    /// A project was created.
    ProjectCreated = "project.created", "Created project";
    /// A project's name, key prefix, limits or defaults of new keys were updated.
    ProjectChanged = "project.changed", "Changed project";
    /// A project was deleted and its keys were revoked.
    ProjectDeleted = "project.deleted", "Deleted project";
    /// The organization was created.
    OrganizationCreated = "organization.created", "Created organization";
    /// The organization's name or limits were updated.
    OrganizationChanged = "organization.changed", "Changed organization";
    /// The organization's tier was changed.
    TierChanged = "organization.tier_changed", "Changed plan";
    /// Overrides of the tier's limits were set or removed.
    LimitsChanged = "organization.limits_changed", "Changed plan limits";
    /// The organization was deleted and its keys were revoked.
    OrganizationDeleted = "organization.deleted", "Deleted organization";
    /// A user was invited to the organization.
    MemberInvited = "member.invited", "Invited member";
    /// A user was added without an invitation. No longer written.
    MemberAdded = "member.added", "Added member";
    /// A user accepted an invitation.
    MemberJoined = "member.joined", "Joined";
    /// A user declined an invitation.
    InvitationDeclined = "member.invitation_declined", "Declined invitation";
    /// A member's role changed.
    MemberRoleChanged = "member.role_changed", "Changed role";
    /// A member was removed or left.
    MemberRemoved = "member.removed", "Removed member";
    /// An invitation was withdrawn.
    InvitationWithdrawn = "member.invitation_withdrawn", "Withdrew invitation";
    /// A member signed in. No longer written, like the next two: users have a log of their own now.
    SessionCreated = "session.created", "Signed in";
    /// A member signed out or ended another of their sessions.
    SessionEnded = "session.ended", "The session has ended";
    /// A member's refresh token was used twice, and its session was ended.
    SessionReuseDetected = "session.reuse_detected", "Refresh token reused";
}

impl AuditAction {
    /// The action with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == code)
    }
}

/// Implemented by hand: the derive does not see names that a macro generates.
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

/// Type of the actor of an audit event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum ActorKind {
    /// A user with a session.
    Person,
    /// A backend with a service key.
    ServiceKey,
    /// Latchkey itself, e.g. in a scheduled job.
    System,
}

words!(ActorKind);
from_name!(ActorKind);

/// Type of the target of an audit event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum TargetKind {
    /// The organization that owns the log.
    Organization,
    /// A project of the organization.
    Project,
    /// An application of a project.
    Application,
    /// A key of any kind.
    Key,
    /// A member or an invited user.
    Member,
    /// A session of a user.
    Session,
}

words!(TargetKind);
from_name!(TargetKind);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn action_codes_are_unique() {
        for action in AuditAction::ALL {
            assert_eq!(AuditAction::from_code(action.as_str()), Some(*action));
            let json = serde_json::to_value(action).unwrap();
            assert_eq!(json, action.as_str());
        }
        assert_eq!(AuditAction::from_code("key.stolen"), None);
    }
}
