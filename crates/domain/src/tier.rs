//! Limits of each tier, in one table.

use serde::{Deserialize, Serialize};

use crate::limit::{Limit, Tokens};
use crate::word::{from_name, from_words, words};

/// Plan of an organization. It determines the organization's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Tier {
    /// The plan of every new organization.
    Free,
    /// For one team in production.
    Pro,
    /// For several teams in production.
    Team,
    /// No limits except for telemetry retention.
    Enterprise,
}

words!(Tier);
from_words!(Tier);
from_name!(Tier);

impl Tier {
    /// The limits of this tier.
    pub const fn limits(self) -> TierLimits {
        const GIB: u64 = 1 << 30;
        match self {
            Self::Free => TierLimits {
                projects: Some(20),
                keys_per_project: Some(2),
                requests_per_month: Some(100_000),
                telemetry_days: 7,
                telemetry_bytes: Some(GIB),
            },
            Self::Pro => TierLimits {
                projects: Some(100),
                keys_per_project: Some(10),
                requests_per_month: Some(5_000_000),
                telemetry_days: 30,
                telemetry_bytes: Some(20 * GIB),
            },
            Self::Team => TierLimits {
                projects: Some(500),
                keys_per_project: Some(50),
                requests_per_month: Some(50_000_000),
                telemetry_days: 90,
                telemetry_bytes: Some(200 * GIB),
            },
            Self::Enterprise => TierLimits {
                projects: None,
                keys_per_project: None,
                requests_per_month: None,
                telemetry_days: 400,
                telemetry_bytes: None,
            },
        }
    }

    /// The name in the dashboard.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Free => "Free",
            Self::Pro => "Pro",
            Self::Team => "Team",
            Self::Enterprise => "Enterprise",
        }
    }
}

/// Maximum number of organizations that a user can own, on any tier.
pub const OWNED_ORGANIZATIONS: u32 = 20;
/// Maximum number of invitations that a user can send per hour.
pub const INVITATIONS_PER_HOUR: u32 = 60;

/// Limits of an organization; `None` means unlimited. Either the tier's, or with overrides:
/// [`TierOverrides::limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TierLimits {
    /// Maximum number of projects.
    pub projects: Option<u32>,
    /// Maximum active keys per project.
    pub keys_per_project: Option<u32>,
    /// Maximum live requests per project and calendar month (UTC).
    pub requests_per_month: Option<u64>,
    /// Retention of live telemetry, in days from its arrival.
    pub telemetry_days: u32,
    /// Maximum size of live telemetry per project, in bytes.
    pub telemetry_bytes: Option<u64>,
}

/// Number of projects, keys or days, from 1.
pub type Count = Limit<1_000_000_000>;

/// Limits of one organization that override its tier's. Absent limits are the tier's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TierOverrides {
    /// Maximum number of projects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projects: Option<Count>,
    /// Maximum active keys per project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_per_project: Option<Count>,
    /// Maximum live requests per project and calendar month (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_month: Option<Tokens>,
    /// Retention of live telemetry, in days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telemetry_days: Option<Count>,
    /// Maximum size of live telemetry per project, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telemetry_bytes: Option<Tokens>,
}

impl TierOverrides {
    /// Leaves all limits to the tier.
    pub const NONE: Self = Self {
        projects: None,
        keys_per_project: None,
        requests_per_month: None,
        telemetry_days: None,
        telemetry_bytes: None,
    };

    /// Effective limits of an organization of this tier with these overrides.
    pub fn limits(&self, tier: Tier) -> TierLimits {
        let table = tier.limits();
        TierLimits {
            projects: self.projects.map(small).or(table.projects),
            keys_per_project: self.keys_per_project.map(small).or(table.keys_per_project),
            requests_per_month: self
                .requests_per_month
                .map(Limit::get)
                .or(table.requests_per_month),
            telemetry_days: self.telemetry_days.map_or(table.telemetry_days, small),
            telemetry_bytes: self.telemetry_bytes.map(Limit::get).or(table.telemetry_bytes),
        }
    }

    /// Whether there are no overrides.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }
}

/// An organization's tier and its overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Tier of the organization.
    pub tier: Tier,
    /// Limits that override the tier's.
    pub overrides: TierOverrides,
}

impl Plan {
    /// A tier with its overrides; `None` means no overrides.
    pub fn new(tier: Tier, overrides: Option<TierOverrides>) -> Self {
        Self { tier, overrides: overrides.unwrap_or_default() }
    }

    /// The limits in effect.
    pub fn limits(&self) -> TierLimits {
        self.overrides.limits(self.tier)
    }
}

fn small(count: Count) -> u32 {
    // A count is at most 10^9, so it always fits.
    u32::try_from(count.get()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn override_replaces_only_its_own_limit() {
        let overrides = TierOverrides {
            projects: Some(Count::new(500).unwrap()),
            telemetry_days: Some(Count::new(1).unwrap()),
            ..TierOverrides::default()
        };
        let limits = overrides.limits(Tier::Free);
        assert_eq!((limits.projects, limits.telemetry_days), (Some(500), 1));
        let tier = Tier::Free.limits();
        assert_eq!(limits, TierLimits { projects: Some(500), telemetry_days: 1, ..tier });
        assert_eq!(TierOverrides::default().limits(Tier::Enterprise), Tier::Enterprise.limits());
    }

    #[test]
    fn overrides_can_limit_the_unlimited_tier() {
        let overrides =
            TierOverrides { projects: Some(Count::new(3).unwrap()), ..TierOverrides::default() };
        assert_eq!(overrides.limits(Tier::Enterprise).projects, Some(3));
    }
}
