//! The part of the key forms that limits tokens and models.

use latchkey_domain::api::{ApiKey, KeyPatch, KeyRequest};
use latchkey_domain::limit::{AllowList, ModelName, Period, Tokens};
use leptos::prelude::*;

use crate::components::form::FormField;
use latchkey_ui::thousands;

/// What is written, and what is wrong with it.
#[derive(Clone, Copy)]
pub struct LimitForm {
    /// Maximum tokens per minute.
    pub tpm: FormField,
    /// The token budget of one period.
    pub budget: FormField,
    /// The name of the period.
    pub period: RwSignal<&'static str>,
    /// Models, one a line.
    pub models: FormField,
}

/// Token limits that the form contains.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenLimits {
    /// Maximum tokens per minute.
    pub tpm: Option<Tokens>,
    /// The token budget and how long it lasts.
    pub budget: Option<(Tokens, Period)>,
    /// The models that the key may use; none: all.
    pub models: Option<AllowList<ModelName>>,
}

impl TokenLimits {
    /// Those of a key.
    pub fn of(key: &ApiKey) -> Self {
        Self {
            tpm: key.tpm,
            budget: key.token_limit.zip(key.token_limit_period),
            models: key.allowed_models.clone(),
        }
    }

    /// A request for a key with them.
    #[must_use]
    pub fn on(self, request: KeyRequest) -> KeyRequest {
        let (token_limit, token_limit_period) = self.budget.unzip();
        let (tpm, allowed_models) = (self.tpm, self.models);
        KeyRequest { tpm, token_limit, token_limit_period, allowed_models, ..request }
    }

    /// `patch` with what differs from `key`.
    #[must_use]
    pub fn changes(self, key: &ApiKey, patch: KeyPatch) -> KeyPatch {
        let before = Self::of(key);
        let (limit, period) = self.budget.unzip();
        let budget_differs = self.budget != before.budget;
        KeyPatch {
            tpm: (self.tpm != before.tpm).then_some(self.tpm),
            token_limit: budget_differs.then_some(limit),
            token_limit_period: budget_differs.then_some(period),
            allowed_models: (self.models != before.models).then_some(self.models),
            ..patch
        }
    }
}

impl LimitForm {
    /// A form with these limits in it.
    pub fn of(limits: &TokenLimits) -> Self {
        let number = |tokens: Option<Tokens>| tokens.map(|it| it.to_string()).unwrap_or_default();
        let period = limits.budget.map_or(Period::Month, |(_, period)| period);
        let lines = |models: &AllowList<ModelName>| {
            models.as_slice().iter().map(ModelName::as_str).collect::<Vec<_>>().join("\n")
        };
        Self {
            tpm: FormField::new(number(limits.tpm)),
            budget: FormField::new(number(limits.budget.map(|(limit, _)| limit))),
            period: RwSignal::new(period.as_str()),
            models: FormField::new(limits.models.as_ref().map(lines).unwrap_or_default()),
        }
    }

    /// The parsed form; `None` if a field is invalid, which then shows why.
    pub fn read(self) -> Option<TokenLimits> {
        let tpm = self.tpm.read(read_tokens);
        let budget = self.budget.read(read_tokens);
        let models = self.models.read(read_models);
        let period = Period::from_name(self.period.get_untracked()).unwrap_or(Period::Month);
        Some(TokenLimits {
            tpm: tpm?,
            budget: budget?.map(|limit| (limit, period)),
            models: models?,
        })
    }

    /// The fields that text is written in.
    pub const fn entries(self) -> [FormField; 3] {
        [self.tpm, self.budget, self.models]
    }
}

fn read_tokens(text: Option<String>) -> Result<Option<Tokens>, String> {
    let Some(text) = text else { return Ok(None) };
    let most = thousands(Tokens::MAX);
    text.parse().map(Some).map_err(|_| format!("Enter a number from 1 to {most}."))
}

fn read_models(text: Option<String>) -> Result<Option<AllowList<ModelName>>, String> {
    let Some(text) = text else { return Ok(None) };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let models = lines.map(str::parse::<ModelName>).collect::<Result<Vec<_>, _>>();
    let models = models.map_err(|error| error.to_string())?;
    AllowList::new(models).map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::sample;

    #[test]
    fn models_stand_on_lines() {
        let read = |text: &str| read_models(Some(text.into())).unwrap().unwrap();
        assert_eq!(read("qwen3.6-27b\n\n bge-m3 \n").as_slice().len(), 2);
        assert_eq!(read("org/a model, with a comma").as_slice().len(), 1);
        assert_eq!(read_models(None), Ok(None));
        assert!(read_models(Some("x".repeat(257))).is_err());
    }

    #[test]
    fn a_budget_has_a_number_or_is_none() {
        assert_eq!(read_tokens(Some("5,000,000".into())), Ok(Tokens::new(5_000_000).ok()));
        assert_eq!(read_tokens(None), Ok(None));
        assert!(read_tokens(Some("0".into())).unwrap_err().starts_with("Enter a number from 1"));
    }

    #[test]
    fn a_budget_changes_with_its_period_and_goes_with_it() {
        let limits =
            serde_json::json!({ "tpm": 12, "token_limit": 5, "token_limit_period": "day" });
        let key = sample::key(&limits);
        let same = TokenLimits::of(&key);
        assert_eq!(same.clone().changes(&key, KeyPatch::default()), KeyPatch::default());
        let budget = Some((Tokens::new(5).unwrap(), Period::Week));
        let patch = TokenLimits { budget, ..same.clone() }.changes(&key, KeyPatch::default());
        let sent = serde_json::to_value(&patch).unwrap();
        assert_eq!(sent, serde_json::json!({ "token_limit": 5, "token_limit_period": "week" }));
        let patch = TokenLimits { budget: None, ..same }.changes(&key, KeyPatch::default());
        let sent = serde_json::to_value(&patch).unwrap();
        assert_eq!(sent, serde_json::json!({ "token_limit": null, "token_limit_period": null }));
    }
}
