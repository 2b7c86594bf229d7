//! Budgets of a key as requests name them: as a list, and in the flat fields of one.

use latchkey_domain::api::{KeyPatch, KeyRequest};
use latchkey_domain::budget::{Budget, BudgetUnit, Budgets, InvalidBudgets, UsdLimit};
use latchkey_domain::limit::{Period, Tokens};
use latchkey_domain::problem::FieldError;

/// Names and message of the fields of a flat form.
struct FlatFields {
    limit: &'static str,
    period: &'static str,
    half: &'static str,
}

const TOKENS: FlatFields = FlatFields {
    limit: "token_limit",
    period: "token_limit_period",
    half: "Set both token_limit and token_limit_period, or neither.",
};
const SPEND: FlatFields = FlatFields {
    limit: "spend_limit",
    period: "spend_limit_period",
    half: "Set both spend_limit and spend_limit_period, or neither.",
};

impl FlatFields {
    /// A budget needs both a limit and a period. Names the missing one, if only one is set.
    fn pair<L>(
        &self,
        limit: Option<L>,
        period: Option<Period>,
    ) -> Result<Option<(L, Period)>, FieldError> {
        let missing = match (limit, period) {
            (Some(limit), Some(period)) => return Ok(Some((limit, period))),
            (None, None) => return Ok(None),
            (Some(_), None) => self.period,
            (None, Some(_)) => self.limit,
        };
        Err(FieldError { field: missing.to_owned(), message: self.half.to_owned() })
    }
}

/// The budgets of a new key: those in the list, behind those of the flat fields. `None` if the
/// request mentions no budget, so that the project's defaults apply.
///
/// # Errors
/// Half of a flat form, two limits for the same unit and period, or too many budgets.
pub(super) fn requested(request: &KeyRequest) -> Result<Option<Budgets>, Vec<FieldError>> {
    let tokens = TOKENS.pair(request.token_limit, request.token_limit_period);
    let spend = SPEND.pair(request.spend_limit, request.spend_limit_period);
    let (tokens, spend) = both(tokens, spend)?;
    if request.budgets.is_none() && tokens.is_none() && spend.is_none() {
        return Ok(None);
    }
    let listed = request.budgets.clone().flatten().unwrap_or_default();
    with_flat(listed, tokens, spend).map(Some).map_err(|invalid| vec![conflict(invalid)])
}

/// The budgets of a key after a patch.
///
/// # Errors
/// As [`requested`].
pub(super) fn patched(before: Budgets, patch: &KeyPatch) -> Result<Budgets, Vec<FieldError>> {
    if let Some(listed) = &patch.budgets {
        // The list has replaced all, so there is nothing that a null could remove.
        let tokens = TOKENS.pair(patch.token_limit.flatten(), patch.token_limit_period.flatten());
        let spend = SPEND.pair(patch.spend_limit.flatten(), patch.spend_limit_period.flatten());
        let (tokens, spend) = both(tokens, spend)?;
        let listed = listed.clone().unwrap_or_default();
        return with_flat(listed, tokens, spend).map_err(|invalid| vec![conflict(invalid)]);
    }
    let tokens =
        replacement(&TOKENS, before.token_limit(), patch.token_limit, patch.token_limit_period);
    let spend =
        replacement(&SPEND, before.spend_limit(), patch.spend_limit, patch.spend_limit_period);
    let (tokens, spend) = both(tokens, spend)?;
    replaced(before, tokens, spend).map_err(|invalid| vec![conflict(invalid)])
}

/// A flat form after a patch: `None` if the patch does not mention it, `Some(None)` if the budget
/// is removed.
#[expect(clippy::option_option, reason = "absent and removed are not the same")]
fn replacement<L>(
    fields: &FlatFields,
    before: Option<(L, Period)>,
    limit: Option<Option<L>>,
    period: Option<Option<Period>>,
) -> Result<Option<Option<(L, Period)>>, FieldError> {
    if limit.is_none() && period.is_none() {
        return Ok(None);
    }
    let (limit_before, period_before) = before.unzip();
    let pair = fields.pair(limit.unwrap_or(limit_before), period.unwrap_or(period_before));
    pair.map(Some)
}

/// Puts the budgets of the flat fields in front, tokens before dollars.
fn with_flat(
    listed: Budgets,
    tokens: Option<(Tokens, Period)>,
    spend: Option<(UsdLimit, Period)>,
) -> Result<Budgets, InvalidBudgets> {
    let mut budgets = listed;
    if let Some((limit, period)) = spend {
        budgets = budgets.with_first(Budget::usd(limit, period))?;
    }
    if let Some((limit, period)) = tokens {
        budgets = budgets.with_first(Budget::tokens(limit, period))?;
    }
    Ok(budgets)
}

#[expect(clippy::option_option, reason = "as above")]
fn replaced(
    before: Budgets,
    tokens: Option<Option<(Tokens, Period)>>,
    spend: Option<Option<(UsdLimit, Period)>>,
) -> Result<Budgets, InvalidBudgets> {
    let mut budgets = before;
    if let Some(pair) = tokens {
        let budget = pair.map(|(limit, period)| Budget::tokens(limit, period));
        budgets = budgets.replace_first(BudgetUnit::Tokens, budget)?;
    }
    if let Some(pair) = spend {
        let budget = pair.map(|(limit, period)| Budget::usd(limit, period));
        budgets = budgets.replace_first(BudgetUnit::Usd, budget)?;
    }
    Ok(budgets)
}

/// Both values, or all errors.
fn both<A, B>(
    one: Result<A, FieldError>,
    other: Result<B, FieldError>,
) -> Result<(A, B), Vec<FieldError>> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (one, other) => Err([one.err(), other.err()].into_iter().flatten().collect()),
    }
}

fn conflict(invalid: InvalidBudgets) -> FieldError {
    FieldError { field: "budgets".to_owned(), message: invalid.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn named(result: Result<Budgets, Vec<FieldError>>) -> Result<Value, Vec<String>> {
        let fields =
            |errors: Vec<FieldError>| errors.into_iter().map(|error| error.field).collect();
        result.map(|budgets| serde_json::to_value(budgets).unwrap()).map_err(fields)
    }

    fn budget(unit: &str, limit: impl Into<Value>, period: &str) -> Value {
        json!({ "unit": unit, "limit": limit.into(), "period": period })
    }

    #[test]
    fn flat_fields_stand_before_the_list_of_a_new_key() {
        let of = |mut body: Value| {
            body["name"] = json!("a");
            let request: KeyRequest = serde_json::from_value(body).unwrap();
            named(requested(&request).map(Option::unwrap_or_default))
        };
        let (tokens, dollars) = (budget("tokens", 5, "day"), budget("usd", "2.5", "month"));
        let listed = budget("requests", 7, "total");
        assert_eq!(of(json!({})), Ok(json!([])));
        let body = json!({
            "token_limit": 5, "token_limit_period": "day", "spend_limit": 2.5,
            "spend_limit_period": "month", "budgets": [listed],
        });
        assert_eq!(of(body), Ok(json!([tokens, dollars, listed])));
        let body = json!({
            "token_limit": 5, "token_limit_period": "day", "budgets": [listed, tokens],
        });
        assert_eq!(of(body), Ok(json!([listed, tokens])), "the same budget counts once");
        let body = json!({ "token_limit": 6, "token_limit_period": "day", "budgets": [tokens] });
        assert_eq!(of(body), Err(vec!["budgets".to_owned()]));
        let body = json!({ "token_limit": 6, "spend_limit_period": "day" });
        assert_eq!(of(body), Err(vec!["token_limit_period".to_owned(), "spend_limit".to_owned()]));
    }

    #[test]
    fn new_key_without_any_budget_field_mentions_none() {
        let of = |body: Value| requested(&serde_json::from_value(body).unwrap()).unwrap();
        assert_eq!(of(json!({ "name": "a", "token_limit": null })), None);
        assert_eq!(of(json!({ "name": "a", "budgets": null })), Some(Budgets::NONE));
        assert_eq!(of(json!({ "name": "a", "budgets": [] })), Some(Budgets::NONE));
    }

    #[test]
    fn patch_replaces_the_list_or_the_first_of_a_unit() {
        let (tokens, dollars) = (budget("tokens", 5, "day"), budget("usd", "2.5", "month"));
        let of = |patch: Value| {
            let before = serde_json::from_value(json!([tokens, dollars])).unwrap();
            named(patched(before, &serde_json::from_value(patch).unwrap()))
        };
        let other = budget("requests", 7, "total");
        assert_eq!(of(json!({ "rpm": 5 })), Ok(json!([tokens, dollars])));
        assert_eq!(of(json!({ "budgets": null })), Ok(json!([])));
        assert_eq!(of(json!({ "budgets": [other] })), Ok(json!([other])));
        let raised = of(json!({ "spend_limit": "3" }));
        assert_eq!(raised, Ok(json!([tokens, budget("usd", "3", "month")])));
        let longer = of(json!({ "token_limit_period": "week" }));
        assert_eq!(longer, Ok(json!([budget("tokens", 5, "week"), dollars])));
        let none = json!({ "token_limit": null, "token_limit_period": null });
        assert_eq!(of(none), Ok(json!([dollars])));
        assert_eq!(of(json!({ "spend_limit": null })), Err(vec!["spend_limit".to_owned()]));
        let both = json!({
            "budgets": [other], "token_limit": null, "token_limit_period": null,
            "spend_limit": 3, "spend_limit_period": "day",
        });
        assert_eq!(of(both), Ok(json!([budget("usd", "3", "day"), other])));
        let conflict =
            json!({ "budgets": [dollars], "spend_limit": 3, "spend_limit_period": "month" });
        assert_eq!(of(conflict), Err(vec!["budgets".to_owned()]));
    }
}
