//! The navigation at the left: with labels from 1280 px, icons only from 1024 px. Below that, the
//! drawer shows it.

use latchkey_domain::id::ProjectId;
use latchkey_domain::role::Permission;
use leptos::prelude::*;

use super::nav_variant::NavVariant;
use super::settings::{SettingsPages, members_path, settings_path};
use super::switcher::{Switcher, SwitcherLook};
use super::{
    Workspace, api_keys_path, applications_path, audit_path, inference_keys_path, usage_path,
    use_bare_path,
};
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::mark::Logo;

const LINK: &str =
    "nav-link tooltip flex items-center gap-2.5 rounded-sm px-2 transition-colors duration-[120ms]";

#[component]
pub(super) fn Sidebar() -> impl IntoView {
    view! {
        <nav aria-label="Project" class="sticky top-0 hidden h-dvh w-14 shrink-0 flex-col border-r border-line bg-sidebar px-2 pb-4 lg:flex xl:w-60 xl:px-3">
            <a href="/" class="flex h-13 shrink-0 items-center gap-2 rounded-sm px-2 xl:px-1" aria-label="Latchkey">
                <Logo/>
                <span class="text-heading font-semibold max-xl:hidden">"Latchkey"</span>
            </a>
            <Navigation variant=NavVariant::Column/>
        </nav>
    }
}

/// The project switcher and the links to the pages. The parent provides the column and the
/// landmark.
#[component]
pub(super) fn Navigation(
    /// How much room there is.
    variant: NavVariant,
) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let look =
        if variant == NavVariant::Column { SwitcherLook::Sidebar } else { SwitcherLook::Drawer };
    let version = if variant == NavVariant::Column { "max-xl:hidden" } else { "" };
    let (size, words) = variant.link();
    let may_audit = Memo::new(move |_| {
        let project = workspace.project_to_navigate();
        let organization = project.and_then(|it| workspace.organization_of(it.organization_id));
        organization.is_some_and(|organization| organization.allows(Permission::AuditRead))
    });
    view! {
        <Switcher look/>
        <div class="mt-3 flex grow flex-col gap-0.5">
            <NavLink variant glyph=Glyph::Boxes label="Applications" to=applications_path workspace/>
            <NavLink variant glyph=Glyph::KeyRound label="API keys" to=api_keys_path workspace/>
            <NavLink variant glyph=Glyph::Cpu label="Inference keys" to=inference_keys_path workspace/>
            <NavLink variant glyph=Glyph::ChartColumn label="Usage" to=usage_path workspace/>
            <Show when=move || may_audit.get()>
                <NavLink variant glyph=Glyph::ScrollText label="Audit log" to=audit_path workspace/>
            </Show>
            <div class="mx-2 my-2.5 h-px bg-line"></div>
            <NavLink variant glyph=Glyph::Settings label="Settings" to=members_path workspace above=settings_path/>
            <SettingsPages variant workspace/>
        </div>
        <div class="flex items-center justify-between gap-2">
            <a
                href="/docs"
                rel="external"
                class=format!("{LINK} {size} grow text-ink-2 hover:bg-hover hover:text-ink")
                data-tip=(variant == NavVariant::Column).then_some("Docs")
            >
                <Icon glyph=Glyph::BookOpen/>
                <span class=words>"Docs"</span>
            </a>
            <p class=format!("px-2 text-caption text-ink-3 {version}")>
                {concat!("v", env!("CARGO_PKG_VERSION"))}
            </p>
        </div>
    }
}

/// A page of the project.
#[component]
fn NavLink(
    variant: NavVariant,
    glyph: Glyph,
    label: &'static str,
    to: fn(ProjectId) -> String,
    workspace: Workspace,
    /// What the paths of the pages beneath it begin with. Where there is room, they are listed.
    #[prop(optional)]
    above: Option<fn(ProjectId) -> String>,
) -> impl IntoView {
    let place = use_bare_path();
    let first = move || workspace.project_to_navigate().map(|project| project.id);
    let path = Memo::new(move |_| workspace.project_id().or_else(first).map(to));
    let href = move || path.get().map_or_else(|| "/".to_owned(), |path| workspace.address(&path));
    let chosen = Memo::new(move |_| {
        let beginning = workspace.project_id().map(above.unwrap_or(to));
        beginning.is_some_and(|beginning| place.with(|place| place.starts_with(&beginning)))
    });
    let (size, words) = variant.link();
    // If the page below it is visible in the list, only that one is marked.
    let marked = match (above.is_some(), variant) {
        (false, _) => "bg-pressed font-medium text-ink",
        (true, NavVariant::Column) => "text-ink max-xl:bg-pressed",
        (true, NavVariant::Drawer) => "text-ink",
    };
    let look =
        move || if chosen.get() { marked } else { "text-ink-2 hover:bg-hover hover:text-ink" };
    view! {
        <a
            href=href
            class=move || format!("{LINK} {size} {}", look())
            aria-current=move || chosen.get().then_some(if above.is_some() { "true" } else { "page" })
            data-tip=(variant == NavVariant::Column).then_some(label)
        >
            <span class="inline-flex" class:text-accent=chosen>
                <Icon glyph/>
            </span>
            <span class=words>{label}</span>
        </a>
    }
}
