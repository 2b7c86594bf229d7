//! The user's sessions, each of which they can end.

pub mod device;
pub mod sign_ins;

use latchkey_domain::api::{Page, Session};
use latchkey_domain::id::SessionId;
use leptos::prelude::*;

use self::device::device;
use self::sign_ins::SignIns;
use crate::api::{end_other_sessions, end_session, list_sessions};
use crate::components::list_view::ListView;
use crate::data::paged_list::PagedList;
use crate::data::polling::poll_while_visible;
use crate::data::session;
use crate::layout::{About, PageHead};
use latchkey_ui::button::{Button, Size, Variant};
use latchkey_ui::confirm_dialog::ConfirmDialog;
use latchkey_ui::dialog::keep_focus;
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::relative_time::{Clock, RelativeTime};
use latchkey_ui::table::{ACTIONS_CELL, CELL, Card, Column, EmptyCell, ROW, Table};
use latchkey_ui::toast::{ToastAction, Toasts};

const COLUMNS: &[Column] = &[
    Column::new("Device"),
    Column::new("Address"),
    Column::new("Signed in").class("whitespace-nowrap"),
    Column::new("Last seen").class("whitespace-nowrap"),
    Column::actions(),
];

/// The list and what is done with it.
#[derive(Clone, Copy)]
struct SessionsPageState {
    sessions: PagedList<Session>,
    /// Whether the dialog that ends all other sessions is open.
    asking: RwSignal<bool>,
    busy: RwSignal<bool>,
    toasts: Toasts,
}

impl SessionsPageState {
    fn new() -> Self {
        let sessions = PagedList::new(|_| async {
            list_sessions().await.map(|data| Page { data, next_cursor: None })
        });
        poll_while_visible(move || {
            if sessions.is_ready_untracked() {
                sessions.refresh();
            }
        });
        Self {
            sessions,
            asking: RwSignal::new(false),
            busy: RwSignal::new(false),
            toasts: expect_context::<Toasts>(),
        }
    }

    fn has_others(self) -> bool {
        self.sessions.rows().iter().any(|session| !session.current)
    }

    fn end(self, id: SessionId) {
        keep_focus();
        leptos::task::spawn_local(async move {
            let answer = end_session(id).await;
            self.sessions.refresh();
            if answer.is_ok() {
                self.toasts.success("Session ended");
            } else {
                let again = ToastAction::new("Retry", move || self.end(id));
                self.toasts.failure("Couldn’t end the session.", Some(again));
            }
        });
    }

    fn end_others(self) {
        _ = self.busy.try_set(true);
        leptos::task::spawn_local(async move {
            let answer = end_other_sessions().await;
            _ = self.busy.try_set(false);
            _ = self.asking.try_set(false);
            self.sessions.refresh();
            if answer.is_ok() {
                self.toasts.success("Signed out everywhere else");
            } else {
                let again = ToastAction::new("Retry", move || self.end_others());
                self.toasts.failure("Couldn’t sign out everywhere else.", Some(again));
            }
        });
    }
}

/// Where the person is signed in, and their last sign-ins.
#[component]
pub fn SessionsPage() -> impl IntoView {
    Clock::provide();
    let page = SessionsPageState::new();
    let has_others = Memo::new(move |_| page.has_others());
    view! {
        <PageHead
            title="Sessions"
            about=About::Person
            description="Where you’re signed in to Latchkey. If you end a session, that device has to sign in again."
        >
            <Show when=move || has_others.get()>
                <Button variant=Variant::DangerOutline on_press=move |()| page.asking.set(true)>
                    "Sign out everywhere else…"
                </Button>
            </Show>
        </PageHead>
        <section aria-labelledby="sessions-title">
            <h2 id="sessions-title" class="sr-only">"Sessions"</h2>
            <List page/>
        </section>
        <section class="mt-7" aria-labelledby="sign-ins-title">
            <h2 id="sign-ins-title" class="mb-3 text-heading font-semibold">"Recent sign-ins"</h2>
            <SignIns/>
        </section>
        <EndOthers page/>
    }
}

#[component]
fn List(page: SessionsPageState) -> impl IntoView {
    let sessions = page.sessions;
    let rows = move || {
        let mut rows = sessions.rows();
        // The sort is stable: the other sessions stay in the server's order, last seen first.
        rows.sort_by_key(|session| !session.current);
        rows
    };
    view! {
        <ListView
            state=sessions.state()
            label="Sessions"
            columns=COLUMNS
            failed="Couldn’t load your sessions"
            on_retry=move |()| sessions.retry()
            empty=no_sessions
        >
            <Table label="Sessions" columns=COLUMNS>
                <For each=rows key=|session| session.id let(session)>
                    <Row page session/>
                </For>
            </Table>
        </ListView>
    }
}

/// One session. Only when it was last seen, and from where, changes.
fn no_sessions() -> impl IntoView {
    view! {
        <Card>
            <EmptyState glyph=Glyph::Monitor title="No sessions" text="You aren’t signed in anywhere."/>
        </Card>
    }
}

#[component]
fn Row(page: SessionsPageState, session: Session) -> impl IntoView {
    let (id, current) = (session.id, session.current);
    let words = device(session.user_agent.as_deref());
    let agent = session.user_agent.clone();
    let created = session.created_at;
    let now = Memo::new(move |_| page.sessions.row(id).unwrap_or_else(|| session.clone()));
    let spoken = format!(" on {words}");
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{CELL} max-md:col-span-3 max-md:min-w-0")>
                <span class="flex flex-wrap items-center gap-x-2 gap-y-1 font-medium" title=agent>
                    <Icon glyph=Glyph::Monitor class="text-ink-3"/>
                    {words}
                    {current.then(|| view! { <ThisDevice/> })}
                </span>
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-2 max-md:col-span-4")>
                {move || match now.with(|now| now.ip.clone()) {
                    Some(ip) => view! { <span class="font-mono text-code break-all text-ink-2">{ip}</span> }.into_any(),
                    None => view! { <EmptyCell/> }.into_any(),
                }}
            </td>
            <td role="cell" class=format!("{CELL} num text-ink-2 md:whitespace-nowrap max-md:order-3 max-md:col-span-2 max-md:text-caption")>
                <span class="md:hidden">"Signed in "</span>
                <RelativeTime time=created/>
            </td>
            <td role="cell" class=format!("{CELL} num text-ink-2 md:whitespace-nowrap max-md:order-4 max-md:col-span-2 max-md:justify-self-end max-md:text-caption")>
                <span class="md:hidden">"Last seen "</span>
                {move || {
                    if current {
                        return view! { <span class="max-md:lowercase">"Now"</span> }.into_any();
                    }
                    view! { <RelativeTime time=now.with(|now| now.last_seen_at)/> }.into_any()
                }}
            </td>
            <td role="cell" class=format!("{CELL} {ACTIONS_CELL} whitespace-nowrap max-md:order-1 max-md:-my-2 max-md:-mr-2")>
                <Button
                    variant=Variant::Ghost
                    size=Size::Compact
                    on_press=move |()| {
                        if current { leptos::task::spawn_local(session::sign_out()) } else { page.end(id) }
                    }
                >
                    {if current { "Sign out" } else { "End session" }}
                    <span class="sr-only">{spoken}</span>
                </Button>
            </td>
        </tr>
    }
}

#[component]
fn ThisDevice() -> impl IntoView {
    view! {
        <span class="inline-flex h-5 items-center rounded-full bg-accent-soft px-2 text-caption font-medium whitespace-nowrap text-accent-ink">
            "This device"
        </span>
    }
}

/// The confirm of the end of all others.
#[component]
fn EndOthers(page: SessionsPageState) -> impl IntoView {
    let SessionsPageState { asking, busy, .. } = page;
    let how_many = move || {
        let others = page.sessions.rows().iter().filter(|session| !session.current).count();
        match others {
            1 => "1 other session ends".to_owned(),
            others => format!("{others} other sessions end"),
        }
    };
    view! {
        <Show when=move || asking.get()>
            <ConfirmDialog
                title="Sign out everywhere else?"
                action="Sign out everywhere else"
                busy_label="Signing out…"
                busy
                on_close=move |()| asking.set(false)
                on_confirm=move |()| page.end_others()
            >
                <p class="text-body text-ink-2">{how_many} " immediately. You stay signed in here."</p>
            </ConfirmDialog>
        </Show>
    }
}
