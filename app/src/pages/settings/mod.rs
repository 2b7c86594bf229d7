//! The settings of a project and of its organization.

pub mod delete;
pub mod limits;
pub mod members;
pub mod moving;
pub mod organization;
pub mod project;
pub mod service_keys;

use latchkey_domain::api::{Organization, Project};
use leptos::prelude::*;

use super::not_found::NotFound;
use crate::components::error_state::ErrorState;
use crate::layout::use_project_id;
use crate::layout::{About, PageHead, Workspace, settings_section};
use latchkey_ui::skeleton::SkeletonRows;
use latchkey_ui::table::Card;

/// What the settings are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsSubject {
    /// The project that the address names.
    pub project: Project,
    /// Its organization, with the person's role.
    pub organization: Organization,
}

/// A page of the settings, once what it is about is known. A path that names no project is answered
/// like one that names a stranger's.
#[component]
pub fn SettingsPage(
    /// Its title, for as long as it waits.
    title: &'static str,
    /// What it is about.
    #[prop(optional)]
    about: About,
    /// Title of the error: “Couldn't load the plan”.
    failed: &'static str,
    /// The page. Its subject may be updated while it is shown, but never becomes another project.
    page: fn(Signal<SettingsSubject>) -> AnyView,
) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let project = use_project_id();
    let found = Memo::new(move |_| {
        let (project, organization) = workspace.project().zip(workspace.organization())?;
        Some(SettingsSubject { project, organization })
    });
    let which = Memo::new(move |_| found.with(|found| found.as_ref().map(|it| it.project.id)));
    let missing = Memo::new(move |_| {
        project.get().is_none() || (workspace.is_loaded() && which.get().is_none())
    });
    move || {
        if missing.get() {
            return view! { <NotFound/> }.into_any();
        }
        match (which.get(), found.get_untracked()) {
            (Some(_), Some(first)) => {
                page(Signal::derive(move || found.get().unwrap_or_else(|| first.clone())))
            }
            _ => view! { <Waiting title about failed workspace/> }.into_any(),
        }
    }
}

#[component]
fn Waiting(
    title: &'static str,
    about: About,
    failed: &'static str,
    workspace: Workspace,
) -> impl IntoView {
    view! {
        <PageHead title about section=settings_section()/>
        <Card>
            {move || match workspace.error() {
                Some(error) => view! { <ErrorState title=failed error on_retry=move |()| workspace.reload()/> }
                    .into_any(),
                None => view! { <div aria-busy="true"><SkeletonRows/></div> }.into_any(),
            }}
        </Card>
    }
}

/// The head of a page of the settings.
#[component]
pub fn SettingsHead(
    /// Title of the row or section.
    title: &'static str,
    /// What it is about.
    #[prop(optional)]
    about: About,
    /// What it is for.
    #[prop(into)]
    description: Signal<String>,
    /// Buttons beside the title.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let section = settings_section();
    let compact = children.is_some();
    let actions = children.map(|children| children());
    view! { <PageHead title about section description compact>{actions}</PageHead> }
}
