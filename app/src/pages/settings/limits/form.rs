//! The form for the limits of a project or an organization, and for the defaults of new keys.

use latchkey_domain::api::KeyDefaults;
use latchkey_domain::limit::{MaxParallel, ModelName};
use latchkey_domain::problem::FieldError;
use leptos::prelude::*;

use crate::api::ApiError;
use crate::components::budget_form::BudgetForm;
use crate::components::form::{FormField, Submission, refusal};
use crate::keys::form::{lines, read_networks, read_rpm};
use crate::keys::limit_form::{read_models, read_tokens};
use latchkey_ui::field::focus_first_bad;
use latchkey_ui::thousands;

/// What is filled in, and what is wrong with it.
#[derive(Clone, Copy)]
pub struct LimitsForm {
    /// Maximum requests per minute.
    pub rpm: FormField,
    /// Maximum tokens per minute.
    pub tpm: FormField,
    /// Maximum concurrent gateway calls.
    pub max_parallel: FormField,
    /// Budgets, in the order of the form.
    pub budgets: BudgetForm,
    /// Models, one a line, for the defaults of new keys.
    pub models: FormField,
    /// Networks, one a line, for the defaults of new keys.
    pub networks: FormField,
    /// State of the form's request.
    pub submission: Submission,
}

impl LimitsForm {
    /// A form with these limits in it.
    pub fn of(limits: &KeyDefaults) -> Self {
        let models = limits.allowed_models.as_ref().map(|models| {
            models.as_slice().iter().map(ModelName::as_str).collect::<Vec<_>>().join("\n")
        });
        Self {
            rpm: FormField::new(number(limits.rpm)),
            tpm: FormField::new(number(limits.tpm)),
            max_parallel: FormField::new(number(limits.max_parallel)),
            budgets: BudgetForm::of(&limits.budgets),
            models: FormField::new(models.unwrap_or_default()),
            networks: FormField::new(lines(limits.allowed_cidrs.as_ref())),
            submission: Submission::new(),
        }
    }

    /// The parsed form; `None` if a field is invalid, which then shows why.
    pub fn read(self) -> Option<KeyDefaults> {
        let rpm = self.rpm.read(read_rpm);
        let tpm = self.tpm.read(read_tokens);
        let max_parallel = self.max_parallel.read(read_max_parallel);
        let budgets = self.budgets.read();
        let models = self.models.read(read_models);
        let networks = self.networks.read(read_networks);
        // The field may have been invalid before, so move focus to it.
        focus_first_bad();
        Some(KeyDefaults {
            rpm: rpm?,
            tpm: tpm?,
            max_parallel: max_parallel?,
            budgets: budgets?,
            allowed_models: models?,
            allowed_cidrs: networks?,
        })
    }

    /// Whether closing the form would lose something that was written.
    pub fn is_dirty(self) -> Signal<bool> {
        let fields = [self.rpm, self.tpm, self.max_parallel, self.models, self.networks];
        Signal::derive(move || {
            let budgets = self.budgets.is_changed();
            budgets || fields.into_iter().any(FormField::is_changed)
        })
    }

    /// Says why the server refused, if the form is still there: at the fields that it names, else
    /// above them. `failed` is what to say where it gives no reason that a person could act on.
    pub fn refuse(self, error: &ApiError, failed: &str) {
        if self.submission.busy.try_set(false).is_some() {
            return;
        }
        self.submission.refusal.set(refusal(error, failed, |error| self.refuse_field(error)));
        focus_first_bad();
    }

    /// Whether the form has the field, which then says what is wrong.
    fn refuse_field(self, error: &FieldError) -> bool {
        let field = error.field.strip_prefix("key_defaults.").unwrap_or(&error.field);
        let field = match field.split(['.', '[']).next().unwrap_or_default() {
            "rpm" => self.rpm,
            "tpm" => self.tpm,
            "max_parallel" => self.max_parallel,
            "allowed_models" => self.models,
            "allowed_cidrs" => self.networks,
            "budgets" => {
                self.budgets.refuse(error);
                return true;
            }
            _ => return false,
        };
        field.set_error(error.message.clone());
        true
    }
}

fn number(limit: Option<impl ToString>) -> String {
    limit.map(|limit| limit.to_string()).unwrap_or_default()
}

fn read_max_parallel(text: Option<String>) -> Result<Option<MaxParallel>, String> {
    let Some(text) = text else { return Ok(None) };
    let most = thousands(MaxParallel::MAX);
    text.parse().map(Some).map_err(|_| format!("Enter a number from 1 to {most}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_at_a_time_are_a_number_or_nothing() {
        assert_eq!(read_max_parallel(None), Ok(None));
        assert_eq!(read_max_parallel(Some("64".into())), Ok(MaxParallel::new(64).ok()));
        for text in ["0", "-1", "1.5", "1000001"] {
            let refused = read_max_parallel(Some(text.into()));
            assert_eq!(refused, Err("Enter a number from 1 to 1,000,000.".into()), "{text}");
        }
    }
}
