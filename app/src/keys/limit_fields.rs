//! The fields of an inference key's limits. They are always visible, because limits are the point
//! of such a key.

use leptos::prelude::*;

use super::form::KeyForm;
use latchkey_ui::field::{TextArea, TextField};
use latchkey_ui::segmented::{Segment, Segmented};

const PERIODS: &[Segment] = &[
    Segment::new("minute", "Minute"),
    Segment::new("hour", "Hour"),
    Segment::new("day", "Day"),
    Segment::new("week", "Week"),
    Segment::new("month", "Month"),
];

/// Requests and tokens per minute, the token budget and the models.
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
        <div class="flex flex-col gap-2.5">
            <TextField
                name="token-limit"
                label="Token budget"
                value=limits.budget.value
                suffix="tokens"
                keyboard="numeric"
                placeholder="None"
                hint="Input and output together. When it is spent, requests get 402 until it resets."
                error=limits.budget.error
            />
            <Segmented
                label="The budget is for one"
                options=PERIODS
                value=limits.period
                on_change=move |chosen| limits.period.set(chosen)
            />
        </div>
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

#[cfg(test)]
mod tests {
    use latchkey_domain::limit::Period;

    use super::*;

    #[test]
    fn every_period_is_one_that_the_server_takes() {
        for period in PERIODS {
            assert!(Period::from_name(period.value).is_some(), "{}", period.value);
        }
    }
}
