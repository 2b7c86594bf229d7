//! The dialog that deletes an application, after it has said what goes with it.

use latchkey_domain::api::Application;
use leptos::prelude::*;

use super::usage::{Count, count_keys};
use crate::api::delete_application;
use latchkey_ui::confirm_dialog::ConfirmDialog;
use latchkey_ui::consequence::Consequence;
use latchkey_ui::icon::Glyph;
use latchkey_ui::thousands;
use latchkey_ui::toast::{ToastAction, Toasts};

/// The application that is about to be deleted, and the progress.
#[derive(Clone, Copy)]
pub struct Deletion {
    /// The application in question.
    pub target: RwSignal<Option<Application>>,
    busy: RwSignal<bool>,
    on_deleted: Callback<()>,
    toasts: Toasts,
}

impl Deletion {
    /// For the applications of a page. `on_deleted` is called after each.
    pub fn new(on_deleted: Callback<()>) -> Self {
        Self {
            target: RwSignal::new(None),
            busy: RwSignal::new(false),
            on_deleted,
            toasts: expect_context::<Toasts>(),
        }
    }

    /// Deletes an application, closes the dialog and shows the result, even if the user has left
    /// the page.
    fn delete(self, application: &Application) {
        _ = self.busy.try_set(true);
        let application = application.clone();
        leptos::task::spawn_local(async move {
            let answer = delete_application(application.id).await;
            _ = self.busy.try_set(false);
            _ = self.target.try_set(None);
            if answer.is_ok() {
                self.toasts.success("Application deleted");
                _ = self.on_deleted.try_run(());
            } else {
                let again = ToastAction::new("Retry", move || self.delete(&application));
                self.toasts.failure("Couldn’t delete the application.", Some(again));
            }
        });
    }

    /// The dialog, while an application is to be deleted.
    pub fn dialog(self) -> impl IntoView {
        move || self.target.get().map(|application| view! { <Confirm deletion=self application/> })
    }
}

#[component]
fn Confirm(deletion: Deletion, application: Application) -> impl IntoView {
    let Deletion { target, busy, .. } = deletion;
    let title = format!("Delete “{}”?", application.name);
    let (project, id) = (application.project_id, application.id);
    let keys = LocalResource::new(move || count_keys(project, id));
    let describe_keys = move || describe_keys(keys.get().flatten());
    view! {
        <ConfirmDialog
            title
            action="Delete application"
            busy_label="Deleting…"
            glyph=Glyph::Trash2
            busy
            on_close=move |()| target.set(None)
            on_confirm=move |()| deletion.delete(&application)
        >
            <ul class="flex flex-col gap-2 text-ink-2">
                <Consequence glyph=Glyph::Ban>{describe_keys}</Consequence>
                <Consequence glyph=Glyph::Trash2>"Its traces and logs are deleted."</Consequence>
                <Consequence glyph=Glyph::Undo2>"Nobody can restore it. Its history stays in the audit log."</Consequence>
            </ul>
        </ConfirmDialog>
    }
}

/// What happens to the active keys restricted to the application, as far as they could be counted.
fn describe_keys(count: Option<Count>) -> String {
    match count {
        None => {
            "Its own keys are revoked at once. Keys for all applications keep working.".to_owned()
        }
        Some(Count { keys: 0, .. }) => {
            "It has no active keys of its own. Keys for all applications keep working.".to_owned()
        }
        Some(Count { keys: 1, is_all: true }) => {
            "1 key for this application alone is revoked at once.".to_owned()
        }
        Some(Count { keys, is_all }) => {
            let more = if is_all { "" } else { "More than " };
            let keys = thousands(keys);
            format!("{more}{keys} keys for this application alone are revoked at once.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_go_are_counted_in_words() {
        let all = |keys| describe_keys(Some(Count { keys, is_all: true }));
        assert!(all(0).starts_with("It has no active keys of its own."));
        assert_eq!(all(1), "1 key for this application alone is revoked at once.");
        assert_eq!(all(2), "2 keys for this application alone are revoked at once.");
        let some = describe_keys(Some(Count { keys: 500, is_all: false }));
        assert_eq!(some, "More than 500 keys for this application alone are revoked at once.");
    }
}
