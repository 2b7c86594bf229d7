//! `/`: goes on to the applications of the first project.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use crate::components::empty_state::EmptyState;
use crate::components::error_state::ErrorState;
use crate::components::frame::{PageHead, Workspace, applications_path};
use crate::components::icon::Glyph;
use crate::components::skeleton::{SkeletonRows, skeleton_shown};

/// The page.
#[component]
pub fn Home() -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let navigate = use_navigate();
    let first = Memo::new(move |_| {
        workspace.with(|workspace| workspace.projects.first().map(|project| project.id))
    });
    Effect::new(move |_| {
        if let Some(Some(project)) = first.get() {
            let options = NavigateOptions { replace: true, ..NavigateOptions::default() };
            navigate(&applications_path(project), options);
        }
    });
    let waiting = skeleton_shown(Signal::derive(move || workspace.is_loading()));
    view! {
        <PageHead title="Applications"/>
        <div class="rounded-lg border border-line bg-surface">
            {move || {
                if waiting.get() {
                    return view! { <SkeletonRows/> }.into_any();
                }
                match workspace.error() {
                    Some(error) => {
                        let retry = move |()| workspace.reload();
                        view! { <ErrorState title="Couldn’t load your projects" error on_retry=retry/> }.into_any()
                    }
                    None if first.get() == Some(None) => view! { <NoProject/> }.into_any(),
                    None => view! { <SkeletonRows/> }.into_any(),
                }
            }}
        </div>
    }
}

/// What a person sees who was removed from every organization.
#[component]
fn NoProject() -> impl IntoView {
    view! {
        <EmptyState
            glyph=Glyph::Boxes
            title="No projects"
            text="You aren’t in an organization with a project. Ask an admin for an invite."
        />
    }
}
