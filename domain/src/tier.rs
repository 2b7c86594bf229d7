//! What an organization may use, as one table.

use serde::{Deserialize, Serialize};

/// What an organization may use. The pages call it the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Where everybody starts.
    Free,
    /// For one team in production.
    Pro,
    /// For several teams.
    Team,
    /// Without limits.
    Enterprise,
}

impl Tier {
    /// All tiers, smallest first.
    pub const ALL: [Self; 4] = [Self::Free, Self::Pro, Self::Team, Self::Enterprise];

    /// Active keys that each project may have; `None` is unlimited.
    pub const fn keys_per_project(self) -> Option<u32> {
        match self {
            Self::Free => Some(2),
            Self::Pro => Some(10),
            Self::Team => Some(50),
            Self::Enterprise => None,
        }
    }

    /// Live requests that each project may make in a calendar month (UTC); `None` is unlimited.
    pub const fn requests_per_month(self) -> Option<u64> {
        match self {
            Self::Free => Some(100_000),
            Self::Pro => Some(5_000_000),
            Self::Team => Some(50_000_000),
            Self::Enterprise => None,
        }
    }

    /// As it stands in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Team => "team",
            Self::Enterprise => "enterprise",
        }
    }

    /// The tier of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == name)
    }

    /// As the pages name it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Free => "Free",
            Self::Pro => "Pro",
            Self::Team => "Team",
            Self::Enterprise => "Enterprise",
        }
    }
}
