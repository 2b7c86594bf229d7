//! What all forms share: fields with their errors, the state of the request, and the dialog around
//! both.

use latchkey_domain::outcome::Outcome;
use latchkey_domain::problem::{ErrorCode, FieldError};
use leptos::children::ViewFnOnce;
use leptos::prelude::*;

use crate::api::ApiError;
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::dialog::Dialog;
use latchkey_ui::field::focus_first_bad;

/// One field: what is written in it, and what is wrong with that.
#[derive(Clone, Copy)]
pub struct FormField {
    /// Current text of the field.
    pub value: RwSignal<String>,
    /// What is wrong, until something else is written.
    pub error: RwSignal<Option<String>>,
    before: StoredValue<String>,
}

impl FormField {
    /// A field with that written in it.
    pub fn new(value: impl Into<String>) -> Self {
        let value = value.into();
        let before = StoredValue::new(value.clone());
        let entry = Self { value: RwSignal::new(value), error: RwSignal::new(None), before };
        Effect::new(move || {
            entry.value.track();
            entry.error.set(None);
        });
        entry
    }

    /// Shows this message below the field until its text changes.
    pub fn set_error(self, message: impl Into<String>) {
        self.error.set(Some(message.into()));
    }

    /// Whether something else is written than at first, tracked.
    pub fn is_changed(self) -> bool {
        self.value.with(|text| self.before.with_value(|before| text.trim() != before))
    }

    /// What is written, or nothing for white space.
    pub fn text(self) -> Option<String> {
        self.value
            .with_untracked(|text| Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// Parses the text with `read`. If that fails, the field shows why.
    pub fn read<T>(self, read: impl FnOnce(Option<String>) -> Result<T, String>) -> Option<T> {
        read(self.text()).map_err(|message| self.set_error(message)).ok()
    }

    /// Parses the text as a `T`. If that fails, the field shows why.
    pub fn parse<T>(self) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        self.read(|text| {
            text.unwrap_or_default().parse().map_err(|error: T::Err| error.to_string())
        })
    }

    /// Takes what is written as what it was at first, once that is saved.
    pub fn mark_saved(self) {
        self.before.set_value(self.text().unwrap_or_default());
        self.value.notify();
    }
}

/// What to say above the fields when the server has refused a form; nothing if the fields say it
/// all. `at_field` shows an error at its field, if there is one for it. `failed` is what to say
/// where the server gives no reason that a person could act on.
pub fn refusal(
    error: &ApiError,
    failed: &str,
    at_field: impl Fn(&FieldError) -> bool,
) -> Option<String> {
    let Some(problem) = error.problem() else {
        return Some(failed.to_owned());
    };
    let shown = problem.errors.iter().filter(|error| at_field(error)).count();
    match problem.code {
        _ if shown > 0 && shown == problem.errors.len() => None,
        ErrorCode::Invalid
        | ErrorCode::TierLimitReached
        | ErrorCode::LimitReached
        | ErrorCode::Outcome(Outcome::RateLimited)
        | ErrorCode::Conflict
        | ErrorCode::NameTaken
        | ErrorCode::Forbidden => Some(problem.detail.clone()),
        _ => Some(failed.to_owned()),
    }
}

/// A form on its way to the server.
#[derive(Clone, Copy)]
pub struct Submission {
    /// Whether it is being sent.
    pub busy: RwSignal<bool>,
    /// Why the whole was refused.
    pub refusal: RwSignal<Option<String>>,
}

impl Submission {
    /// A form that was not sent yet.
    pub fn new() -> Self {
        Self { busy: RwSignal::new(false), refusal: RwSignal::new(None) }
    }

    /// A field can't be sent as it is: a person is led to it, even if it was wrong before.
    pub fn show_invalid(self) {
        self.refusal.set(None);
        focus_first_bad();
    }

    /// Now it is being sent.
    pub fn start(self) {
        self.refusal.set(None);
        self.busy.set(true);
    }

    /// The server has taken it. The form may be gone by now.
    pub fn succeed(self) {
        _ = self.busy.try_set(false);
    }

    /// Says why the server has refused it, if the form is still there: at the fields, which have
    /// names, or above them.
    pub fn fail(self, error: &ApiError, failed: &str, fields: &[(&str, FormField)]) {
        if self.busy.try_set(false).is_some() {
            return;
        }
        self.refusal.set(refusal(error, failed, |error| {
            let entry =
                fields.iter().find(|(name, _)| *name == error.field).map(|(_, entry)| *entry);
            entry.inspect(|entry| entry.set_error(error.message.clone())).is_some()
        }));
        focus_first_bad();
    }
}

impl Default for Submission {
    fn default() -> Self {
        Self::new()
    }
}

/// Why the whole form was refused, above its fields.
#[component]
pub fn Refusal(
    /// State of the form's request.
    submission: Submission,
) -> impl IntoView {
    move || {
        let why = submission.refusal.get()?;
        Some(view! { <Callout tone=Tone::Danger alert=true>{why}</Callout> })
    }
}

/// A dialog that is a form.
#[component]
pub fn FormDialog(
    /// What it is about.
    #[prop(into)]
    title: Signal<String>,
    /// Shown at the right of the heading.
    #[prop(optional, into)]
    aside: Option<ViewFnOnce>,
    /// State of the form's request.
    submission: Submission,
    /// Whether closing it would lose something that was written.
    #[prop(into)]
    dirty: Signal<bool>,
    /// The button that sends it.
    action: &'static str,
    /// Label of the button while it is busy.
    busy_label: &'static str,
    /// Called to close the dialog.
    #[prop(into)]
    on_close: Callback<()>,
    /// Called to submit the form.
    #[prop(into)]
    on_submit: Callback<()>,
    /// Fields of the form.
    children: Children,
) -> impl IntoView {
    let busy = submission.busy;
    let fields = view! {
        <div class="flex flex-col gap-5">
            <Refusal submission/>
            {children()}
        </div>
    };
    let footer = move || {
        view! {
            <Button on_press=on_close disabled=busy>"Cancel"</Button>
            <Button variant=Variant::Primary submit=true busy busy_label>{action}</Button>
        }
    };
    let aside = move || aside.map(ViewFnOnce::run);
    view! { <Dialog title on_close busy dirty on_submit aside footer>{fields}</Dialog> }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::problem::Problem;

    use super::*;

    fn refused(code: ErrorCode) -> ApiError {
        ApiError::Refused(Problem::new(code, "Because."))
    }

    #[test]
    fn a_refusal_that_a_person_can_act_on_is_said_in_its_own_words() {
        let say = |error: &ApiError| refusal(error, "It failed.", |_| false);
        assert_eq!(say(&refused(ErrorCode::Forbidden)).as_deref(), Some("Because."));
        assert_eq!(say(&refused(ErrorCode::Conflict)).as_deref(), Some("Because."));
        assert_eq!(say(&refused(ErrorCode::Internal)).as_deref(), Some("It failed."));
        assert_eq!(say(&ApiError::TimedOut).as_deref(), Some("It failed."));
    }

    #[test]
    fn what_stands_at_a_field_is_not_said_twice() {
        let error = ApiError::Refused(Problem::invalid("name", "Enter a name."));
        assert!(refusal(&error, "It failed.", |_| false).is_some());
    }
}
