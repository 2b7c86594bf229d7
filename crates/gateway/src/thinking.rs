//! `thinking` of Anthropic's Messages API: how many of the output tokens a model may think with.
//!
//! It has to stay below `max_tokens`, so it is lowered together with that. With fewer tokens than
//! its minimum the upstream would refuse the call.

use serde_json::{Map, Value};

use super::endpoint::Endpoint;
use super::fields::Fields;
use super::max_tokens::tokens;

const FIELD: &str = "thinking";
const BUDGET: &str = "budget_tokens";
/// The least budget that the API accepts.
const MIN_THINKING_TOKENS: u64 = 1_024;

/// The budget that a body asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ThinkingBudget(u64);

impl ThinkingBudget {
    /// Reads the field. None without one that could be lowered: what else is wrong with it, the
    /// upstream says.
    pub(super) fn read(fields: &Fields, endpoint: Endpoint) -> Option<Self> {
        if endpoint != Endpoint::Messages {
            return None;
        }
        let members = members(fields)?;
        let budget = members.get(BUDGET)?;
        let tokens = budget.as_u64().or_else(|| tokens(&budget.to_string()))?;
        (tokens >= MIN_THINKING_TOKENS).then_some(Self(tokens))
    }

    /// Lowers the budget below a cap that was lowered to `reserved`.
    pub(super) fn lower(self, fields: &mut Fields, reserved: u64) {
        let most = reserved.saturating_sub(1);
        if self.0 <= most {
            return;
        }
        let Some(mut members) = members(fields) else { return };
        members.insert(BUDGET.to_owned(), most.into());
        fields.set(FIELD, Value::Object(members).to_string());
    }
}

/// The least that an answer of at most `cap` tokens needs if the model thinks: more than the least
/// budget, unless the client allows less itself.
pub(super) fn least_answer(cap: u64) -> u64 {
    cap.min(MIN_THINKING_TOKENS + 1)
}

fn members(fields: &Fields) -> Option<Map<String, Value>> {
    serde_json::from_str(fields.get(FIELD)?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(thinking: &str) -> Fields {
        Fields::read(format!("{{\"thinking\":{thinking}}}").into(), "messages").unwrap()
    }

    #[test]
    fn budget_is_lowered_below_the_cap() {
        for (budget, reserved, sent) in [
            ("31999", 2_000, 1_999),
            ("31999", 32_000, 31_999),
            ("2000", 2_000, 1_999),
            ("31999.0", 2_000, 1_999),
        ] {
            let body = format!("{{\"type\":\"enabled\",\"budget_tokens\":{budget}}}");
            let mut fields = fields(&body);
            let thinking = ThinkingBudget::read(&fields, Endpoint::Messages).unwrap();
            thinking.lower(&mut fields, reserved);
            let told: Value = serde_json::from_str(fields.get(FIELD).unwrap()).unwrap();
            assert_eq!(told, json!({ "type": "enabled", "budget_tokens": sent }));
        }
    }

    #[test]
    fn only_a_budget_that_the_upstream_accepts_is_read() {
        for thinking in [
            "null",
            "7",
            r#"{"type": "adaptive"}"#,
            r#"{"type": "enabled", "budget_tokens": 1023}"#,
            r#"{"type": "enabled", "budget_tokens": "2000"}"#,
            r#"{"type": "enabled", "budget_tokens": -1}"#,
        ] {
            let read = ThinkingBudget::read(&fields(thinking), Endpoint::Messages);
            assert_eq!(read, None, "{thinking}");
        }
        let enabled = fields(r#"{"type": "enabled", "budget_tokens": 1024}"#);
        assert_eq!(ThinkingBudget::read(&enabled, Endpoint::Chat), None);
        assert!(ThinkingBudget::read(&enabled, Endpoint::Messages).is_some());
        assert_eq!((least_answer(32_000), least_answer(500)), (1_025, 500));
    }
}
