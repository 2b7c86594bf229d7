//! What a check of a key can come to: one enum for every caller, for usage, pages and docs.

use serde::{Deserialize, Serialize};

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The call may go on.
    Valid,
    /// No key was sent.
    MissingKey,
    /// What was sent is no key: its form or its checksum is wrong.
    MalformedKey,
    /// No key has this secret.
    UnknownKey,
    /// The key was revoked.
    RevokedKey,
    /// The key's `expires_at` has passed.
    ExpiredKey,
    /// The key is for another application, or of a kind that this call does not take.
    WrongScope,
    /// The call comes from outside the key's networks.
    IpNotAllowed,
    /// The key may not use this model.
    ModelNotAllowed,
    /// The key's requests per minute are used up.
    RateLimited,
    /// The key's tokens per minute are used up.
    TokenRateLimited,
    /// The key has as many gateway calls in progress as it may.
    TooManyParallelRequests,
    /// The key's token budget of the period is used up.
    TokenBudgetExhausted,
    /// The month's live requests of the project are used up.
    QuotaExceeded,
    /// The key can't be checked now; nothing is admitted on a guess.
    Unavailable,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 15] = [
        Self::Valid,
        Self::MissingKey,
        Self::MalformedKey,
        Self::UnknownKey,
        Self::RevokedKey,
        Self::ExpiredKey,
        Self::WrongScope,
        Self::IpNotAllowed,
        Self::ModelNotAllowed,
        Self::RateLimited,
        Self::TokenRateLimited,
        Self::TooManyParallelRequests,
        Self::TokenBudgetExhausted,
        Self::QuotaExceeded,
        Self::Unavailable,
    ];

    /// As it stands in JSON, in usage and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::MissingKey => "missing_key",
            Self::MalformedKey => "malformed_key",
            Self::UnknownKey => "unknown_key",
            Self::RevokedKey => "revoked_key",
            Self::ExpiredKey => "expired_key",
            Self::WrongScope => "wrong_scope",
            Self::IpNotAllowed => "ip_not_allowed",
            Self::ModelNotAllowed => "model_not_allowed",
            Self::RateLimited => "rate_limited",
            Self::TokenRateLimited => "token_rate_limited",
            Self::TooManyParallelRequests => "too_many_parallel_requests",
            Self::TokenBudgetExhausted => "token_budget_exhausted",
            Self::QuotaExceeded => "quota_exceeded",
            Self::Unavailable => "unavailable",
        }
    }

    /// The HTTP status that a refused caller sees.
    pub const fn status(self) -> u16 {
        match self {
            Self::Valid => 200,
            Self::MissingKey
            | Self::MalformedKey
            | Self::UnknownKey
            | Self::RevokedKey
            | Self::ExpiredKey => 401,
            Self::WrongScope | Self::IpNotAllowed | Self::ModelNotAllowed => 403,
            Self::RateLimited
            | Self::TokenRateLimited
            | Self::TooManyParallelRequests
            | Self::TokenBudgetExhausted
            | Self::QuotaExceeded => 429,
            Self::Unavailable => 503,
        }
    }

    /// The outcome of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }

    /// One sentence for the caller: what happened and what to do.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Valid => "The key is valid.",
            Self::MissingKey => "No API key was sent.",
            Self::MalformedKey => {
                "This is not a key: its form or its checksum is wrong. Check that it was copied whole."
            }
            Self::UnknownKey => "No key has this secret. Check that it is of this server.",
            Self::RevokedKey => "This key was revoked. Use another key.",
            Self::ExpiredKey => "This key has expired. Use another key.",
            Self::WrongScope => "This key is not for this application or this kind of call.",
            Self::IpNotAllowed => "This key may not be used from this address.",
            Self::ModelNotAllowed => "This key may not use this model.",
            Self::RateLimited => "This key’s requests per minute are used up. Wait and retry.",
            Self::TokenRateLimited => "This key’s tokens per minute are used up. Wait and retry.",
            Self::TooManyParallelRequests => {
                "This key has as many calls in progress as it may. Try again when one has ended."
            }
            Self::TokenBudgetExhausted => "This key’s token budget is used up.",
            Self::QuotaExceeded => "This project’s requests of the month are used up.",
            Self::Unavailable => "The key can't be checked right now. Try again shortly.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_one_name_everywhere() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
            assert_eq!(Outcome::from_name(outcome.as_str()), Some(outcome));
        }
    }
}
