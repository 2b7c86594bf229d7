//! The usage of a project's keys, and the parts that an inference key's own page shows too.

pub mod budgets;
pub mod charts;
pub mod denials;
pub mod filters;
pub mod groups;
pub mod limit_words;
pub mod month;
pub mod range;
pub mod series;
pub mod trace;

use latchkey_domain::api::{ListedKey, Usage};
use latchkey_domain::id::ProjectId;
use leptos::prelude::*;

use self::budgets::{BudgetEvents, UsageBudgets};
use self::charts::{FailedCharts, LoadingCharts, UsageCharts};
use self::denials::Denials;
use self::filters::{Filters, keys_of};
use self::groups::UsageByGroup;
use self::month::MonthCard;
use self::range::{RangePicker, UsageFilter, UsageFilterState};
use super::not_found::NotFound;
use crate::api::{budget_events, get_key_usage, get_project_month, get_project_usage};
use crate::components::attribute_filter::AttributeFilter;
use crate::data::polled_query::{PolledQuery, QueryState};
use crate::layout::PageHead;
use crate::layout::use_project_id;
use latchkey_ui::relative_time::Clock;

/// The page. A path that names no project is answered like one that names a stranger's.
#[component]
pub fn UsagePage() -> impl IntoView {
    Clock::provide();
    let project = use_project_id();
    move || match project.get() {
        Some(project) => view! { <Page project/> }.into_any(),
        None => view! { <NotFound/> }.into_any(),
    }
}

/// The usage that is wanted, read again when something else is.
fn usage_of(project: ProjectId, filter: Memo<UsageFilter>) -> PolledQuery<Usage> {
    let charted = Memo::new(move |_| filter.with(UsageFilter::of_charts));
    let usage = PolledQuery::new(move || {
        let UsageFilter { range, key, environment, attributes, .. } = charted.get_untracked();
        let AttributeFilter { tag, external_id } = attributes;
        async move {
            match key {
                Some(key) => get_key_usage(key, range).await,
                None => get_project_usage(project, environment, tag, external_id, range).await,
            }
        }
    });
    usage.restarted_by(charted)
}

#[component]
fn Page(project: ProjectId) -> impl IntoView {
    let filter = UsageFilterState::of_address();
    let usage = usage_of(project, filter.now);
    let month = PolledQuery::new(move || get_project_month(project));
    let events = PolledQuery::new(move || budget_events(project, None));
    let keys = keys_of(project);
    let missing = Memo::new(move |_| usage.is_missing() || month.is_missing());
    move || {
        if missing.get() {
            return view! { <NotFound/> }.into_any();
        }
        view! {
            <PageHead
                title="Usage"
                description="Requests, tokens and cost of this project’s API and inference keys, in UTC."
                compact=true
            >
                <RangePicker filter/>
            </PageHead>
            <Filters filter keys/>
            <Body usage keys filter>
                <UsageBudgets usage/>
                <MonthCard month/>
                <BudgetEvents events keys/>
            </Body>
            <UsageByGroup project filter keys/>
        }
        .into_any()
    }
}

#[component]
fn Body(
    usage: PolledQuery<Usage>,
    keys: RwSignal<Vec<ListedKey>>,
    filter: UsageFilterState,
    children: ChildrenFn,
) -> impl IntoView {
    let shown = usage.state();
    let denials = Signal::derive(move || usage.with(|it| it.denials.clone()).unwrap_or_default());
    let denied = move || usage.with(|usage| usage.totals.denied).unwrap_or_default();
    let key = Signal::derive(move || {
        let id = filter.now.with(|filter| filter.key)?;
        keys.with(|keys| keys.iter().find(|it| it.key.id == id).map(|it| it.key.clone()))
    });
    move || {
        match shown.get() {
        QueryState::Skeleton => view! { <LoadingCharts/> }.into_any(),
        QueryState::Failed(error) => {
            view! { <FailedCharts usage error reassurance="Your keys keep working."/> }.into_any()
        }
        QueryState::Loaded => view! {
            <div class="flex flex-col gap-4">
                <UsageCharts usage/>
                {children()}
                <section class="overflow-hidden rounded-lg border border-line bg-surface" aria-labelledby="denials-title">
                    <DenialsHead denied=Signal::derive(denied) denials/>
                    <Denials denials key/>
                </section>
            </div>
        }
        .into_any(),
    }
    }
}

/// “Denials”, and how many of them are listed.
#[component]
fn DenialsHead(
    denied: Signal<u64>,
    denials: Signal<Vec<latchkey_domain::api::RecentDenial>>,
) -> impl IntoView {
    let words = move || {
        let (listed, all) = (denials.with(Vec::len) as u64, denied.get());
        match all {
            0 => String::new(),
            all if listed < all => format!("The newest {listed} of {all}"),
            all => format!("{all} in this range"),
        }
    };
    view! {
        <div class="flex min-h-12 flex-wrap items-center justify-between gap-x-4 px-4">
            <h2 id="denials-title" class="text-heading font-semibold">"Denials"</h2>
            <p class="num text-caption text-ink-2">{words}</p>
        </div>
    }
}
