//! The user's sign-ins, which no organization sees.

use latchkey_domain::api::{Page, SessionEndReason, SignInEntry};
use leptos::prelude::*;

use super::device::device;
use crate::api::list_sign_ins;
use crate::components::list_view::ListView;
use crate::data::paged_list::PagedList;
use crate::data::polling::poll_while_visible;
use latchkey_ui::relative_time::RelativeTime;
use latchkey_ui::table::{Column, EmptyCell, LOW_CELL, LoadingTable, ROW, Table};

const COLUMNS: &[Column] = &[
    Column::new("Signed in").class("whitespace-nowrap"),
    Column::new("Device"),
    Column::new("Address"),
    Column::new("Ended"),
];

/// List of the user's past sign-ins.
#[component]
pub fn SignIns() -> impl IntoView {
    let sign_ins = PagedList::new(|_| async {
        list_sign_ins().await.map(|data| Page { data, next_cursor: None })
    });
    poll_while_visible(move || {
        if sign_ins.is_ready_untracked() {
            sign_ins.refresh();
        }
    });
    view! {
        <ListView
            state=sign_ins.state()
            label="Recent sign-ins"
            columns=COLUMNS
            failed="Couldn’t load your sign-ins"
            on_retry=move |()| sign_ins.retry()
            // Never empty: the user has signed in.
            empty=|| view! { <LoadingTable label="Recent sign-ins" columns=COLUMNS/> }
        >
            <Table label="Recent sign-ins" columns=COLUMNS>
                <For each=move || sign_ins.rows() key=|entry| (entry.id, entry.ended_at) let(entry)>
                    <Row entry/>
                </For>
            </Table>
        </ListView>
    }
}

#[component]
fn Row(entry: SignInEntry) -> impl IntoView {
    let words = device(entry.user_agent.as_deref());
    let address = match entry.ip {
        Some(ip) => {
            view! { <span class="font-mono text-code break-all text-ink-2">{ip}</span> }.into_any()
        }
        None => view! { <EmptyCell/> }.into_any(),
    };
    let ended = entry.ended_at.map(|time| {
        let why = match entry.end_reason {
            Some(SessionEndReason::TokenReused) => "Refresh token reused, ",
            Some(SessionEndReason::Replaced) => "Replaced by a newer sign-in, ",
            Some(SessionEndReason::SignedOut) | None => "Signed out, ",
        };
        view! { {why} <RelativeTime time/> }
    });
    let ended = match ended {
        Some(ended) => ended.into_any(),
        None => view! { <EmptyCell/> }.into_any(),
    };
    let warns = entry.end_reason == Some(SessionEndReason::TokenReused);
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{LOW_CELL} num md:whitespace-nowrap max-md:col-span-2")>
                <RelativeTime time=entry.created_at/>
            </td>
            <td role="cell" class=format!("{LOW_CELL} max-md:col-span-2 max-md:justify-self-end")>{words}</td>
            <td role="cell" class=format!("{LOW_CELL} max-md:col-span-4")>{address}</td>
            <td
                role="cell"
                class=format!("{LOW_CELL} num max-md:col-span-4 max-md:text-caption")
                class=("text-ink-2", !warns)
                class=("text-warn-ink", warns)
            >
                {ended}
            </td>
        </tr>
    }
}
