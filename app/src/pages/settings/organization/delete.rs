//! The dialog that deletes an organization.

use latchkey_domain::api::Project;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::super::SettingsSubject;
use super::super::delete::{DeleteDialog, describe_keys};
use crate::api::delete_organization;
use crate::components::form::Submission;
use crate::layout::Workspace;
use latchkey_ui::consequence::Consequence;
use latchkey_ui::icon::Glyph;
use latchkey_ui::thousands;
use latchkey_ui::toast::Toasts;

/// Dialog that deletes the organization.
#[component]
pub fn DeleteOrganization(
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
    // The dialog keeps the organization it was opened for.
    let (id, name) = subject
        .with_untracked(|subject| (subject.organization.id, subject.organization.name.clone()));
    let delete = move |()| {
        submission.start();
        leptos::task::spawn_local(async move {
            match delete_organization(id).await {
                Ok(()) => {
                    toasts.success("Organization deleted");
                    _ = go_home.try_run(());
                    workspace.forget(id);
                }
                Err(error) => {
                    let failed =
                        "Couldn’t delete the organization. Nothing was changed. Try again.";
                    submission.fail(&error, failed, &[]);
                    workspace.reload();
                }
            }
        });
    };
    let own = Memo::new(move |_| {
        let of = |project: &&Project| project.organization_id == id;
        let count = |(count, keys), project: &Project| (count + 1, keys + project.keys_used);
        workspace.with(|data| data.projects.iter().filter(of).fold((0, 0), count))
    });
    let projects = move || own.get().map(|(count, _)| describe_projects(count));
    let keys = move || own.get().map(|(_, keys)| describe_keys(keys));
    view! {
        <DeleteDialog
            name
            label="Type the organization’s name to delete it"
            action="Delete organization"
            submission
            on_close
            on_delete=delete
        >
            <Consequence glyph=Glyph::Boxes>{projects}</Consequence>
            <Consequence glyph=Glyph::Ban>{keys}</Consequence>
        </DeleteDialog>
    }
}

fn describe_projects(count: u64) -> String {
    match count {
        0 => "It has no projects.".to_owned(),
        1 => "1 project is deleted, with its applications.".to_owned(),
        count => format!("{} projects are deleted, with their applications.", thousands(count)),
    }
}
