//! Deleting a project: what goes with it, its name once more, then the deed.

use latchkey_domain::id::ProjectId;
use latchkey_domain::problem::ErrorCode;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::super::Subject;
use crate::api::{ApiError, delete_project, list_applications};
use crate::components::button::{Button, Variant};
use crate::components::callout::{Callout, Tone};
use crate::components::consequence::Consequence;
use crate::components::dialog::{Dialog, DialogWidth};
use crate::components::field::TextField;
use crate::components::frame::Workspace;
use crate::components::icon::Glyph;
use crate::components::thousands;
use crate::components::toast::Toasts;

/// The dialog.
#[component]
pub fn DeleteProject(
    /// Which project.
    subject: Signal<Subject>,
    /// Closes the dialog.
    #[prop(into)]
    on_close: Callback<()>,
) -> impl IntoView {
    let (workspace, toasts) = (expect_context::<Workspace>(), expect_context::<Toasts>());
    let navigate = use_navigate();
    let go_home = Callback::new(move |()| navigate("/", NavigateOptions::default()));
    // What is being deleted stays what it was when the dialog opened.
    let (id, name) =
        subject.with_untracked(|subject| (subject.project.id, subject.project.name.clone()));
    let typed = RwSignal::new(String::new());
    let refusal = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let wanted = StoredValue::new(name.clone());
    let differs =
        Signal::derive(move || typed.with(|text| wanted.with_value(|name| text.trim() != name)));
    let delete = move |()| {
        refusal.set(None);
        busy.set(true);
        leptos::task::spawn_local(async move {
            match delete_project(id).await {
                Ok(()) => {
                    toasts.success("Project deleted");
                    _ = go_home.try_run(());
                    workspace.remove_project(id);
                }
                Err(error) if busy.try_set(false).is_none() => {
                    refusal.set(Some(why(&error)));
                    workspace.reload();
                }
                Err(_) => {}
            }
        });
    };
    view! {
        <Dialog
            title=format!("Delete {name}?")
            width=DialogWidth::Confirm
            confirm=true
            busy
            dirty=Signal::derive(move || !typed.with(String::is_empty))
            on_close
            footer=move || {
                view! {
                    <Button autofocus=true disabled=busy on_press=on_close>"Cancel"</Button>
                    <Button
                        variant=Variant::Danger
                        glyph=Glyph::Trash2
                        busy
                        busy_label="Deleting…"
                        disabled=differs
                        on_press=delete
                    >
                        "Delete project"
                    </Button>
                }
            }
        >
            <div class="flex flex-col gap-4">
                {move || refusal.get().map(|why| view! { <Callout tone=Tone::Danger alert=true>{why}</Callout> })}
                <WhatGoes id subject/>
                <TextField
                    name="confirmation"
                    label="Type the project’s name to delete it"
                    value=typed
                    hint=name
                />
            </div>
        </Dialog>
    }
}

#[component]
fn WhatGoes(id: ProjectId, subject: Signal<Subject>) -> impl IntoView {
    let applications = LocalResource::new(move || count_applications(id));
    let applications = move || match applications.get() {
        Some(Some(count)) => applications_go(count),
        _ => "Its applications go with it, and what they sent.".to_owned(),
    };
    let keys = move || keys_go(subject.with(|subject| subject.project.keys_used));
    view! {
        <ul class="flex flex-col gap-2 text-ink-2">
            <Consequence glyph=Glyph::Boxes>{applications}</Consequence>
            <Consequence glyph=Glyph::Ban>{keys}</Consequence>
            <Consequence glyph=Glyph::Undo2>"Nobody can restore it. Its history stays in the audit log."</Consequence>
        </ul>
    }
}

/// How many applications there are, if that can be known.
async fn count_applications(project: ProjectId) -> Option<usize> {
    let mut count = 0;
    let mut cursor = None;
    loop {
        let page = list_applications(project, cursor).await.ok()?;
        count += page.data.len();
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Some(count);
        }
    }
}

fn applications_go(count: usize) -> String {
    match count {
        0 => "It has no applications.".to_owned(),
        1 => "1 application goes with it, and what it sent.".to_owned(),
        count => format!("{count} applications go with it, and what they sent."),
    }
}

fn keys_go(count: u64) -> String {
    match count {
        0 => "It has no active keys. Service keys are revoked at once.".to_owned(),
        1 => "1 active key is revoked at once, and all service keys.".to_owned(),
        count => {
            format!("{} active keys are revoked at once, and all service keys.", thousands(count))
        }
    }
}

fn why(error: &ApiError) -> String {
    match (error.code(), error.problem()) {
        (Some(ErrorCode::Forbidden | ErrorCode::Conflict), Some(problem)) => problem.detail.clone(),
        _ => "Couldn’t delete the project. Nothing was changed. Try again.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_is_counted_in_words() {
        assert_eq!(applications_go(0), "It has no applications.");
        assert_eq!(applications_go(1), "1 application goes with it, and what it sent.");
        assert_eq!(applications_go(3), "3 applications go with it, and what they sent.");
        assert_eq!(keys_go(1), "1 active key is revoked at once, and all service keys.");
        assert_eq!(keys_go(1_200), "1,200 active keys are revoked at once, and all service keys.");
    }
}
