//! The settings pages: their paths, and the list of them that opens below “Settings”.

use latchkey_domain::id::ProjectId;
use leptos::prelude::*;

use super::nav_variant::NavVariant;
use super::page_head::Section;
use super::{Workspace, plan_path, use_bare_path};

/// Path of the user's sessions.
pub const SESSIONS_PATH: &str = "/settings/sessions";

/// Path of the user's invitations.
pub const INVITATIONS_PATH: &str = "/settings/invitations";

/// Path of the upstreams, for administrators of the instance.
pub const UPSTREAMS_PATH: &str = "/settings/upstreams";

/// Path of the members of a project's organization. “Settings” links to it.
pub fn members_path(project: ProjectId) -> String {
    format!("{}/members", settings_path(project))
}

/// Path of the settings of a project's organization.
pub fn organization_path(project: ProjectId) -> String {
    format!("{}/organization", settings_path(project))
}

/// Path of a project's own settings.
pub fn project_settings_path(project: ProjectId) -> String {
    format!("{}/project", settings_path(project))
}

/// Path of a project's service keys.
pub fn service_keys_path(project: ProjectId) -> String {
    format!("{}/service-keys", settings_path(project))
}

/// Prefix of the paths of all settings.
pub(super) fn settings_path(project: ProjectId) -> String {
    format!("/projects/{project}/settings")
}

/// The breadcrumb section of all settings pages.
pub fn settings_section() -> Signal<Section> {
    let workspace = expect_context::<Workspace>();
    Signal::derive(move || {
        let path = workspace.project_id().map(members_path).unwrap_or_default();
        Section { title: "Settings", href: workspace.address(&path) }
    })
}

/// The label of a page, and its path.
type NamedPath = (&'static str, fn(ProjectId) -> String);

/// The pages in their order: those about the organization, then those about the project.
const PAGES: [NamedPath; 5] = [
    ("Members", members_path),
    ("Organization", organization_path),
    ("Plan", plan_path),
    ("Project", project_settings_path),
    ("Service keys", service_keys_path),
];

/// The list of the pages, while one of them is open.
#[component]
pub(super) fn SettingsPages(variant: NavVariant, workspace: Workspace) -> impl IntoView {
    let place = match variant {
        NavVariant::Column => "h-7 pl-8.5 text-table max-xl:hidden",
        NavVariant::Drawer => "h-11 pl-8.5 text-body",
    };
    let open_in = project_of_settings(workspace);
    move || open_in.get().map(|project| links(workspace, project, place))
}

/// The same list above the page, for the width at which the navigation is a column of icons.
#[component]
pub(super) fn SettingsBar(workspace: Workspace) -> impl IntoView {
    let open_in = project_of_settings(workspace);
    move || {
        open_in.get().map(|project| {
            view! {
                <nav aria-label="Settings" class="mb-4 hidden gap-1 border-b border-line pb-2 lg:max-xl:flex">
                    {links(workspace, project, "h-8 pl-2 text-table")}
                </nav>
            }
        })
    }
}

/// The project whose settings are open.
fn project_of_settings(workspace: Workspace) -> Memo<Option<ProjectId>> {
    let place = use_bare_path();
    Memo::new(move |_| {
        let project = workspace.project_id()?;
        place.with(|place| place.starts_with(&settings_path(project))).then_some(project)
    })
}

fn links(workspace: Workspace, project: ProjectId, place: &'static str) -> impl IntoView + use<> {
    let link = |(label, to): NamedPath| {
        view! { <PageLink workspace place label path=to(project)/> }
    };
    PAGES.map(link).collect_view()
}

#[component]
fn PageLink(
    workspace: Workspace,
    place: &'static str,
    label: &'static str,
    path: String,
) -> impl IntoView {
    let now = use_bare_path();
    let href = {
        let path = path.clone();
        move || workspace.address(&path)
    };
    let here = Memo::new(move |_| now.with(|now| *now == path));
    let look = move || {
        if here.get() {
            "bg-pressed font-medium text-ink"
        } else {
            "text-ink-2 hover:bg-hover hover:text-ink"
        }
    };
    view! {
        <a
            href=href
            class=move || {
                format!("flex items-center rounded-sm pr-2 transition-colors duration-[120ms] {place} {}", look())
            }
            aria-current=move || here.get().then_some("page")
        >
            {label}
        </a>
    }
}
