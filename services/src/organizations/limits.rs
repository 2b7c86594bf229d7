//! What an organization may use: its tier, and what an administrator of the instance made of it. Every number
//! of a tier that is held against somebody comes from here.

use latchkey_domain::tier::{Tier, TierLimits, TierOverrides};

use crate::entity::organization;
use crate::error::Error;

/// An organization's tier and its overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) tier: Tier,
    pub(crate) overrides: TierOverrides,
}

impl Plan {
    /// As an organization's row has them.
    ///
    /// # Errors
    /// `Corrupt`.
    pub(crate) fn of(row: &organization::Model) -> Result<Self, Error> {
        Self::parse(&row.tier, row.tier_overrides.as_deref())
    }

    /// As the columns have them.
    ///
    /// # Errors
    /// `Corrupt`.
    pub(crate) fn parse(tier: &str, overrides: Option<&str>) -> Result<Self, Error> {
        let tier = Tier::from_name(tier).ok_or(Error::Corrupt("tier"))?;
        let overrides = match overrides {
            Some(json) => {
                serde_json::from_str(json).map_err(|_| Error::Corrupt("tier override"))?
            }
            None => TierOverrides::default(),
        };
        Ok(Self { tier, overrides })
    }

    /// What the organization may use.
    pub(crate) fn limits(&self) -> TierLimits {
        self.overrides.limits(self.tier)
    }
}

/// The overrides as the database has them.
pub(super) fn to_column(overrides: &TierOverrides) -> Option<String> {
    let json = || serde_json::to_string(overrides).unwrap_or_else(|_| "{}".to_owned());
    (!overrides.is_empty()).then(json)
}
