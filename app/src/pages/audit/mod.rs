//! The audit log of the project's organization: who did what, for owners and admins.

pub mod actions;
pub mod csv;
pub mod export;
pub mod filter;
pub mod people;
pub mod row;
pub mod toolbar;
pub mod words;

use latchkey_domain::api::{AuditEvent, Organization};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::problem::ErrorCode;
use latchkey_domain::role::{Permission, Role};
use leptos::prelude::*;

use self::export::ExportButton;
use self::filter::EventsFilterState;
use self::people::People;
use self::row::{COLUMNS, EventRow, by_day};
use self::toolbar::Toolbar;
use super::not_found::NotFound;
use crate::api::list_audit_events;
use crate::components::error_state::ErrorState;
use crate::components::load_more::LoadMoreRows;
use crate::data::list_rows::Order;
use crate::data::paged_list::{ListState, PagedList};
use crate::layout::use_project_id;
use crate::layout::{PageHead, Workspace, members_path};
use latchkey_ui::button::{Button, Size, Variant, button_class};
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::{Clock, browser_time};
use latchkey_ui::table::{Card, LoadingTable, Table};

const LABEL: &str = "Audit log";

/// The page. A path that names no project is answered like one that names a stranger's.
#[component]
pub fn AuditPage() -> impl IntoView {
    Clock::provide();
    let workspace = expect_context::<Workspace>();
    let project = use_project_id();
    let organization = Memo::new(move |_| workspace.organization());
    let missing = Memo::new(move |_| {
        project.get().is_none() || (workspace.is_loaded() && organization.with(Option::is_none))
    });
    let access = Memo::new(move |_| {
        organization.with(|it| it.as_ref().map(|it| (it.id, it.allows(Permission::AuditRead))))
    });
    move || {
        if missing.get() {
            return view! { <NotFound/> }.into_any();
        }
        match access.get() {
            Some((id, true)) => view! { <Log organization=id workspace/> }.into_any(),
            Some((_, false)) => view! {
                <Head/>
                <Section><Forbidden workspace/></Section>
            }
            .into_any(),
            None => view! {
                <Head/>
                <Section><Waiting workspace/></Section>
            }
            .into_any(),
        }
    }
}

#[component]
fn Head(#[prop(optional)] children: Option<Children>) -> impl IntoView {
    let compact = children.is_some();
    let actions = children.map(|children| children());
    view! {
        <PageHead title=LABEL description="Every change to keys, members and settings." compact>
            {actions}
        </PageHead>
    }
}

/// The part of the page with the events, or with the reason why there are none.
#[component]
fn Section(children: Children) -> impl IntoView {
    view! {
        <section aria-labelledby="events-title">
            <h2 id="events-title" class="sr-only">"Events"</h2>
            {children()}
        </section>
    }
}

/// Shown until the workspace is loaded, or if that fails.
#[component]
fn Waiting(workspace: Workspace) -> impl IntoView {
    move || {
        match workspace.error() {
        Some(error) => view! {
            <Card>
                <ErrorState title="Couldn’t load the audit log" error on_retry=move |()| workspace.reload()/>
            </Card>
        }
        .into_any(),
        None => view! { <LoadingTable label=LABEL columns=COLUMNS/> }.into_any(),
    }
    }
}

/// Explains to members and viewers why they see nothing, and who can help.
#[component]
fn Forbidden(workspace: Workspace) -> impl IntoView {
    let text = move || {
        let Organization { name, role, .. } = workspace.organization()?;
        let role = role.map_or("Administrator", Role::label);
        Some(format!("Your role in {name} is {role}. An owner or admin can change it."))
    };
    let members = move || {
        let path = workspace.project_id().map(members_path).unwrap_or_default();
        workspace.address(&path)
    };
    move || {
        let text = text().unwrap_or_default();
        view! {
            <Card>
                <EmptyState
                    glyph=Glyph::Lock
                    title="Only owners and admins can view the audit log"
                    text
                >
                    <a href=members class=button_class(Variant::Secondary, Size::Default)>"See who can help"</a>
                </EmptyState>
            </Card>
        }
    }
}

#[component]
fn Log(organization: OrganizationId, workspace: Workspace) -> impl IntoView {
    let filter = EventsFilterState::of_address();
    // All pages of the list use the start of the period from the first request.
    let wanted = Memo::new(move |_| filter.now.with(|filter| filter.for_server(browser_time())));
    let events = PagedList::new(move |cursor| {
        list_audit_events(organization, wanted.get_untracked(), cursor)
    });
    Effect::new(move |before: Option<filter::EventsFilter>| {
        let now = filter.now.get();
        if before.is_some_and(|before| before != now) {
            events.restart(Order::Newest);
        }
        now
    });
    let people = People::of(organization);
    view! {
        <Head>
            <ExportButton organization filter/>
        </Head>
        <Toolbar filter events people/>
        <Section><List filter events people workspace/></Section>
    }
}

#[component]
fn List(
    filter: EventsFilterState,
    events: PagedList<AuditEvent>,
    people: People,
    workspace: Workspace,
) -> impl IntoView {
    let shown = events.state();
    move || {
        match shown.get() {
        ListState::Skeleton => view! { <LoadingTable label=LABEL columns=COLUMNS/> }.into_any(),
        // The user's role changed after the page was opened.
        ListState::Failed(error) if error.is(ErrorCode::Forbidden) => {
            view! { <Forbidden workspace/> }.into_any()
        }
        ListState::Failed(error) => view! {
            <Card>
                <ErrorState title="Couldn’t load the audit log" error on_retry=move |()| events.retry()/>
            </Card>
        }
        .into_any(),
        ListState::Empty => view! {
            <Card>
                <EmptyState glyph=Glyph::ScrollText title="No events" text="No events match these filters.">
                    <Button on_press=move |()| filter.clear()>"Clear filters"</Button>
                </EmptyState>
            </Card>
        }
        .into_any(),
        ListState::Rows => view! { <Events events people/> }.into_any(),
    }
    }
}

#[component]
fn Events(events: PagedList<AuditEvent>, people: People) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let rows = move || by_day(events.rows(), clock.get().or_else(browser_time));
    view! {
        <Table label=LABEL columns=COLUMNS>
            <For each=rows key=|(event, day)| (event.id, day.clone()) let((event, day))>
                <EventRow event day people/>
            </For>
        </Table>
        <LoadMoreRows list=events/>
    }
}
