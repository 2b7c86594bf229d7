//! The applications of a project, each a link to its own page.

use latchkey_domain::api::Application;
use latchkey_domain::id::ProjectId;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::api::list_applications;
use crate::components::empty_state::EmptyState;
use crate::components::error_state::ErrorState;
use crate::components::frame::{PageHead, application_path};
use crate::components::icon::Glyph;
use crate::components::pager::LoadMore;
use crate::components::table::{CELL, Card, Column, LoadingTable, Nothing, ROW, Table};
use crate::pages::feed::{Feed, Shown};
use crate::pages::not_found::NotFound;

const COLUMNS: &[Column] =
    &[Column::new("Name"), Column::new("Description").class("w-full"), Column::new("Environment")];

/// The page. A path that names no project is answered like one that names a stranger's.
#[component]
pub fn ApplicationsPage() -> impl IntoView {
    let params = use_params_map();
    let project = Memo::new(move |_| {
        params.with(|params| params.get_str("project").and_then(|id| id.parse::<ProjectId>().ok()))
    });
    move || match project.get() {
        Some(project) => view! { <Applications project/> }.into_any(),
        None => view! { <NotFound/> }.into_any(),
    }
}

#[component]
fn Applications(project: ProjectId) -> impl IntoView {
    let feed = Feed::new(move |cursor| list_applications(project, cursor));
    let missing = Memo::new(move |_| feed.is_missing());
    move || {
        if missing.get() {
            view! { <NotFound/> }.into_any()
        } else {
            view! { <List feed/> }.into_any()
        }
    }
}

#[component]
fn List(feed: Feed<Application>) -> impl IntoView {
    let shown = feed.shown();
    let content = move || {
        match shown.get() {
        Shown::Skeleton => view! { <LoadingTable label="Applications" columns=COLUMNS/> }.into_any(),
        Shown::Failed(error) => view! {
            <Card>
                <ErrorState title="Couldn’t load applications" error on_retry=move |()| feed.retry()/>
            </Card>
        }
        .into_any(),
        Shown::Empty => view! {
            <Card>
                <EmptyState
                    glyph=Glyph::Boxes
                    title="No applications"
                    text="This project has no application that keys could be for."
                />
            </Card>
        }
        .into_any(),
        Shown::Rows => view! {
            <Table label="Applications" columns=COLUMNS>
                <For each=move || feed.rows() key=|application| application.id let(application)>
                    <Row application/>
                </For>
            </Table>
            <LoadMore
                label="Load more"
                there=Signal::derive(move || feed.has_older())
                state=Signal::derive(move || feed.older())
                on_press=move |()| feed.load_older()
            />
        }
        .into_any(),
    }
    };
    view! {
        <PageHead
            title="Applications"
            description="What your keys are for. Open one to see its keys and what it sends."
        />
        {content}
    }
}

/// One application. Its name is the link; the rest of the row is part of its area.
#[component]
fn Row(application: Application) -> impl IntoView {
    let id = application.id.to_string();
    let href = application_path(application.project_id, application.id);
    let short_id = id.get(..12).unwrap_or_default().to_owned();
    let description = application.description;
    view! {
        <tr role="row" class=format!("relative {ROW}")>
            <td role="cell" class=format!("{CELL} max-w-72 max-md:col-span-3 max-md:max-w-none max-md:min-w-0")>
                <a href=href class="block truncate font-medium after:absolute after:inset-0">
                    {application.name}
                </a>
                <code class="block font-mono text-[11.5px] leading-4 text-ink-3" title=id>
                    {short_id}
                </code>
            </td>
            <td role="cell" class=format!("{CELL} max-w-0 truncate text-ink-2 max-md:order-2 max-md:col-span-4 max-md:max-w-none")>
                {if description.is_empty() { view! { <Nothing/> }.into_any() } else { description.into_any() }}
            </td>
            <td role="cell" class=format!("{CELL} text-ink-2 max-md:order-1 max-md:text-caption")>
                {application.environment.label()}
            </td>
        </tr>
    }
}
