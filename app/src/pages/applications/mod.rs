//! The applications of a project, each a link to its own page.

pub mod delete;
pub mod form;
pub mod page_state;
pub mod row;
pub mod usage;

use latchkey_domain::api::Application;
use latchkey_domain::id::ProjectId;
use latchkey_domain::role::Permission;
use leptos::prelude::*;

use self::delete::Deletion;
use self::form::{CreateApplication, EditApplication};
use self::page_state::ApplicationsPageState;
use self::row::{COLUMNS, Row};
use self::usage::ApplicationsUsage;
use super::not_found::NotFound;
use crate::api::list_applications;
use crate::components::list_view::ListView;
use crate::components::load_more::LoadMoreRows;
use crate::data::paged_list::PagedList;
use crate::layout::{PageHead, Workspace, use_project_id};
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::Glyph;
use latchkey_ui::shortcut::on_shortcut;
use latchkey_ui::table::{Card, Table};

/// The page. A path that names no project is answered like one that names a stranger's.
#[component]
pub fn ApplicationsPage() -> impl IntoView {
    let project = use_project_id();
    move || match project.get() {
        Some(project) => view! { <Applications project/> }.into_any(),
        None => view! { <NotFound/> }.into_any(),
    }
}

#[component]
fn Applications(project: ProjectId) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let list = PagedList::new(move |cursor| list_applications(project, cursor));
    let usage = ApplicationsUsage::of(project);
    Effect::new(move || {
        for application in list.rows() {
            workspace.remember_name(&application);
        }
    });
    let on_deleted = Callback::new(move |()| {
        list.refresh();
        usage.load();
        // Its keys used slots.
        workspace.reload();
    });
    let page = ApplicationsPageState {
        project,
        list,
        usage,
        creating: RwSignal::new(false),
        editing: RwSignal::new(None),
        deletion: Deletion::new(on_deleted),
        may_write: Memo::new(move |_| workspace.allows(Permission::ApplicationsWrite)),
    };
    on_shortcut("c", move || {
        if page.may_write.get_untracked() {
            page.creating.set(true);
        }
    });
    let missing = Memo::new(move |_| list.is_missing());
    move || {
        if missing.get() {
            return view! { <NotFound/> }.into_any();
        }
        view! {
            <Head page/>
            <section aria-labelledby="applications-title">
                <h2 id="applications-title" class="sr-only">"All applications"</h2>
                <List page/>
            </section>
            <Dialogs page/>
        }
        .into_any()
    }
}

#[component]
fn Head(page: ApplicationsPageState) -> impl IntoView {
    view! {
        <PageHead
            title="Applications"
            description="The applications that use your keys. Open one to see its keys and telemetry."
            compact=true
        >
            <Show when=move || page.may_write.get() && page.list.count() != 0>
                <NewButton page/>
            </Show>
        </PageHead>
    }
}

#[component]
fn NewButton(page: ApplicationsPageState) -> impl IntoView {
    view! {
        <Button variant=Variant::Primary glyph=Glyph::Plus on_press=move |()| page.creating.set(true)>
            "New application"
        </Button>
    }
}

#[component]
fn List(page: ApplicationsPageState) -> impl IntoView {
    let list = page.list;
    view! {
        <ListView
            state=list.state()
            label="Applications"
            columns=COLUMNS
            failed="Couldn’t load applications"
            on_retry=move |()| list.retry()
            empty=move || view! { <Empty page/> }
        >
            <Rows page/>
        </ListView>
    }
}

#[component]
fn Empty(page: ApplicationsPageState) -> impl IntoView {
    move || {
        let text = if page.may_write.get() {
            "A key for one application doesn’t work for any other. Create an application to get started."
        } else {
            "This project has no applications."
        };
        view! {
            <Card>
                <EmptyState glyph=Glyph::Boxes title="No applications" text>
                    <Show when=move || page.may_write.get()>
                        <NewButton page/>
                    </Show>
                </EmptyState>
            </Card>
        }
    }
}

#[component]
fn Rows(page: ApplicationsPageState) -> impl IntoView {
    let list = page.list;
    view! {
        <Table label="Applications" columns=COLUMNS>
            <For each=move || list.rows() key=|application| application.id let(application)>
                <Row page application/>
            </For>
        </Table>
        <LoadMoreRows list/>
        <p class="mt-3 text-caption text-ink-2">
            "Only active keys restricted to the application are counted."
        </p>
    }
}

#[component]
fn Dialogs(page: ApplicationsPageState) -> impl IntoView {
    let ApplicationsPageState { project, list, creating, editing, deletion, .. } = page;
    // A request that seemed to fail may have succeeded.
    let close = move || {
        creating.set(false);
        editing.set(None);
        list.refresh();
    };
    view! {
        <Show when=move || creating.get()>
            <CreateApplication project on_close=move |()| close()/>
        </Show>
        {move || {
            editing
                .get()
                .map(|application| {
                    let id = application.id;
                    let on_saved = move |saved: Application| list.change(id, |row| *row = saved);
                    view! { <EditApplication application on_saved on_close=move |()| close()/> }
                })
        }}
        {deletion.dialog()}
    }
}
