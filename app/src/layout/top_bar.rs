//! The bar above the page: breadcrumb, theme and account menu.

use latchkey_domain::api::Project;
use leptos::prelude::*;

use super::account_menu::AccountMenu;
use super::page_head::{About, Crumbs};
use super::switcher::{Switcher, SwitcherLook};
use super::{Workspace, applications_path};
use crate::theme::Theme;
use latchkey_ui::button::IconButton;
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::mark::Logo;

#[component]
pub(super) fn TopBar(
    /// Whether the drawer is open.
    drawer: RwSignal<bool>,
) -> impl IntoView {
    let theme = expect_context::<Theme>();
    view! {
        <header class="sticky top-0 z-30 flex h-14 shrink-0 items-center gap-2 border-b border-line bg-canvas px-3 md:h-13 md:px-6 lg:px-8">
            <IconButton
                glyph=Glyph::Menu
                label="Open navigation"
                class="-ml-1 lg:hidden max-md:[&_svg]:size-5"
                on_press=move |()| drawer.set(true)
            />
            <div class="flex min-w-0 items-center gap-1 md:hidden">
                <Logo/>
                <Switcher look=SwitcherLook::TopBar/>
            </div>
            <Breadcrumb/>
            <div class="ml-auto flex shrink-0 items-center gap-1 md:gap-2">
                <button
                    type="button"
                    class="inline-flex size-8 cursor-pointer items-center justify-center rounded-sm text-ink-2 hover:bg-hover hover:text-ink max-md:size-11 max-md:[&_svg]:size-5"
                    aria-label="Switch between light and dark theme"
                    on:click=move |_| theme.toggle()
                >
                    <span class="inline-flex dark:hidden"><Icon glyph=Glyph::Sun/></span>
                    <span class="hidden dark:inline-flex"><Icon glyph=Glyph::Moon/></span>
                </button>
                <AccountMenu/>
            </div>
        </header>
    }
}

/// Organization / project / page, and the item on it; without the project on pages about the
/// organization.
#[component]
fn Breadcrumb() -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let crumbs = expect_context::<Crumbs>();
    let organization =
        move || workspace.organization().filter(|_| crumbs.get().about != About::Person);
    let project = move || workspace.project().filter(|_| crumbs.get().about == About::Project);
    view! {
        <nav aria-label="Breadcrumb" class="min-w-0 text-table max-md:hidden">
            <ol class="flex min-w-0 items-center">
                {move || organization().map(|it| view! { <Crumb>{it.name}</Crumb> })}
                {move || {
                    let Project { id, name, .. } = project()?;
                    let href = workspace.address(&applications_path(id));
                    Some(view! { <Crumb><CrumbLink href>{name}</CrumbLink></Crumb> })
                }}
                {move || {
                    crumbs
                        .get()
                        .section
                        .map(|it| view! { <Crumb><CrumbLink href=it.href>{it.title}</CrumbLink></Crumb> })
                }}
                <li class="min-w-0 truncate font-medium" aria-current="page">{move || crumbs.get().title}</li>
            </ol>
        </nav>
    }
}

#[component]
fn Crumb(children: Children) -> impl IntoView {
    view! {
        <li class="flex min-w-0 shrink items-center text-ink-2 after:mx-2 after:text-ink-3 after:content-['/'/'']">
            <span class="truncate">{children()}</span>
        </li>
    }
}

#[component]
fn CrumbLink(href: String, children: Children) -> impl IntoView {
    view! { <a href=href class="rounded-xs hover:text-ink">{children()}</a> }
}
