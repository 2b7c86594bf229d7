//! `--budget`: `unit:limit:period`, or the API's JSON.

use std::str::FromStr;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Budgets in one flag.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum BudgetFlag {
    /// None, in spite of the project's default.
    None,
    /// A budget, as the API takes it.
    One(Value),
}

impl FromStr for BudgetFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        if text.trim_start().starts_with('{') {
            let value = serde_json::from_str(text);
            return value.map(Self::One).map_err(|error| format!("This is no JSON: {error}."));
        }
        let [unit, limit, period] = text.splitn(3, ':').collect::<Vec<_>>()[..] else {
            return Err("Use unit:limit:period, e.g. tokens:100000:month.".to_owned());
        };
        // Dollars stay the text that they are, so that they lose nothing.
        let limit = match limit.parse::<u64>() {
            Ok(number) if unit != "usd" => Value::from(number),
            _ => Value::from(limit),
        };
        Ok(Self::One(serde_json::json!({ "unit": unit, "limit": limit, "period": period })))
    }
}

/// Writes the flags as the API's `budgets`: null if one of them says none.
pub(super) fn serialize<S: Serializer>(
    flags: &[BudgetFlag],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if flags.contains(&BudgetFlag::None) {
        return serializer.serialize_none();
    }
    let mut list = serializer.serialize_seq(Some(flags.len()))?;
    for flag in flags {
        list.serialize_element(flag)?;
    }
    list.end()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn budget_is_read_in_both_forms() {
        for (text, expected) in [
            ("requests:5:hour", json!({"unit": "requests", "limit": 5, "period": "hour"})),
            ("usd:10.50:month", json!({"unit": "usd", "limit": "10.50", "period": "month"})),
            ("usd:10:total", json!({"unit": "usd", "limit": "10", "period": "total"})),
            (
                r#" {"unit":"usd","limit":1,"period":"day"}"#,
                json!({"unit": "usd", "limit": 1, "period": "day"}),
            ),
        ] {
            assert_eq!(text.parse::<BudgetFlag>().unwrap(), BudgetFlag::One(expected), "{text}");
        }
        assert_eq!("none".parse::<BudgetFlag>(), Ok(BudgetFlag::None));
        for text in ["", "tokens", "tokens:5", "{"] {
            assert!(text.parse::<BudgetFlag>().is_err(), "{text}");
        }
    }
}
