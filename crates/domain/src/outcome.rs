//! The outcome of a check: one enum for all callers, usage, the dashboard and the docs.

use serde::{Deserialize, Serialize};

use crate::word::{from_name, words};

/// Outcome of checking a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// The request is admitted.
    Valid,
    /// The request has no key.
    MissingKey,
    /// The key has the wrong format or a wrong checksum.
    MalformedKey,
    /// No key has this secret.
    UnknownKey,
    /// The key was revoked.
    RevokedKey,
    /// The key has expired.
    ExpiredKey,
    /// The key is disabled.
    DisabledKey,
    /// The key is for another application, or its kind is not accepted here.
    WrongScope,
    /// The caller's IP address is not in the key's allowed networks.
    IpNotAllowed,
    /// The key may not use this model.
    ModelNotAllowed,
    /// The model has no price, and a spend limit applies.
    ModelNotPriced,
    /// The key does not have the scopes that the request needs.
    InsufficientScope,
    /// The key's requests per minute are exhausted.
    RateLimited,
    /// The key's tokens per minute are exhausted.
    TokenRateLimited,
    /// The key has its maximum of concurrent gateway calls in progress.
    TooManyParallelRequests,
    /// A budget in requests is exhausted.
    RequestBudgetExhausted,
    /// A budget in tokens is exhausted.
    TokenBudgetExhausted,
    /// A budget in dollars is exhausted.
    SpendLimitReached,
    /// The project's monthly request quota is exhausted.
    QuotaExceeded,
    /// The key cannot be checked right now. Requests are never admitted unchecked.
    Unavailable,
}

words!(Outcome);
from_name!(Outcome);

impl Outcome {
    /// HTTP status of a denied request.
    pub const fn status(self) -> u16 {
        match self {
            Self::Valid => 200,
            Self::MissingKey
            | Self::MalformedKey
            | Self::UnknownKey
            | Self::RevokedKey
            | Self::ExpiredKey
            | Self::DisabledKey => 401,
            Self::WrongScope
            | Self::IpNotAllowed
            | Self::ModelNotAllowed
            | Self::ModelNotPriced
            | Self::InsufficientScope => 403,
            Self::RateLimited
            | Self::TokenRateLimited
            | Self::TooManyParallelRequests
            | Self::RequestBudgetExhausted
            | Self::TokenBudgetExhausted
            | Self::SpendLimitReached
            | Self::QuotaExceeded => 429,
            Self::Unavailable => 503,
        }
    }

    /// One sentence for the caller: what happened and what to do.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Valid => "The key is valid.",
            Self::MissingKey => "No API key was sent.",
            Self::MalformedKey => {
                "The key is malformed: its format or its checksum is wrong. Check that you copied \
                 all of it."
            }
            Self::UnknownKey => {
                "No key has this secret. Check that the key belongs to this \
                                 server."
            }
            Self::RevokedKey => "This key was revoked. Use another key.",
            Self::ExpiredKey => "This key has expired. Use another key.",
            Self::DisabledKey => "This key is disabled. Enable it or use another key.",
            Self::WrongScope => {
                "This key is not valid for this application or this type of \
                                 request."
            }
            Self::IpNotAllowed => "This key may not be used from this IP address.",
            Self::ModelNotAllowed => "This key may not use this model.",
            Self::ModelNotPriced => {
                "This model has no price, and a spend limit applies to this key. Use a model with \
                 a price, or ask the operator of this server to set one."
            }
            Self::InsufficientScope => "This key does not have the scopes that this request needs.",
            Self::RateLimited => "This key has reached its requests per minute. Wait and retry.",
            Self::TokenRateLimited => "This key has reached its tokens per minute. Wait and retry.",
            Self::TooManyParallelRequests => {
                "This key has its maximum number of calls in progress. Retry when one has finished."
            }
            Self::RequestBudgetExhausted => {
                "A budget of requests is exhausted. Wait for the next period or raise the budget."
            }
            Self::TokenBudgetExhausted => {
                "A budget of tokens is exhausted. Wait for the next period or raise the budget."
            }
            Self::SpendLimitReached => {
                "A spend limit is reached. Wait for the next period or raise the limit."
            }
            Self::QuotaExceeded => {
                "This project’s monthly request quota is exhausted. Wait for \
                                    the next month or upgrade."
            }
            Self::Unavailable => "The key can't be checked right now. Try again shortly.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcome_has_the_same_name_everywhere() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
            assert_eq!(Outcome::from_name(outcome.as_str()), Some(outcome));
        }
    }
}
