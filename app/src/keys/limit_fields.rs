//! The fields of an inference key's limits. They are always visible, because limits are the point
//! of such a key.

use latchkey_domain::budget::BudgetUnit;
use leptos::prelude::*;

use super::form::KeyForm;
use crate::components::budget_fields::BudgetFields;
use crate::components::rate_fields::RateFields;
use latchkey_ui::field::TextArea;

/// Requests and tokens per minute, calls at a time, the budgets and the models.
#[component]
pub fn LimitFields(
    /// The form that they are in.
    form: KeyForm,
) -> impl IntoView {
    let KeyForm { rpm, limits, .. } = form;
    view! {
        <RateFields rpm tpm=limits.tpm max_parallel=limits.max_parallel of_keys=true/>
        <BudgetFields
            form=limits.budgets
            first=BudgetUnit::Usd
            hint="Tokens are input and output together. When one is spent, requests are denied until it resets."
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
