//! Organizations, projects and applications.

use serde::{Deserialize, Serialize};

use crate::id::{ApplicationId, OrganizationId, ProjectId};
use crate::role::Role;
use crate::tier::Tier;
use crate::time::Timestamp;

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

/// The body of `PATCH /v1/organizations/{id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OrganizationPatch {
    /// What it may use from now on.
    pub tier: Tier,
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

/// Where an application runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ApplicationEnvironment {
    /// For customers.
    Production,
    /// For trying releases.
    Staging,
    /// For building.
    Development,
}

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
