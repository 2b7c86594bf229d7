//! The dialog that deletes a project.

use latchkey_domain::id::ProjectId;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::super::SettingsSubject;
use super::super::delete::{DeleteDialog, describe_keys};
use crate::api::{delete_project, list_applications};
use crate::components::form::Submission;
use crate::layout::Workspace;
use latchkey_ui::consequence::Consequence;
use latchkey_ui::icon::Glyph;
use latchkey_ui::toast::Toasts;

/// Dialog that deletes the project.
#[component]
pub fn DeleteProject(
    /// Resource to delete.
    subject: Signal<SettingsSubject>,
    /// Called to close the dialog.
    #[prop(into)]
    on_close: Callback<()>,
) -> impl IntoView {
    let (workspace, toasts) = (expect_context::<Workspace>(), expect_context::<Toasts>());
    let navigate = use_navigate();
    let go_home = Callback::new(move |()| navigate("/", NavigateOptions::default()));
    let submission = Submission::new();
    // The dialog keeps the project it was opened for.
    let (id, name) =
        subject.with_untracked(|subject| (subject.project.id, subject.project.name.clone()));
    let delete = move |()| {
        submission.start();
        leptos::task::spawn_local(async move {
            match delete_project(id).await {
                Ok(()) => {
                    toasts.success("Project deleted");
                    _ = go_home.try_run(());
                    workspace.remove_project(id);
                }
                Err(error) => {
                    let failed = "Couldn’t delete the project. Nothing was changed. Try again.";
                    submission.fail(&error, failed, &[]);
                    workspace.reload();
                }
            }
        });
    };
    let applications = LocalResource::new(move || count_applications(id));
    let applications = move || match applications.get() {
        Some(Some(count)) => describe_applications(count),
        _ => "Its applications are deleted, with their traces and logs.".to_owned(),
    };
    let keys = move || describe_keys(subject.with(|subject| subject.project.keys_used));
    view! {
        <DeleteDialog
            name
            label="Type the project’s name to delete it"
            action="Delete project"
            submission
            on_close
            on_delete=delete
        >
            <Consequence glyph=Glyph::Boxes>{applications}</Consequence>
            <Consequence glyph=Glyph::Ban>{keys}</Consequence>
        </DeleteDialog>
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

fn describe_applications(count: usize) -> String {
    match count {
        0 => "It has no applications.".to_owned(),
        1 => "1 application is deleted, with its traces and logs.".to_owned(),
        count => format!("{count} applications are deleted, with their traces and logs."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_applications_that_go_are_counted_in_words() {
        assert_eq!(describe_applications(0), "It has no applications.");
        assert_eq!(describe_applications(1), "1 application is deleted, with its traces and logs.");
        assert_eq!(
            describe_applications(3),
            "3 applications are deleted, with their traces and logs."
        );
    }
}
