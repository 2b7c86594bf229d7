//! The monthly quota of a project.

use latchkey_domain::api::QuotaState;
use leptos::prelude::*;

use crate::data::polled_query::PolledQuery;
use latchkey_ui::bar_meter::{BarMeter, percent};
use latchkey_ui::relative_time::{Clock, browser_time, exact, time_left};
use latchkey_ui::skeleton::SkeletonBar;
use latchkey_ui::thousands;

/// This month’s requests against the quota.
#[component]
pub fn MonthCard(
    /// The state of the quota.
    month: PolledQuery<QuotaState>,
) -> impl IntoView {
    view! {
        <section class="rounded-lg border border-line bg-surface p-4" aria-labelledby="month-title">
            {move || match month.get() {
                Some(state) => view! { <Quota state/> }.into_any(),
                None => view! {
                    <h2 id="month-title" class="text-heading font-semibold">"Monthly quota"</h2>
                    <div class="mt-4"><SkeletonBar class="h-6 w-44"/></div>
                }
                .into_any(),
            }}
        </section>
    }
}

#[component]
fn Quota(state: QuotaState) -> impl IntoView {
    let QuotaState { limit, used, resets_at } = state;
    let clock = use_context::<Clock>();
    let left = move || {
        let now = clock.and_then(Clock::get).or_else(browser_time)?;
        Some(format!("Resets in {}", time_left(resets_at, now)))
    };
    let measure = limit.map(|limit| {
        let text = format!("{} of {} requests", thousands(used), thousands(limit));
        view! {
            <div class="mt-2.5"><BarMeter label="Monthly quota used" used limit text large=true/></div>
        }
    });
    let of = match limit {
        Some(limit) => format!("of {} live requests this month", thousands(limit)),
        None => "live requests this month, without a limit".to_owned(),
    };
    view! {
        <div class="flex flex-wrap items-baseline justify-between gap-x-4">
            <h2 id="month-title" class="text-heading font-semibold">"Monthly quota"</h2>
            <p class="text-caption text-ink-2" title=exact(resets_at)>{left}</p>
        </div>
        <p class="num mt-2 flex flex-wrap items-baseline gap-x-2">
            <span class="text-metric font-semibold">{thousands(used)}</span>
            <span class="text-table text-ink-2">{of}</span>
            {limit.map(|limit| view! { <span class="ml-auto text-table font-medium">{percent(used, limit)}</span> })}
        </p>
        {measure}
        <p class="mt-2.5 text-caption text-ink-2">"Test keys and service keys don’t count. At the limit, live requests get 429, and gateway calls 402."</p>
    }
}
