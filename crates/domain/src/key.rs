//! Kind, environment and status of a key.

use serde::Serialize;

use crate::time::Timestamp;
use crate::word::{from_name, from_words, words};

/// What a key authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum KeyKind {
    /// SDKs and clients of a customer.
    Api,
    /// Calls to the LLM gateway.
    Inference,
    /// A backend's calls to the management API.
    Service,
}

words!(KeyKind);
from_words!(KeyKind);
from_name!(KeyKind);

/// Whether a key is for production or for testing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Environment {
    /// Production. Requests count towards the quota.
    #[default]
    Live,
    /// Sandbox. Requests do not count towards the quota, and telemetry is deleted after 24 hours.
    Test,
}

words!(Environment);
from_words!(Environment);
from_name!(Environment);

impl Environment {
    /// The name in the dashboard.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Test => "Test",
        }
    }
}

/// Status of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum KeyStatus {
    /// The key can be used.
    Active,
    /// The key was disabled and can be enabled again.
    Disabled,
    /// The time `expires_at` has passed.
    Expired,
    /// The key was revoked. This is final.
    Revoked,
}

words!(KeyStatus);
from_words!(KeyStatus);

impl KeyStatus {
    /// The status at `now`. A revoked key is never reported as expired, and an expired one never as
    /// disabled; a key is expired from the instant of `expires_at`.
    pub fn at(
        now: Timestamp,
        revoked_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        disabled: bool,
    ) -> Self {
        if revoked_at.is_some() {
            Self::Revoked
        } else if expires_at.is_some_and(|end| end <= now) {
            Self::Expired
        } else if disabled {
            Self::Disabled
        } else {
            Self::Active
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_expired_from_its_exact_expiry() {
        let end = Timestamp::from_millis(1_000);
        let at = |now| KeyStatus::at(Timestamp::from_millis(now), None, Some(end), false);
        assert_eq!(at(999), KeyStatus::Active);
        assert_eq!(at(1_000), KeyStatus::Expired);
        assert_eq!(KeyStatus::at(end, Some(end), Some(end), false), KeyStatus::Revoked);
    }

    #[test]
    fn revoked_comes_before_expired_before_disabled() {
        let (before, end) = (Timestamp::from_millis(999), Timestamp::from_millis(1_000));
        assert_eq!(KeyStatus::at(before, None, None, true), KeyStatus::Disabled);
        assert_eq!(KeyStatus::at(before, None, Some(end), true), KeyStatus::Disabled);
        assert_eq!(KeyStatus::at(end, None, Some(end), true), KeyStatus::Expired);
        assert_eq!(KeyStatus::at(before, Some(end), Some(end), true), KeyStatus::Revoked);
    }
}
