//! The project switcher: shows the current project, and opens others or the dialogs for new ones.

use latchkey_domain::api::{Organization, Project};
use latchkey_domain::role::Permission;
use leptos::prelude::*;

use super::{CreateDialogs, Workspace, applications_path};
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::menu::{Menu, MenuDivider, MenuItem, MenuLink, MenuPlace};
use latchkey_ui::skeleton::SkeletonBar;

/// Where the switcher is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SwitcherLook {
    /// In the column; only an icon if that is narrow.
    Sidebar,
    /// In the drawer on small screens.
    Drawer,
    /// In the top bar of phones: only the project's name.
    TopBar,
}

#[component]
pub(super) fn Switcher(
    /// Where the switcher is shown.
    look: SwitcherLook,
) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let class = match look {
        SwitcherLook::Sidebar => {
            "flex h-12 w-full cursor-pointer items-center gap-2 rounded-md border border-line-strong bg-raised px-2 text-left shadow-xs hover:bg-hover max-xl:h-10 max-xl:justify-center max-xl:px-0"
        }
        SwitcherLook::Drawer => {
            "flex h-14 w-full cursor-pointer items-center gap-2.5 rounded-md border border-line-strong bg-raised px-2 text-left shadow-xs hover:bg-hover"
        }
        SwitcherLook::TopBar => {
            "flex h-11 max-w-full min-w-0 cursor-pointer items-center gap-1.5 rounded-sm px-1 text-body font-medium"
        }
    };
    let label = move || match workspace.project() {
        Some(project) => format!("Project {}, switch", project.name),
        None => "Switch project".to_owned(),
    };
    view! {
        <Menu
            label=Signal::derive(label)
            trigger=move || view! { <Current look workspace/> }
            trigger_class=class
            place=MenuPlace::Below
        >
            <Projects workspace/>
        </Menu>
    }
}

/// The project that the page is about.
#[component]
fn Current(look: SwitcherLook, workspace: Workspace) -> impl IntoView {
    let hidden = if look == SwitcherLook::Sidebar { "max-xl:hidden" } else { "" };
    let name = move || workspace.project().map(|project| project.name);
    if look == SwitcherLook::TopBar {
        return view! {
            <span class="min-w-0 truncate">{move || name().unwrap_or_else(|| "Latchkey".to_owned())}</span>
            <Icon glyph=Glyph::ChevronsUpDown size=14 class="text-ink-3"/>
        }
        .into_any();
    }
    view! {
        <span class="flex size-7 shrink-0 items-center justify-center rounded-sm bg-accent-soft text-table font-semibold text-accent-ink">
            {move || name().and_then(|name| name.chars().next()).map(|first| first.to_uppercase().to_string())}
        </span>
        <span class=format!("min-w-0 grow {hidden}")>
            {move || match (workspace.project(), workspace.organization()) {
                (Some(project), Some(organization)) => {
                    view! {
                        <span class="flex items-center gap-1.5 text-micro text-ink-2">
                            <span class="truncate">{organization.name}</span>
                            <span class="shrink-0 rounded-xs border border-line-strong px-1.5">
                                {organization.tier.label()}
                            </span>
                        </span>
                        <span class="block truncate text-table font-medium">{project.name}</span>
                    }
                        .into_any()
                }
                _ if workspace.is_loaded() => {
                    view! { <span class="block truncate text-table text-ink-2">"Choose a project"</span> }
                        .into_any()
                }
                _ => {
                    view! {
                        <span class="flex flex-col gap-1.5">
                            <SkeletonBar class="h-2 w-16"/>
                            <SkeletonBar class="h-2.5 w-28"/>
                        </span>
                    }
                        .into_any()
                }
            }}
        </span>
        <span class=format!("text-ink-3 {hidden}")><Icon glyph=Glyph::ChevronsUpDown size=14/></span>
    }
    .into_any()
}

/// All projects, under the names of their organizations, and the ways to new ones.
#[component]
fn Projects(workspace: Workspace) -> impl IntoView {
    let dialogs = expect_context::<CreateDialogs>();
    let groups = move || {
        workspace.with(|data| {
            let group = |organization: &Organization| {
                let own = |project: &&Project| project.organization_id == organization.id;
                let projects = data.projects.iter().filter(own).cloned().collect();
                view! { <Group organization=organization.clone() projects workspace dialogs/> }
            };
            data.me.organizations.iter().map(group).collect_view()
        })
    };
    view! {
        <div class="max-h-[60dvh] overflow-y-auto">{groups}</div>
        <Show when=move || workspace.with(|data| !data.me.organizations.is_empty()).unwrap_or_default()>
            <MenuDivider/>
        </Show>
        <MenuItem glyph=Glyph::Plus on_press=move |()| dialogs.organization()>"New organization…"</MenuItem>
    }
}

/// The projects of an organization.
#[component]
fn Group(
    organization: Organization,
    projects: Vec<Project>,
    workspace: Workspace,
    dialogs: CreateDialogs,
) -> impl IntoView {
    let Organization { id, name, tier, .. } = organization.clone();
    let heading = format!("{name} · {}", tier.label());
    let spoken = heading.clone();
    let add = organization.allows(Permission::ProjectsWrite).then(|| {
        view! {
            <MenuItem glyph=Glyph::Plus on_press=move |()| dialogs.project_in(id)>
                <span aria-hidden="true">"New project…"</span>
                <span class="sr-only">{format!("New project in {name}…")}</span>
            </MenuItem>
        }
    });
    let item = |project: Project| view! { <ProjectItem project workspace/> };
    view! {
        <div role="group" aria-label=spoken>
            <p class="px-2.5 pt-1.5 pb-1 text-micro text-ink-3" aria-hidden="true">{heading}</p>
            {projects.into_iter().map(item).collect_view()}
            {add}
        </div>
    }
}

#[component]
fn ProjectItem(project: Project, workspace: Workspace) -> impl IntoView {
    let id = project.id;
    let current = Signal::derive(move || workspace.project_id() == Some(id));
    let href = Signal::derive(move || workspace.address(&applications_path(id)));
    let used = match project.keys_limit {
        Some(limit) => format!("{}/{limit}", project.keys_used),
        None => project.keys_used.to_string(),
    };
    view! {
        <MenuLink href current>
            <span class="inline-flex w-4 shrink-0 text-accent">
                {move || current.get().then(|| view! { <Icon glyph=Glyph::Check/> })}
            </span>
            <span class="min-w-0 grow truncate">{project.name}</span>
            <span class="num text-caption text-ink-3">{used} <span class="sr-only">" keys"</span></span>
        </MenuLink>
    }
}
