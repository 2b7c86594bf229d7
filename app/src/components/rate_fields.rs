//! The limits of a minute and of calls at a time in a form, side by side.

use latchkey_domain::limit::DEFAULT_MAX_PARALLEL;
use leptos::prelude::*;

use super::form::FormField;
use latchkey_ui::field::TextField;

/// Requests and tokens per minute, and calls at a time.
#[component]
pub fn RateFields(
    /// Maximum requests per minute.
    rpm: FormField,
    /// Maximum tokens per minute.
    tpm: FormField,
    /// Maximum concurrent gateway calls.
    max_parallel: FormField,
    /// Whether they are of keys, which have a limit of calls even if none is filled in.
    of_keys: bool,
    /// Whether a dialog's focus starts here.
    #[prop(optional)]
    autofocus: bool,
) -> impl IntoView {
    let calls = if of_keys { DEFAULT_MAX_PARALLEL.to_string() } else { "None".to_owned() };
    let hint = of_keys.then(|| format!("{DEFAULT_MAX_PARALLEL} if left empty."));
    view! {
        <div class="grid grid-cols-1 items-start gap-x-3 gap-y-5 md:grid-cols-3">
            <TextField
                name="rpm"
                label="Requests per minute"
                value=rpm.value
                suffix="rpm"
                keyboard="numeric"
                placeholder="None"
                error=rpm.error
                autofocus
            />
            <TextField
                name="tpm"
                label="Tokens per minute"
                value=tpm.value
                suffix="tpm"
                keyboard="numeric"
                placeholder="None"
                error=tpm.error
            />
            <TextField
                name="max-parallel"
                label="Calls at a time"
                value=max_parallel.value
                keyboard="numeric"
                placeholder=calls
                hint
                error=max_parallel.error
            />
        </div>
    }
}
