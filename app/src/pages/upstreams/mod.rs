//! The upstreams of the gateway, for administrators of the instance.

pub mod row;

use latchkey_domain::problem::ErrorCode;
use leptos::prelude::*;

use self::row::Row;
use crate::api::list_upstreams;
use crate::components::error_state::ErrorState;
use crate::data::polled_query::{PolledQuery, QueryState};
use crate::layout::{About, PageHead};
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::Clock;
use latchkey_ui::table::{Card, Column, LoadingTable, Table};

const LABEL: &str = "Upstreams";

const COLUMNS: &[Column] = &[
    Column::new("Name"),
    Column::new("Health"),
    Column::new("Models"),
    Column::new("Endpoints"),
    Column::new("Latency"),
    Column::new("Calls"),
    Column::new("Errors"),
    Column::new("Last failure"),
];

/// What is configured, and how it has done on this node.
#[component]
pub fn UpstreamsPage() -> impl IntoView {
    Clock::provide();
    let upstreams = PolledQuery::new(list_upstreams);
    let shown = upstreams.state();
    let is_empty = Memo::new(move |_| upstreams.with(Vec::is_empty).unwrap_or_default());
    let rows = move || {
        let reports = upstreams.get().unwrap_or_default();
        reports.into_iter().map(|report| view! { <Row report/> }).collect_view()
    };
    view! {
        <PageHead
            title="Upstreams"
            about=About::Person
            description="The servers that answer the gateway’s calls, and how they have done on this node since it started."
        />
        {move || match shown.get() {
            QueryState::Skeleton => view! { <LoadingTable label=LABEL columns=COLUMNS/> }.into_any(),
            QueryState::Failed(error) if error.is(ErrorCode::Forbidden) => forbidden().into_any(),
            QueryState::Failed(error) => view! {
                <Card>
                    <ErrorState
                        title="Couldn’t load the upstreams"
                        error
                        reassurance="Calls go on all the same."
                        on_retry=move |()| upstreams.retry()
                    />
                </Card>
            }
            .into_any(),
            QueryState::Loaded if is_empty.get() => no_upstreams().into_any(),
            QueryState::Loaded => {
                view! { <Table label=LABEL columns=COLUMNS>{rows}</Table> }.into_any()
            }
        }}
    }
}

fn forbidden() -> impl IntoView {
    view! {
        <Card>
            <EmptyState
                glyph=Glyph::Lock
                title="Only administrators can see the upstreams"
                text="Ask an administrator of this instance."
            />
        </Card>
    }
}

fn no_upstreams() -> impl IntoView {
    view! {
        <Card>
            <EmptyState
                glyph=Glyph::Server
                title="No upstream configured"
                text="The sandbox answers. Name a file in LATCHKEY_UPSTREAMS to serve models of your own."
            />
        </Card>
    }
}
