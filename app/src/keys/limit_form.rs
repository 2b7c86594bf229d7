//! The part of the key forms that limits tokens, calls and models, and sets budgets. The forms for
//! the limits of a project or an organization contain it too.

use latchkey_domain::api::{ApiKey, KeyDefaults, KeyPatch, KeyRequest};
use latchkey_domain::budget::Budgets;
use latchkey_domain::key::KeyKind;
use latchkey_domain::limit::{AllowList, Limit, MaxParallel, ModelName, Tokens};
use latchkey_domain::problem::FieldError;

use crate::components::budget_form::{BudgetForm, budgets_of, some_unless_empty};
use crate::components::form::FormField;
use latchkey_ui::thousands;

/// What is written, and what is wrong with it.
#[derive(Clone, Copy)]
pub struct LimitForm {
    /// Maximum tokens per minute.
    pub tpm: FormField,
    /// Maximum concurrent gateway calls.
    pub max_parallel: FormField,
    /// Budgets, in the order of the form.
    pub budgets: BudgetForm,
    /// Models, one a line.
    pub models: FormField,
}

/// Limits that the form contains.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenLimits {
    /// Maximum tokens per minute.
    pub tpm: Option<Tokens>,
    /// Maximum concurrent gateway calls.
    pub max_parallel: Option<MaxParallel>,
    /// Budgets, in the order of the form.
    pub budgets: Budgets,
    /// The models that the key may use; none: all.
    pub models: Option<AllowList<ModelName>>,
}

impl TokenLimits {
    /// Those of a key.
    pub fn of(key: &ApiKey) -> Self {
        Self {
            tpm: key.tpm,
            max_parallel: key.max_parallel,
            budgets: budgets_of(&key.budgets),
            models: key.allowed_models.clone(),
        }
    }

    /// Those that a project gives new keys.
    pub fn of_defaults(defaults: &KeyDefaults) -> Self {
        Self {
            tpm: defaults.tpm,
            max_parallel: defaults.max_parallel,
            budgets: defaults.budgets.clone(),
            models: defaults.allowed_models.clone(),
        }
    }

    /// A request for a key with those that the form for its kind shows. An empty field means no
    /// limit; only what the form doesn't show is left to the project's defaults.
    #[must_use]
    pub fn on(self, request: KeyRequest) -> KeyRequest {
        let request = KeyRequest { budgets: Some(some_unless_empty(self.budgets)), ..request };
        if request.kind != KeyKind::Inference {
            return request;
        }
        KeyRequest {
            tpm: Some(self.tpm),
            max_parallel: Some(self.max_parallel),
            allowed_models: Some(self.models),
            ..request
        }
    }

    /// `patch` with what differs from `key`.
    #[must_use]
    pub fn changes(self, key: &ApiKey, patch: KeyPatch) -> KeyPatch {
        let before = Self::of(key);
        let budgets_differ = self.budgets != before.budgets;
        KeyPatch {
            tpm: (self.tpm != before.tpm).then_some(self.tpm),
            max_parallel: (self.max_parallel != before.max_parallel).then_some(self.max_parallel),
            budgets: budgets_differ.then(|| some_unless_empty(self.budgets)),
            allowed_models: (self.models != before.models).then_some(self.models),
            ..patch
        }
    }
}

impl LimitForm {
    /// A form with these limits in it.
    pub fn of(limits: &TokenLimits) -> Self {
        let lines = |models: &AllowList<ModelName>| {
            models.as_slice().iter().map(ModelName::as_str).collect::<Vec<_>>().join("\n")
        };
        Self {
            tpm: FormField::new(limit_text(limits.tpm)),
            max_parallel: FormField::new(limit_text(limits.max_parallel)),
            budgets: BudgetForm::of(&limits.budgets),
            models: FormField::new(limits.models.as_ref().map(lines).unwrap_or_default()),
        }
    }

    /// The parsed form; `None` if a field is invalid, which then shows why.
    pub fn read(self) -> Option<TokenLimits> {
        let tpm = self.tpm.read(read_limit);
        let max_parallel = self.max_parallel.read(read_limit);
        let budgets = self.budgets.read();
        let models = self.models.read(read_models);
        Some(TokenLimits {
            tpm: tpm?,
            max_parallel: max_parallel?,
            budgets: budgets?,
            models: models?,
        })
    }

    /// The fields that text is written in.
    pub const fn entries(self) -> [FormField; 3] {
        [self.tpm, self.max_parallel, self.models]
    }

    /// Whether the form has the field that the server refused, which then says what is wrong.
    pub fn refuse_field(self, error: &FieldError) -> bool {
        let message = error.message.clone();
        match error.field.split(['.', '[']).next().unwrap_or_default() {
            "tpm" => self.tpm.set_error(message),
            "max_parallel" => self.max_parallel.set_error(message),
            "allowed_models" => self.models.set_error(message),
            "budgets" | "token_limit" | "token_limit_period" | "spend_limit"
            | "spend_limit_period" => self.budgets.refuse(error),
            _ => return false,
        }
        true
    }
}

/// A limit as a form shows it.
pub(crate) fn limit_text<const MAX: u64>(limit: Option<Limit<MAX>>) -> String {
    limit.map(|limit| limit.to_string()).unwrap_or_default()
}

/// Reads a limit, or nothing.
pub(crate) fn read_limit<const MAX: u64>(
    text: Option<String>,
) -> Result<Option<Limit<MAX>>, String> {
    let Some(text) = text else { return Ok(None) };
    text.parse().map(Some).map_err(|_| format!("Enter a number from 1 to {}.", thousands(MAX)))
}

/// Reads models, one a line, or nothing.
fn read_models(text: Option<String>) -> Result<Option<AllowList<ModelName>>, String> {
    let Some(text) = text else { return Ok(None) };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let models = lines.map(str::parse::<ModelName>).collect::<Result<Vec<_>, _>>();
    let models = models.map_err(|error| error.to_string())?;
    AllowList::new(models).map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use latchkey_domain::budget::{Budget, UsdLimit};
    use latchkey_domain::limit::Period;

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
    fn a_number_of_tokens_is_one_or_none() {
        let read_tokens = read_limit::<{ Tokens::MAX }>;
        assert_eq!(read_tokens(Some("5,000,000".into())), Ok(Tokens::new(5_000_000).ok()));
        assert_eq!(read_tokens(None), Ok(None));
        assert!(read_tokens(Some("0".into())).unwrap_err().starts_with("Enter a number from 1"));
    }

    #[test]
    fn calls_at_a_time_are_a_number_or_nothing() {
        let read_max_parallel = read_limit::<{ MaxParallel::MAX }>;
        assert_eq!(read_max_parallel(None), Ok(None));
        assert_eq!(read_max_parallel(Some("64".into())), Ok(MaxParallel::new(64).ok()));
        for text in ["0", "-1", "1.5", "1000001"] {
            let refused = read_max_parallel(Some(text.into()));
            assert_eq!(refused, Err("Enter a number from 1 to 1,000,000.".into()), "{text}");
        }
    }

    #[test]
    fn limits_are_sent_only_when_they_differ() {
        let state = serde_json::json!({
            "unit": "usd", "limit": "5", "period": "day", "used": "1", "reserved": "0",
            "remaining": "4", "resets_at": "2026-01-02T00:00:00Z",
        });
        let key =
            sample::key(&serde_json::json!({ "tpm": 12, "max_parallel": 8, "budgets": [state] }));
        let same = TokenLimits::of(&key);
        assert_eq!(same.clone().changes(&key, KeyPatch::default()), KeyPatch::default());
        let sent = |limits: TokenLimits| {
            serde_json::to_value(limits.changes(&key, KeyPatch::default())).unwrap()
        };
        let money = Budget::usd("5".parse::<UsdLimit>().unwrap(), Period::Week);
        let budgets = Budgets::new([money]).unwrap();
        assert_eq!(
            sent(TokenLimits { budgets, ..same.clone() }),
            serde_json::json!({ "budgets": [{ "unit": "usd", "limit": "5", "period": "week" }] })
        );
        let sixteen = TokenLimits { max_parallel: MaxParallel::new(16).ok(), ..same.clone() };
        assert_eq!(sent(sixteen), serde_json::json!({ "max_parallel": 16 }));
        let default = TokenLimits { max_parallel: None, ..same.clone() };
        assert_eq!(sent(default), serde_json::json!({ "max_parallel": null }));
        let none = TokenLimits { budgets: Budgets::NONE, ..same };
        assert_eq!(sent(none), serde_json::json!({ "budgets": null }));
    }

    #[test]
    fn request_leaves_hidden_limits_to_the_defaults() {
        let request = |kind| KeyRequest::new("a".parse().unwrap(), kind);
        let api = TokenLimits::default().on(request(KeyKind::Api));
        assert_eq!((api.budgets, api.tpm, api.allowed_models), (Some(None), None, None));
        assert_eq!(api.max_parallel, None);
        let inference = TokenLimits::default().on(request(KeyKind::Inference));
        assert_eq!((inference.tpm, inference.allowed_models), (Some(None), Some(None)));
        assert_eq!(inference.max_parallel, Some(None));
    }
}
