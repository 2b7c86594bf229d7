//! Budgets and limits as the API and the dashboard represent them.

use serde::{Deserialize, Serialize};

use crate::budget::{BudgetAmount, BudgetUnit, LimitScope};
use crate::id::{BudgetEventId, KeyId};
use crate::limit::Period;
use crate::time::Timestamp;

/// Current state of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BudgetState {
    /// What the budget counts.
    pub unit: BudgetUnit,
    /// Maximum in a period.
    pub limit: BudgetAmount,
    /// Length of a period.
    pub period: Period,
    /// What was used in the current period.
    pub used: BudgetAmount,
    /// What calls in progress have reserved.
    pub reserved: BudgetAmount,
    /// What is neither used nor reserved.
    pub remaining: BudgetAmount,
    /// When the next period starts; null for `total`.
    pub resets_at: Option<Timestamp>,
}

impl BudgetState {
    /// The state in the form that the first token budget of a key had before there were others.
    pub const fn as_token_budget(&self) -> TokenBudget {
        let Self { limit, used, reserved, remaining, period, resets_at, .. } = *self;
        TokenBudget {
            limit: limit.counted(),
            used: used.counted().saturating_add(reserved.counted()),
            remaining: remaining.counted(),
            period,
            resets_at,
        }
    }
}

/// State of the budget that `token_limit` stands for. What is reserved counts as used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenBudget {
    /// Maximum tokens per period.
    pub limit: u64,
    /// Tokens used or reserved in the current period.
    pub used: u64,
    /// Tokens left in the current period.
    pub remaining: u64,
    /// Length of a period.
    pub period: Period,
    /// When the next period starts; null for `total`.
    pub resets_at: Option<Timestamp>,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum LimitUnit {
    /// Requests: `rpm`, or a budget.
    Requests,
    /// Tokens: `tpm`, or a budget.
    Tokens,
    /// US dollars: a budget.
    Usd,
    /// Gateway calls in progress: `max_parallel`.
    Calls,
}

crate::word::words!(LimitUnit);
crate::word::from_words!(LimitUnit);

impl From<BudgetUnit> for LimitUnit {
    fn from(unit: BudgetUnit) -> Self {
        match unit {
            BudgetUnit::Requests => Self::Requests,
            BudgetUnit::Tokens => Self::Tokens,
            BudgetUnit::Usd => Self::Usd,
        }
    }
}

/// The limit that refused a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefusingLimit {
    /// Whose limit it is.
    pub scope: LimitScope,
    /// What it counts.
    pub unit: LimitUnit,
    /// Its period; `minute` for `rpm` and `tpm`, null for `max_parallel`.
    pub period: Option<Period>,
    /// Maximum in a period.
    pub limit: BudgetAmount,
    /// What was used.
    pub used: BudgetAmount,
    /// What calls in progress have reserved.
    pub reserved: BudgetAmount,
    /// When the same call could be admitted; null if that is unknown, or never.
    pub resets_at: Option<Timestamp>,
}

/// A budget that has reached 80 or 100 per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BudgetEvent {
    /// ID of the event.
    pub id: BudgetEventId,
    /// When it was reached.
    pub at: Timestamp,
    /// Whose budget it is.
    pub scope: LimitScope,
    /// The key, if it is a key's budget.
    pub key_id: Option<KeyId>,
    /// What the budget counts.
    pub unit: BudgetUnit,
    /// Length of its period.
    pub period: Period,
    /// `80` or `100`.
    pub percent: u8,
    /// The limit at that time.
    pub limit: BudgetAmount,
    /// What was used at that time.
    pub used: BudgetAmount,
}
