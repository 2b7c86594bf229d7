//! Organizations, projects and applications.

use serde::{Deserialize, Serialize};

use super::{present, present_object};
use crate::id::{ApplicationId, OrganizationId, ProjectId};
use crate::limit::Tokens;
use crate::name::{Description, Name};
use crate::role::{Permission, Role};
use crate::secret::KeyPrefix;
use crate::tier::{Count, Tier, TierLimits, TierOverrides};
use crate::time::Timestamp;
use crate::word::from_words;

/// An organization, as the member who asks sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// What it may use.
    pub tier: Tier,
    /// The asking member's role; null for an administrator of the instance who is no member.
    pub role: Option<Role>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Organization {
    /// Whether the role of the member who asks allows `permission`.
    pub fn allows(&self, permission: Permission) -> bool {
        self.role.is_some_and(|role| role.allows(permission))
    }
}

/// The body of `POST /v1/organizations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OrganizationRequest {
    /// Its name.
    pub name: Name,
}

/// The body of `PATCH /v1/organizations/{id}`. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OrganizationPatch {
    /// Another name.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<Name>,
    /// What it may use from now on. For administrators of the instance.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub tier: Option<Tier>,
    /// Numbers of the tier that are others for this organization; null: none. For administrators of
    /// the instance.
    #[serde(default, deserialize_with = "present_object", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<TierOverridesPatch>))]
    pub tier_overrides: Option<Option<TierOverridesPatch>>,
}

/// Numbers of a tier that are others for one organization. What is absent stays, null goes back to
/// the tier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TierOverridesPatch {
    /// Projects.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 1_000_000_000))]
    pub projects: Option<Option<Count>>,
    /// Active keys of each project.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 1_000_000_000))]
    pub keys_per_project: Option<Option<Count>>,
    /// Live requests of each project in a calendar month (UTC).
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    pub requests_per_month: Option<Option<Tokens>>,
    /// Days that live telemetry is kept.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 1_000_000_000))]
    pub telemetry_days: Option<Option<Count>>,
    /// Bytes of live telemetry of each project.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    pub telemetry_bytes: Option<Option<Tokens>>,
}

impl TierOverridesPatch {
    /// What becomes of `before`.
    pub fn apply(self, before: TierOverrides) -> TierOverrides {
        TierOverrides {
            projects: self.projects.unwrap_or(before.projects),
            keys_per_project: self.keys_per_project.unwrap_or(before.keys_per_project),
            requests_per_month: self.requests_per_month.unwrap_or(before.requests_per_month),
            telemetry_days: self.telemetry_days.unwrap_or(before.telemetry_days),
            telemetry_bytes: self.telemetry_bytes.unwrap_or(before.telemetry_bytes),
        }
    }
}

/// What an organization may use, and how much of it is used; with the limits of the person who
/// asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanUse {
    /// What the organization may use.
    pub limits: TierLimits,
    /// Its projects.
    pub projects: u64,
    /// The organizations that the person owns.
    pub owned_organizations: u64,
    /// The invitations that the person made in the last hour.
    pub invitations: u64,
    /// The changes that the person may make in a minute.
    pub writes_per_minute: u64,
}

/// A project: what keys belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// The organization that it is in.
    pub organization_id: OrganizationId,
    /// Its name.
    pub name: String,
    /// What its new keys start with.
    pub key_prefix: String,
    /// The organization's tier.
    pub tier: Tier,
    /// Active API and inference keys.
    pub keys_used: u64,
    /// How many there may be; null is unlimited.
    pub keys_limit: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The body of `POST /v1/organizations/{id}/projects`. Everything but the name may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProjectRequest {
    /// Its name.
    pub name: Name,
    /// What its keys start with; absent: `lk`.
    #[serde(default)]
    pub key_prefix: KeyPrefix,
}

/// The body of `PATCH /v1/projects/{id}`. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProjectPatch {
    /// Another name.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<Name>,
    /// What its new keys start with; those that there are stay as they are.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key_prefix: Option<KeyPrefix>,
}

/// Where an application runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ApplicationEnvironment {
    /// For customers.
    #[default]
    Production,
    /// For trying releases.
    Staging,
    /// For building.
    Development,
}

from_words!(ApplicationEnvironment);

impl ApplicationEnvironment {
    /// All environments.
    pub const ALL: [Self; 3] = [Self::Production, Self::Staging, Self::Development];

    /// As it stands in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
        }
    }

    /// The environment of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|environment| environment.as_str() == name)
    }

    /// As the pages name it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Production => "Production",
            Self::Staging => "Staging",
            Self::Development => "Development",
        }
    }
}

/// An application of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// The project that it is in.
    pub project_id: ProjectId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Where it runs.
    pub environment: ApplicationEnvironment,
}

/// The body of `POST /v1/projects/{id}/applications`. Everything but the name may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ApplicationRequest {
    /// Its name.
    pub name: Name,
    /// What it is for.
    #[serde(default)]
    pub description: Description,
    /// Where it runs; absent: production.
    #[serde(default)]
    pub environment: ApplicationEnvironment,
}

/// The body of `PATCH /v1/applications/{id}`. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ApplicationPatch {
    /// Another name.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<Name>,
    /// What it is for.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub description: Option<Description>,
    /// Where it runs.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub environment: Option<ApplicationEnvironment>,
}

/// An application with what stands above it, for its page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApplicationContext {
    /// The application.
    pub application: Application,
    /// Its project.
    pub project: Project,
    /// Its organization, with the asking member's role.
    pub organization: Organization,
}
