//! The applications of a project, each a link to its own page.

pub mod delete;
pub mod form;
pub mod row;
pub mod tally;

use latchkey_domain::api::Application;
use latchkey_domain::id::ProjectId;
use latchkey_domain::role::Permission;
use leptos::prelude::*;

use self::delete::Deletion;
use self::form::{CreateApplication, EditApplication};
use self::row::{COLUMNS, Row};
use self::tally::Tally;
use crate::data::feed::{Feed, Shown};
use super::not_found::NotFound;
use crate::layout::project_of_address;
use crate::api::list_applications;
use crate::components::error_state::ErrorState;
use crate::layout::{PageHead, Workspace};
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::Glyph;
use latchkey_ui::pager::LoadMore;
use latchkey_ui::shortcut::on_shortcut;
use latchkey_ui::table::{Card, LoadingTable, Table};

/// The page. A path that names no project is answered like one that names a stranger's.
#[component]
pub fn ApplicationsPage() -> impl IntoView {
    let project = project_of_address();
    move || match project.get() {
        Some(project) => view! { <Applications project/> }.into_any(),
        None => view! { <NotFound/> }.into_any(),
    }
}

/// The list, and which dialog about it is open.
#[derive(Clone, Copy)]
pub struct ApplicationsPageState {
    project: ProjectId,
    feed: Feed<Application>,
    tally: Tally,
    creating: RwSignal<bool>,
    editing: RwSignal<Option<Application>>,
    deletion: Deletion,
    /// Whether the person may make, change and delete applications.
    may_write: Memo<bool>,
}

#[component]
fn Applications(project: ProjectId) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let feed = Feed::new(move |cursor| list_applications(project, cursor));
    let tally = Tally::of(project);
    Effect::new(move || feed.rows().iter().for_each(|application| workspace.meet(application)));
    let on_deleted = Callback::new(move |()| {
        feed.refresh();
        tally.load();
        // Its keys took slots.
        workspace.reload();
    });
    let desk = ApplicationsPageState {
        project,
        feed,
        tally,
        creating: RwSignal::new(false),
        editing: RwSignal::new(None),
        deletion: Deletion::new(on_deleted),
        may_write: Memo::new(move |_| workspace.allows(Permission::ApplicationsWrite)),
    };
    on_shortcut("c", move || {
        if desk.may_write.get_untracked() {
            desk.creating.set(true);
        }
    });
    let missing = Memo::new(move |_| feed.is_missing());
    move || {
        if missing.get() {
            return view! { <NotFound/> }.into_any();
        }
        view! {
            <Head desk/>
            <section aria-labelledby="applications-title">
                <h2 id="applications-title" class="sr-only">"All applications"</h2>
                <List desk/>
            </section>
            <Dialogs desk/>
        }
        .into_any()
    }
}

#[component]
fn Head(desk: ApplicationsPageState) -> impl IntoView {
    view! {
        <PageHead
            title="Applications"
            description="What your keys are for. Open one to see its keys and what it sends."
            compact=true
        >
            <Show when=move || desk.may_write.get() && desk.feed.count() != 0>
                <NewButton desk/>
            </Show>
        </PageHead>
    }
}

#[component]
fn NewButton(desk: ApplicationsPageState) -> impl IntoView {
    view! {
        <Button variant=Variant::Primary glyph=Glyph::Plus on_press=move |()| desk.creating.set(true)>
            "New application"
        </Button>
    }
}

#[component]
fn List(desk: ApplicationsPageState) -> impl IntoView {
    let feed = desk.feed;
    let shown = feed.shown();
    move || {
        match shown.get() {
        Shown::Skeleton => view! { <LoadingTable label="Applications" columns=COLUMNS/> }.into_any(),
        Shown::Failed(error) => view! {
            <Card>
                <ErrorState title="Couldn’t load applications" error on_retry=move |()| feed.retry()/>
            </Card>
        }
        .into_any(),
        Shown::Empty => view! { <Empty desk/> }.into_any(),
        Shown::Rows => view! { <Rows desk/> }.into_any(),
    }
    }
}

#[component]
fn Empty(desk: ApplicationsPageState) -> impl IntoView {
    move || {
        let text = if desk.may_write.get() {
            "Keys for one application can’t be used by any other. Create one to begin."
        } else {
            "This project has no application that keys could be for."
        };
        view! {
            <Card>
                <EmptyState glyph=Glyph::Boxes title="No applications" text>
                    <Show when=move || desk.may_write.get()>
                        <NewButton desk/>
                    </Show>
                </EmptyState>
            </Card>
        }
    }
}

#[component]
fn Rows(desk: ApplicationsPageState) -> impl IntoView {
    let feed = desk.feed;
    view! {
        <Table label="Applications" columns=COLUMNS>
            <For each=move || feed.rows() key=|application| application.id let(application)>
                <Row desk application/>
            </For>
        </Table>
        <LoadMore
            label="Load more"
            there=Signal::derive(move || feed.has_older())
            state=Signal::derive(move || feed.older())
            on_press=move |()| feed.load_older()
        />
        <p class="mt-3 text-caption text-ink-2">
            "Keys and requests are those of active keys for that application alone."
        </p>
    }
}

#[component]
fn Dialogs(desk: ApplicationsPageState) -> impl IntoView {
    let ApplicationsPageState { project, feed, creating, editing, deletion, .. } = desk;
    // A request that seemed to fail may have done its work.
    let close = move || {
        creating.set(false);
        editing.set(None);
        feed.refresh();
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
                    let on_saved = move |saved: Application| feed.change(id, |row| *row = saved);
                    view! { <EditApplication application on_saved on_close=move |()| close()/> }
                })
        }}
        {deletion.dialog()}
    }
}
