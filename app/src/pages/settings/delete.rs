//! The dialog that deletes a project or an organization. It lists what goes with it, and requires
//! its name.

use leptos::prelude::*;

use crate::components::form::{Refusal, Submission};
use latchkey_ui::confirm_dialog::ConfirmDialog;
use latchkey_ui::consequence::Consequence;
use latchkey_ui::field::TextField;
use latchkey_ui::icon::Glyph;
use latchkey_ui::thousands;

/// The dialog. Its button is enabled once the name is typed; Enter alone deletes nothing.
#[component]
pub fn DeleteDialog(
    /// Name of the project or organization.
    name: String,
    /// What to type its name for.
    label: &'static str,
    /// Label of the confirm button.
    action: &'static str,
    /// How the deletion goes.
    submission: Submission,
    /// Called to close the dialog.
    on_close: Callback<()>,
    /// Called to delete the resource.
    #[prop(into)]
    on_delete: Callback<()>,
    /// What goes with it, as [`Consequence`]s.
    children: Children,
) -> impl IntoView {
    let busy = submission.busy;
    let typed = RwSignal::new(String::new());
    let wanted = StoredValue::new(name.clone());
    let differs =
        Signal::derive(move || typed.with(|text| wanted.with_value(|name| text.trim() != name)));
    view! {
        <ConfirmDialog
            title=format!("Delete {name}?")
            action
            busy_label="Deleting…"
            glyph=Glyph::Trash2
            busy
            disabled=differs
            dirty=Signal::derive(move || !typed.with(String::is_empty))
            on_close
            on_confirm=on_delete
        >
            <div class="flex flex-col gap-4">
                <Refusal submission/>
                <ul class="flex flex-col gap-2 text-ink-2">
                    {children()}
                    <Consequence glyph=Glyph::Undo2>
                        "Nobody can restore it. Its history stays in the audit log."
                    </Consequence>
                </ul>
                <TextField name="confirmation" label value=typed hint=name/>
            </div>
        </ConfirmDialog>
    }
}

/// What happens to so many active keys.
pub fn describe_keys(count: u64) -> String {
    match count {
        0 => "It has no active keys. Service keys are revoked at once.".to_owned(),
        1 => "1 active key is revoked at once, and all service keys.".to_owned(),
        count => {
            format!("{} active keys are revoked at once, and all service keys.", thousands(count))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_go_are_counted_in_words() {
        assert_eq!(describe_keys(0), "It has no active keys. Service keys are revoked at once.");
        assert_eq!(describe_keys(1), "1 active key is revoked at once, and all service keys.");
        assert_eq!(
            describe_keys(1_200),
            "1,200 active keys are revoked at once, and all service keys."
        );
    }
}
