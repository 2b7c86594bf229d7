//! One application of the list; on narrow screens, its card.

use latchkey_domain::api::Application;
use leptos::prelude::*;

use super::page_state::ApplicationsPageState;
use super::usage::ApplicationUsage;
use crate::layout::{Workspace, application_path};
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::menu::{Menu, MenuDivider, MenuItem};
use latchkey_ui::table::{ACTIONS_CELL, CELL, Column, EmptyCell, ROW};
use latchkey_ui::thousands;

/// The columns of the list.
pub const COLUMNS: &[Column] = &[
    Column::new("Name"),
    Column::new("Description").class("w-full max-lg:hidden"),
    Column::new("Environment"),
    Column::new("Keys").class("text-right"),
    Column::new("Requests, 24 h").class("text-right whitespace-nowrap"),
    Column::actions(),
];

/// One application. Its name is the link; the rest of the row is part of its area.
#[component]
pub fn Row(
    /// Where it is listed.
    page: ApplicationsPageState,
    /// Application that the element shows.
    application: Application,
) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let id = application.id;
    let path = application_path(application.project_id, id);
    let now = Memo::new(move |_| page.list.row(id).unwrap_or_else(|| application.clone()));
    let long_id = id.to_string();
    let short_id = long_id.get(..12).unwrap_or_default().to_owned();
    let is_described = Memo::new(move |_| now.with(|now| !now.description.is_empty()));
    let description = move || {
        let description = now.with(|now| now.description.clone());
        if description.is_empty() {
            view! { <EmptyCell/> }.into_any()
        } else {
            description.into_any()
        }
    };
    let used = move || page.usage.get(id);
    view! {
        <tr role="row" class=format!("relative {ROW}")>
            <td role="cell" class=format!("{CELL} max-w-72 md:min-w-40 max-md:col-span-3 max-md:max-w-none max-md:min-w-0")>
                <a href=move || workspace.address(&path) class="block truncate font-medium after:absolute after:inset-0">
                    {move || now.with(|now| now.name.clone())}
                </a>
                <code class="block font-mono text-[11.5px] leading-4 text-ink-3" title=long_id>
                    {short_id}
                </code>
            </td>
            <td
                role="cell"
                class=format!("{CELL} max-w-0 truncate text-ink-2 md:max-lg:hidden max-md:order-2 max-md:col-span-4 max-md:max-w-none")
                class=("max-md:hidden", move || !is_described.get())
            >
                {description}
            </td>
            <td role="cell" class=format!("{CELL} text-ink-2 max-md:order-3 max-md:col-span-2 max-md:text-caption")>
                {move || now.with(|now| now.environment.label())}
            </td>
            <td role="cell" class=format!("{CELL} num text-right whitespace-nowrap max-md:order-3 max-md:text-caption")>
                <Number of=Signal::derive(move || used().map(|it: ApplicationUsage| it.keys)) one="key" many="keys"/>
            </td>
            <td role="cell" class=format!("{CELL} num text-right whitespace-nowrap max-md:order-3 max-md:text-caption")>
                <Number of=Signal::derive(move || used().map(|it: ApplicationUsage| it.requests)) one="request" many="requests"/>
            </td>
            <td role="cell" class=format!("{CELL} {ACTIONS_CELL} max-md:order-1 max-md:justify-self-end")>
                <Actions page now/>
            </td>
        </tr>
    }
}

/// A count; on cards, which have no head, with its unit.
#[component]
fn Number(of: Signal<Option<u64>>, one: &'static str, many: &'static str) -> impl IntoView {
    move || match of.get() {
        Some(count) => {
            let unit = if count == 1 { one } else { many };
            view! {
                {thousands(count)}
                <span class="md:hidden">" " {unit}</span>
            }
            .into_any()
        }
        None => view! { <EmptyCell/> }.into_any(),
    }
}

/// The actions of an application, for users with the permission.
#[component]
fn Actions(page: ApplicationsPageState, now: Memo<Application>) -> impl IntoView {
    view! {
        <Show when=move || page.may_write.get()>
            // Above the link, which covers the whole row.
            <div class="relative z-10 inline-block">
                <ApplicationMenu
                    application=now
                    on_edit=move |()| page.editing.set(Some(now.get_untracked()))
                    on_delete=move |()| page.deletion.target.set(Some(now.get_untracked()))
                />
            </div>
        </Show>
    }
}

/// The menu of an application, in its row and on its page.
#[component]
pub fn ApplicationMenu(
    /// Application that the element shows.
    #[prop(into)]
    application: Signal<Application>,
    /// Called to edit the application.
    #[prop(into)]
    on_edit: Callback<()>,
    /// Called to delete the resource.
    #[prop(into)]
    on_delete: Callback<()>,
) -> impl IntoView {
    let label = Signal::derive(move || application.with(|it| format!("Actions for {}", it.name)));
    view! {
        <Menu
            label
            trigger=|| view! { <Icon glyph=Glyph::Ellipsis/> }
            trigger_class="inline-flex size-7 cursor-pointer items-center justify-center rounded-sm text-ink-3 hover:bg-hover hover:text-ink max-md:size-11"
        >
            <MenuItem glyph=Glyph::Pencil on_press=on_edit>"Edit…"</MenuItem>
            <MenuDivider/>
            <MenuItem glyph=Glyph::Trash2 danger=true on_press=on_delete>"Delete…"</MenuItem>
        </Menu>
    }
}
