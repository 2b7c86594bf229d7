//! Budgets: how much may be used in a calendar period, or for life, in requests, tokens or dollars.

use std::fmt;

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

use crate::limit::{MaxParallel, Period, Rpm, Tokens};
use crate::money::Usd;
use crate::word::{from_name, from_words, words};

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum BudgetUnit {
    /// Requests, whatever they cost.
    Requests,
    /// Prompt and completion tokens.
    Tokens,
    /// US dollars, at the prices of the upstreams file.
    Usd,
}

words!(BudgetUnit);
from_words!(BudgetUnit);
from_name!(BudgetUnit);

/// Whose limit it is. A call has to fit all of them, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum LimitScope {
    /// Of one key.
    Key,
    /// Of all keys of a project.
    Project,
    /// Of all keys of an organization.
    Organization,
}

words!(LimitScope);
from_words!(LimitScope);
from_name!(LimitScope);

/// An amount in the unit of a budget: a whole number, or dollars as a decimal string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum BudgetAmount {
    /// Requests or tokens.
    Count(u64),
    /// Dollars.
    Usd(Usd),
}

impl BudgetAmount {
    /// An amount as it is counted: requests, tokens or billionths of a dollar.
    pub const fn new(unit: BudgetUnit, counted: u64) -> Self {
        match unit {
            BudgetUnit::Requests | BudgetUnit::Tokens => Self::Count(counted),
            BudgetUnit::Usd => Self::Usd(Usd::from_billionths(counted)),
        }
    }

    /// The amount as it is counted: requests, tokens or billionths of a dollar.
    pub const fn counted(self) -> u64 {
        match self {
            Self::Count(number) => number,
            Self::Usd(amount) => amount.billionths(),
        }
    }
}

impl fmt::Display for BudgetAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(number) => number.fmt(f),
            Self::Usd(amount) => write!(f, "${amount}"),
        }
    }
}

/// A limit on what may be used in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Budget {
    /// What it counts.
    pub unit: BudgetUnit,
    /// Maximum in a period: a whole number from 1, or dollars above 0 with at most six decimal
    /// places.
    pub limit: BudgetAmount,
    /// Period after which it starts again.
    pub period: Period,
}

/// Why a budget was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBudget {
    /// The limit of a budget in requests or tokens is out of range.
    #[error("Use a whole number from 1 to {0} for a budget in requests or tokens.", Tokens::MAX)]
    Count,
    /// The limit of a budget in dollars is out of range.
    #[error(
        "Use dollars above 0 and at most {0}, with at most six decimal places, for a budget in usd.",
        Budget::MAX_DOLLARS
    )]
    Dollars,
}

impl Budget {
    /// Largest limit of a budget in dollars.
    pub const MAX_DOLLARS: u32 = 1_000_000_000;
    /// Decimal places that a limit in dollars can have.
    pub const PLACES: usize = 6;

    /// Creates a budget in tokens.
    pub const fn tokens(limit: Tokens, period: Period) -> Self {
        Self { unit: BudgetUnit::Tokens, limit: BudgetAmount::Count(limit.get()), period }
    }

    /// Creates a budget in dollars.
    pub const fn usd(limit: UsdLimit, period: Period) -> Self {
        Self { unit: BudgetUnit::Usd, limit: BudgetAmount::Usd(limit.0), period }
    }

    /// Creates a budget in requests.
    pub const fn requests(limit: Tokens, period: Period) -> Self {
        Self { unit: BudgetUnit::Requests, limit: BudgetAmount::Count(limit.get()), period }
    }

    /// What no two budgets of a list have in common.
    pub const fn kind(&self) -> (BudgetUnit, Period) {
        (self.unit, self.period)
    }
}

/// Limit of a budget in dollars: above 0, at most six decimal places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct UsdLimit(Usd);

impl UsdLimit {
    /// Creates a limit.
    ///
    /// # Errors
    /// The amount is 0, too large, or has more than six decimal places.
    pub fn new(amount: Usd) -> Result<Self, InvalidBudget> {
        const MILLIONTH: u64 = 1_000;
        let is_in_range = amount > Usd::ZERO && amount <= Usd::dollars(Budget::MAX_DOLLARS);
        if is_in_range && amount.billionths().is_multiple_of(MILLIONTH) {
            Ok(Self(amount))
        } else {
            Err(InvalidBudget::Dollars)
        }
    }

    /// The limit as an amount.
    pub const fn get(self) -> Usd {
        self.0
    }
}

impl fmt::Display for UsdLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Parses dollars as a person types them, optionally with a dollar sign and grouped by `,`.
impl std::str::FromStr for UsdLimit {
    type Err = InvalidBudget;

    fn from_str(text: &str) -> Result<Self, InvalidBudget> {
        let text: String =
            text.trim().trim_start_matches('$').chars().filter(|c| *c != ',').collect();
        let amount = Usd::parse(&text, Budget::PLACES).map_err(|_| InvalidBudget::Dollars)?;
        Self::new(amount)
    }
}

impl<'de> Deserialize<'de> for UsdLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Usd::read(deserializer, Budget::PLACES)?).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Budget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            unit: BudgetUnit,
            limit: Amount,
            period: Period,
        }

        let Fields { unit, limit, period } = Fields::deserialize(deserializer)?;
        let limit = limit.of(unit).map_err(de::Error::custom)?;
        Ok(Self { unit, limit, period })
    }
}

/// Digits of a limit. The unit says how to read them, and may come later in the object.
enum Amount {
    Number(String),
    Text(String),
}

impl Amount {
    fn of(&self, unit: BudgetUnit) -> Result<BudgetAmount, InvalidBudget> {
        let (Self::Number(digits) | Self::Text(digits)) = self;
        if unit == BudgetUnit::Usd {
            let amount = Usd::parse(digits, Budget::PLACES).map_err(|_| InvalidBudget::Dollars)?;
            return UsdLimit::new(amount).map(|limit| BudgetAmount::Usd(limit.0));
        }
        let Self::Number(digits) = self else { return Err(InvalidBudget::Count) };
        let limit = digits.parse().ok().and_then(|number| Tokens::new(number).ok());
        limit.map(|limit| BudgetAmount::Count(limit.get())).ok_or(InvalidBudget::Count)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl de::Visitor<'_> for Digits {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or dollars as a decimal string")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Amount, E> {
                Ok(Amount::Number(number.to_string()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Amount, E> {
                Ok(Amount::Number(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Amount, E> {
                // The shortest text that reads back as this number is what the client wrote.
                Ok(Amount::Number(number.to_string()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Amount, E> {
                Ok(Amount::Text(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Digits)
    }
}

/// Up to eight budgets, at most one of each unit and period, in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(max_items = 8))]
#[serde(transparent)]
pub struct Budgets(Vec<Budget>);

/// Why a list of budgets was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBudgets {
    /// There are more than [`Budgets::MAX`].
    #[error("Set at most {} budgets.", Budgets::MAX)]
    TooMany,
    /// The same unit and period have two limits.
    #[error("Set one limit for each unit and period: {} a {} has two.", .0.as_str(), .1.as_str())]
    Conflict(BudgetUnit, Period),
}

impl Budgets {
    /// Maximum number of budgets.
    pub const MAX: usize = 8;
    /// No budgets.
    pub const NONE: Self = Self(Vec::new());

    /// Creates a list. The same budget given twice is kept once, but counts twice towards
    /// [`Self::MAX`], as a schema's `maxItems` counts.
    ///
    /// # Errors
    /// There are too many, or two limits for the same unit and period.
    pub fn new(all: impl IntoIterator<Item = Budget>) -> Result<Self, InvalidBudgets> {
        let mut budgets: Vec<Budget> = Vec::new();
        for (index, budget) in all.into_iter().enumerate() {
            if index == Self::MAX {
                return Err(InvalidBudgets::TooMany);
            }
            match budgets.iter().find(|known| known.kind() == budget.kind()) {
                None => budgets.push(budget),
                Some(known) if *known == budget => {}
                Some(_) => return Err(InvalidBudgets::Conflict(budget.unit, budget.period)),
            }
        }
        Ok(Self(budgets))
    }

    /// Budgets of different units and periods, although they are more than a request may have:
    /// none of them may be lost.
    pub fn of_any_number(all: impl IntoIterator<Item = Budget>) -> Self {
        Self(all.into_iter().collect())
    }

    /// The budgets in the order given.
    pub fn as_slice(&self) -> &[Budget] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first budget in a unit: what the flat fields `token_limit` and `spend_limit` stand for.
    pub fn first(&self, unit: BudgetUnit) -> Option<Budget> {
        self.0.iter().find(|budget| budget.unit == unit).copied()
    }

    /// Limit and period of the first budget in tokens.
    pub fn token_limit(&self) -> Option<(Tokens, Period)> {
        let budget = self.first(BudgetUnit::Tokens)?;
        Tokens::new(budget.limit.counted()).ok().map(|limit| (limit, budget.period))
    }

    /// Limit and period of the first budget in dollars.
    pub fn spend_limit(&self) -> Option<(UsdLimit, Period)> {
        let budget = self.first(BudgetUnit::Usd)?;
        let limit = UsdLimit::new(Usd::from_billionths(budget.limit.counted()));
        limit.ok().map(|limit| (limit, budget.period))
    }

    /// Adds a budget from a flat field: in front, unless the list has it.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_first(self, budget: Budget) -> Result<Self, InvalidBudgets> {
        if self.0.contains(&budget) {
            return Ok(self);
        }
        Self::new(std::iter::once(budget).chain(self.0))
    }

    /// Replaces the first budget in a unit, in its place; `None` removes it.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn replace_first(
        self,
        unit: BudgetUnit,
        budget: Option<Budget>,
    ) -> Result<Self, InvalidBudgets> {
        let mut budgets = self.0;
        match (budgets.iter().position(|known| known.unit == unit), budget) {
            (Some(index), Some(budget)) => budgets[index] = budget,
            (Some(index), None) => drop(budgets.remove(index)),
            (None, Some(budget)) => budgets.push(budget),
            (None, None) => {}
        }
        Self::new(budgets)
    }
}

impl<'de> Deserialize<'de> for Budgets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::<Budget>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Limits of a project or an organization, over all its keys. `None` and an empty list: no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LevelLimits {
    /// Maximum requests per minute.
    pub rpm: Option<Rpm>,
    /// Maximum tokens per minute.
    pub tpm: Option<Tokens>,
    /// Maximum concurrent gateway calls.
    pub max_parallel: Option<MaxParallel>,
    /// Budgets, at most one of each unit and period.
    pub budgets: Budgets,
}

impl LevelLimits {
    /// No limits.
    pub const NONE: Self =
        Self { rpm: None, tpm: None, max_parallel: None, budgets: Budgets::NONE };
}

#[cfg(test)]
mod tests;
