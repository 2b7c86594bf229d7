//! Organizations, projects and applications.

use serde::{Deserialize, Serialize};

use super::{BudgetState, present, present_object};
use crate::budget::Budgets;
use crate::id::{ApplicationId, OrganizationId, ProjectId};
use crate::limit::{AllowList, Cidr, MaxParallel, ModelName, Rpm, Tokens};
use crate::name::{Description, Name};
use crate::role::{Permission, Role};
use crate::secret::KeyPrefix;
use crate::tier::{Count, Tier, TierLimits, TierOverrides};
use crate::time::Timestamp;
use crate::word::{from_name, from_words, words};

/// An organization, the tenant that owns projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Organization {
    /// ID of the organization.
    pub id: OrganizationId,
    /// Name of the organization.
    pub name: String,
    /// Tier (plan) of the organization.
    pub tier: Tier,
    /// Role of the current user; null if they are not a member but an administrator of the
    /// instance.
    pub role: Option<Role>,
    /// Maximum requests per minute over all its keys; null if not limited.
    pub rpm: Option<Rpm>,
    /// Maximum tokens per minute over all its keys; null if not limited.
    pub tpm: Option<Tokens>,
    /// Maximum concurrent gateway calls over all its keys; null if not limited.
    pub max_parallel: Option<MaxParallel>,
    /// States of its budgets, over all its keys, in the order given.
    #[cfg_attr(feature = "openapi", schema(max_items = 8))]
    pub budgets: Vec<BudgetState>,
    /// When the organization was created.
    pub created_at: Timestamp,
}

impl Organization {
    /// Whether the current user's role includes `permission`.
    pub fn allows(&self, permission: Permission) -> bool {
        self.role.is_some_and(|role| role.allows(permission))
    }
}

/// Body of `POST /v1/organizations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OrganizationRequest {
    /// Name of the organization.
    pub name: Name,
}

/// Body of `PATCH /v1/organizations/{id}`. Omitted fields are left unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OrganizationPatch {
    /// New name of the organization.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<Name>,
    /// New tier. Only administrators of the instance can set it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub tier: Option<Tier>,
    /// Overrides of the tier's limits; null removes all of them. Only administrators of the
    /// instance can set them.
    #[serde(default, deserialize_with = "present_object", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<TierOverridesPatch>))]
    pub tier_overrides: Option<Option<TierOverridesPatch>>,
    /// New maximum requests per minute over all its keys; null removes it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Rpm>))]
    pub rpm: Option<Option<Rpm>>,
    /// New maximum tokens per minute over all its keys; null removes it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    pub tpm: Option<Option<Tokens>>,
    /// New maximum concurrent gateway calls over all its keys; null removes it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<MaxParallel>))]
    pub max_parallel: Option<Option<MaxParallel>>,
    /// New budgets over all its keys, instead of all that it has; null removes them.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Budgets>))]
    pub budgets: Option<Option<Budgets>>,
}

/// Overrides of a tier's limits for one organization. Omitted fields are left unchanged; null
/// restores the tier's limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TierOverridesPatch {
    /// Maximum number of projects.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 1_000_000_000))]
    pub projects: Option<Option<Count>>,
    /// Maximum active keys per project.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 1_000_000_000))]
    pub keys_per_project: Option<Option<Count>>,
    /// Maximum live requests per project and calendar month (UTC).
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    pub requests_per_month: Option<Option<Tokens>>,
    /// Retention of live telemetry, in days.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 1_000_000_000))]
    pub telemetry_days: Option<Option<Count>>,
    /// Maximum size of live telemetry per project, in bytes.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    pub telemetry_bytes: Option<Option<Tokens>>,
}

impl TierOverridesPatch {
    /// Applies the patch to the current overrides.
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

/// Limits of an organization and their use, with the limits of the current user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanUse {
    /// Limits of the organization.
    pub limits: TierLimits,
    /// Number of existing projects.
    pub projects: u64,
    /// Number of organizations that the user owns.
    pub owned_organizations: u64,
    /// Number of invitations that the user sent in the last hour.
    pub invitations: u64,
    /// Maximum writes per minute of the user.
    pub writes_per_minute: u64,
}

/// A project. Keys belong to projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Project {
    /// ID of the project.
    pub id: ProjectId,
    /// ID of the organization that the project belongs to.
    pub organization_id: OrganizationId,
    /// Name of the project.
    pub name: String,
    /// Prefix of new keys.
    pub key_prefix: String,
    /// Tier of the organization.
    pub tier: Tier,
    /// Number of active API and inference keys.
    pub keys_used: u64,
    /// Maximum number of active API and inference keys; null if unlimited.
    pub keys_limit: Option<u32>,
    /// Maximum requests per minute over all its keys; null if not limited.
    pub rpm: Option<Rpm>,
    /// Maximum tokens per minute over all its keys; null if not limited.
    pub tpm: Option<Tokens>,
    /// Maximum concurrent gateway calls over all its keys; null if not limited.
    pub max_parallel: Option<MaxParallel>,
    /// States of its budgets, over all its keys, in the order given.
    #[cfg_attr(feature = "openapi", schema(max_items = 8))]
    pub budgets: Vec<BudgetState>,
    /// Limits of new keys whose request does not mention them.
    pub key_defaults: KeyDefaults,
    /// When the project was created.
    pub created_at: Timestamp,
}

/// Body of `POST /v1/organizations/{id}/projects`. Only `name` is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProjectRequest {
    /// Name of the project.
    pub name: Name,
    /// Prefix of the project's keys. Defaults to `lk`.
    #[serde(default)]
    pub key_prefix: KeyPrefix,
}

/// Body of `PATCH /v1/projects/{id}`. Omitted fields are left unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProjectPatch {
    /// New name of the project.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<Name>,
    /// Prefix of new keys. Existing keys keep theirs.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key_prefix: Option<KeyPrefix>,
    /// New maximum requests per minute over all its keys; null removes it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Rpm>))]
    pub rpm: Option<Option<Rpm>>,
    /// New maximum tokens per minute over all its keys; null removes it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    pub tpm: Option<Option<Tokens>>,
    /// New maximum concurrent gateway calls over all its keys; null removes it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<MaxParallel>))]
    pub max_parallel: Option<Option<MaxParallel>>,
    /// New budgets over all its keys, instead of all that it has; null removes them.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Budgets>))]
    pub budgets: Option<Option<Budgets>>,
    /// New limits of new keys, instead of all defaults; null removes them.
    #[serde(default, deserialize_with = "present_object", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<KeyDefaults>))]
    pub key_defaults: Option<Option<KeyDefaults>>,
}

/// Limits that a new key gets where its request does not mention them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyDefaults {
    /// Maximum requests per minute.
    #[serde(default)]
    pub rpm: Option<Rpm>,
    /// Maximum tokens per minute.
    #[serde(default)]
    pub tpm: Option<Tokens>,
    /// Maximum concurrent gateway calls.
    #[serde(default)]
    pub max_parallel: Option<MaxParallel>,
    /// Budgets, at most one of each unit and period.
    #[serde(default)]
    pub budgets: Budgets,
    /// Models that the key may use.
    #[serde(default)]
    pub allowed_models: Option<AllowList<ModelName>>,
    /// Networks that the key may be used from.
    #[serde(default)]
    pub allowed_cidrs: Option<AllowList<Cidr>>,
}

/// Deployment environment of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum ApplicationEnvironment {
    /// Serves the application's customers.
    #[default]
    Production,
    /// Tests releases before they go live.
    Staging,
    /// Runs work in progress.
    Development,
}

words!(ApplicationEnvironment);
from_words!(ApplicationEnvironment);
from_name!(ApplicationEnvironment);

impl ApplicationEnvironment {
    /// The name in the dashboard.
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
    /// ID of the application.
    pub id: ApplicationId,
    /// ID of the project that the application belongs to.
    pub project_id: ProjectId,
    /// Name of the application.
    pub name: String,
    /// Description of the application.
    pub description: String,
    /// Deployment environment of the application.
    pub environment: ApplicationEnvironment,
}

/// Body of `POST /v1/projects/{id}/applications`. Only `name` is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ApplicationRequest {
    /// Name of the application.
    pub name: Name,
    /// Description of the application.
    #[serde(default)]
    pub description: Description,
    /// Deployment environment. Defaults to `production`.
    #[serde(default)]
    pub environment: ApplicationEnvironment,
}

/// Body of `PATCH /v1/applications/{id}`. Omitted fields are left unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ApplicationPatch {
    /// New name of the application.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<Name>,
    /// New description of the application.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub description: Option<Description>,
    /// New deployment environment of the application.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub environment: Option<ApplicationEnvironment>,
}

/// An application with its project and organization, for its page in the dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApplicationContext {
    /// The application, as the API returns it.
    pub application: Application,
    /// The project that the application belongs to.
    pub project: Project,
    /// The organization that the project belongs to, with the current user's role.
    pub organization: Organization,
}
