//! The fields of an inference key's limits. They are always visible, because limits are the point
//! of such a key.

use latchkey_domain::budget::BudgetUnit;
use leptos::prelude::*;

use super::form::KeyForm;
use crate::components::budget_fields::BudgetFields;
use latchkey_ui::field::{TextArea, TextField};

/// Requests and tokens per minute, the budgets and the models.
#[component]
pub fn LimitFields(
    /// The form that they are in.
    form: KeyForm,
) -> impl IntoView {
    let KeyForm { rpm, limits, .. } = form;
    view! {
        <div class="grid grid-cols-1 gap-x-3 gap-y-5 md:grid-cols-2">
            <TextField
                name="rpm"
                label="Requests per minute"
                value=rpm.value
                suffix="rpm"
                keyboard="numeric"
                placeholder="None"
                error=rpm.error
            />
            <TextField
                name="tpm"
                label="Tokens per minute"
                value=limits.tpm.value
                suffix="tpm"
                keyboard="numeric"
                placeholder="None"
                error=limits.tpm.error
            />
        </div>
        <BudgetFields
            form=limits.budgets
            first=BudgetUnit::Usd
            hint="Tokens are input and output together. When one is spent, requests get 402 until it resets."
        />
        <TextArea
            name="models"
            label="Allowed models"
            value=limits.models.value
            placeholder="Any"
            hint="One model per line. Requests for others are denied."
            error=limits.models.error
        />
    }
}
