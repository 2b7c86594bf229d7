//! The form for the limits of a project or an organization, and for the defaults of new keys.

use latchkey_domain::api::KeyDefaults;
use latchkey_domain::problem::FieldError;
use leptos::prelude::*;

use crate::api::ApiError;
use crate::components::form::{FormField, Submission, refusal};
use crate::keys::form::{lines, read_networks};
use crate::keys::limit_form::{LimitForm, TokenLimits, limit_text, read_limit};
use latchkey_ui::field::focus_first_bad;

/// What is filled in, and what is wrong with it.
#[derive(Clone, Copy)]
pub struct LimitsForm {
    /// Maximum requests per minute.
    pub rpm: FormField,
    /// Limits of tokens and calls, and budgets; the models are for the defaults of new keys.
    pub limits: LimitForm,
    /// Networks, one a line, for the defaults of new keys.
    pub networks: FormField,
    /// State of the form's request.
    pub submission: Submission,
}

impl LimitsForm {
    /// A form with these limits in it.
    pub fn of(limits: &KeyDefaults) -> Self {
        Self {
            rpm: FormField::new(limit_text(limits.rpm)),
            limits: LimitForm::of(&TokenLimits::of_defaults(limits)),
            networks: FormField::new(lines(limits.allowed_cidrs.as_ref())),
            submission: Submission::new(),
        }
    }

    /// The parsed form; `None` if a field is invalid, which then shows why.
    pub fn read(self) -> Option<KeyDefaults> {
        let rpm = self.rpm.read(read_limit);
        let limits = self.limits.read();
        let networks = self.networks.read(read_networks);
        // The field may have been invalid before, so move focus to it.
        focus_first_bad();
        let TokenLimits { tpm, max_parallel, budgets, models } = limits?;
        Some(KeyDefaults {
            rpm: rpm?,
            tpm,
            max_parallel,
            budgets,
            allowed_models: models,
            allowed_cidrs: networks?,
        })
    }

    /// Whether closing the form would lose something that was written.
    pub fn is_dirty(self) -> Signal<bool> {
        let fields = move || [self.rpm, self.networks].into_iter().chain(self.limits.entries());
        Signal::derive(move || {
            let budgets = self.limits.budgets.is_changed();
            budgets || fields().any(FormField::is_changed)
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
        let message = error.message.clone();
        match field.split(['.', '[']).next().unwrap_or_default() {
            "rpm" => self.rpm.set_error(message),
            "allowed_cidrs" => self.networks.set_error(message),
            _ => return self.limits.refuse_field(&FieldError { field: field.to_owned(), message }),
        }
        true
    }
}
