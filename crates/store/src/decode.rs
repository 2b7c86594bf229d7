//! Decodes rows into the domain's types.

use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::limit::{AllowList, Cidr, Limit, MaxParallel, ModelName, Period, Rpm, Tokens};
use latchkey_domain::permission::ServicePermission;
use latchkey_domain::tier::{Tier, TierLimits, TierOverrides};
use serde::de::DeserializeOwned;

use crate::Error;
use crate::entity::{key, organization};

/// Limits of a key, decoded from its row.
pub struct RowLimits {
    /// Maximum requests per minute.
    pub rpm: Option<Rpm>,
    /// Maximum tokens per minute.
    pub tpm: Option<Tokens>,
    /// Maximum concurrent gateway calls.
    pub max_parallel: Option<MaxParallel>,
    /// Token budget.
    pub token_limit: Option<Tokens>,
    /// Period of the token budget.
    pub token_limit_period: Option<Period>,
    /// Models that the key may use; `None` allows all.
    pub allowed_models: Option<AllowList<ModelName>>,
    /// Networks that the key may be used from; `None` allows any.
    pub allowed_cidrs: Option<AllowList<Cidr>>,
    /// What a service key may do.
    pub permissions: Option<AllowList<ServicePermission>>,
}

/// Decodes the limits of a key's row.
///
/// # Errors
/// `Corrupt` if the row holds a value that the services never write.
pub fn limits(row: &key::Model) -> Result<RowLimits, Error> {
    Ok(RowLimits {
        rpm: limit(row.rpm)?,
        tpm: limit(row.tpm)?,
        max_parallel: limit(row.max_parallel)?,
        token_limit: limit(row.token_limit)?,
        token_limit_period: row
            .token_limit_period
            .as_deref()
            .map(|name| Period::from_name(name).ok_or(Error::Corrupt("period")))
            .transpose()?,
        allowed_models: list(row.allowed_models.as_deref())?,
        allowed_cidrs: list(row.allowed_cidrs.as_deref())?,
        permissions: list(row.permissions.as_deref())?,
    })
}

fn limit<const MAX: u64>(number: Option<i64>) -> Result<Option<Limit<MAX>>, Error> {
    let parse = |number: i64| u64::try_from(number).ok().and_then(|number| Limit::new(number).ok());
    number.map(|number| parse(number).ok_or(Error::Corrupt("limit"))).transpose()
}

fn list<T: DeserializeOwned + PartialEq>(
    text: Option<&str>,
) -> Result<Option<AllowList<T>>, Error> {
    text.map(|text| serde_json::from_str(text).map_err(|_| Error::Corrupt("list"))).transpose()
}

/// Decodes the kind of a key's row.
///
/// # Errors
/// `Corrupt` if it is unknown.
pub fn kind(row: &key::Model) -> Result<KeyKind, Error> {
    KeyKind::from_name(&row.kind).ok_or(Error::Corrupt("key kind"))
}

/// Decodes the environment of a key's row.
///
/// # Errors
/// `Corrupt` if it is unknown.
pub fn environment(row: &key::Model) -> Result<Environment, Error> {
    environment_of(&row.environment)
}

/// Decodes an environment's name.
///
/// # Errors
/// `Corrupt` if it is unknown.
pub fn environment_of(name: &str) -> Result<Environment, Error> {
    Environment::from_name(name).ok_or(Error::Corrupt("key environment"))
}

/// An organization's tier and its overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Tier of the organization.
    pub tier: Tier,
    /// Limits that differ from the tier's.
    pub overrides: TierOverrides,
}

impl Plan {
    /// The plan in an organization's row.
    pub fn of(row: &organization::Model) -> Self {
        Self::new(row.tier, row.tier_overrides)
    }

    /// A plan from its two columns; `None` means no overrides.
    pub fn new(tier: Tier, overrides: Option<TierOverrides>) -> Self {
        Self { tier, overrides: overrides.unwrap_or_default() }
    }

    /// The limits in effect.
    pub fn limits(&self) -> TierLimits {
        self.overrides.limits(self.tier)
    }
}
