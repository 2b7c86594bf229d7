//! `/`: redirects to the applications of the first project, or offers to create one.

use latchkey_domain::id::OrganizationId;
use latchkey_domain::role::Permission;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};

use crate::components::error_state::ErrorState;
use crate::layout::{CreateDialogs, PageHead, Workspace, WorkspaceData, applications_path};
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::Glyph;
use latchkey_ui::skeleton::{SkeletonRows, skeleton_shown};

/// Page that redirects to a project.
#[component]
pub fn Home() -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let navigate = use_navigate();
    let first = Memo::new(move |_| {
        workspace.with(|workspace| workspace.projects.first().map(|project| project.id))
    });
    let path = use_location().pathname;
    Effect::new(move |_| {
        // A user who has just created their first project here is on the way to its keys.
        let is_here = path.with_untracked(|path| path == "/");
        if let Some(Some(project)) = first.get().filter(|_| is_here) {
            let options = NavigateOptions { replace: true, ..NavigateOptions::default() };
            let address = untrack(|| workspace.address(&applications_path(project)));
            navigate(&address, options);
        }
    });
    let waiting = skeleton_shown(Signal::derive(move || workspace.is_loading()));
    let title = move || if first.get() == Some(None) { "Projects" } else { "Applications" };
    view! {
        <PageHead title=Signal::derive(move || title().to_owned())/>
        <section aria-labelledby="projects-title" class="rounded-lg border border-line bg-surface">
            <h2 id="projects-title" class="sr-only">"Your projects"</h2>
            {move || {
                if waiting.get() {
                    return view! { <SkeletonRows/> }.into_any();
                }
                match workspace.error() {
                    Some(error) => {
                        let retry = move |()| workspace.reload();
                        view! { <ErrorState title="Couldn’t load your projects" error on_retry=retry/> }.into_any()
                    }
                    None if first.get() == Some(None) => view! { <NoProject workspace/> }.into_any(),
                    None => view! { <SkeletonRows/> }.into_any(),
                }
            }}
        </section>
    }
}

/// Shown if the last project was deleted, or if the user was removed from every organization.
#[component]
fn NoProject(workspace: Workspace) -> impl IntoView {
    let dialogs = expect_context::<CreateDialogs>();
    let host = Memo::new(move |_| {
        let may = |data: &WorkspaceData| {
            let mut all = data.me.organizations.iter();
            all.find(|organization| organization.allows(Permission::ProjectsWrite)).map(|it| it.id)
        };
        workspace.with(may).flatten()
    });
    move || {
        let host = host.get();
        let (text, variant) = match host {
            Some(_) => ("Keys belong to a project. Create one to get started.", Variant::Secondary),
            None => (
                "You can’t create projects in any organization. Ask an admin for an invite, or create an \
                organization of your own.",
                Variant::Primary,
            ),
        };
        view! {
            <EmptyState glyph=Glyph::Boxes title="No projects" text>
                <Button variant on_press=move |()| dialogs.organization()>"New organization"</Button>
                {host.map(|host| view! { <NewProject dialogs host/> })}
            </EmptyState>
        }
    }
}

#[component]
fn NewProject(dialogs: CreateDialogs, host: OrganizationId) -> impl IntoView {
    view! {
        <Button variant=Variant::Primary glyph=Glyph::Plus on_press=move |()| dialogs.project_in(host)>
            "New project"
        </Button>
    }
}
