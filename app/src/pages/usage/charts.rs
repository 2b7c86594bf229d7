//! The two charts of usage: requests by outcome, and tokens with their cost.

use latchkey_domain::api::{Usage, UsageTotals};
use latchkey_domain::money::Usd;
use leptos::prelude::*;

use super::series::{REQUESTS, TOKENS, requests, tokens};
use crate::api::ApiError;
use crate::components::error_state::ErrorState;
use crate::data::polled_query::PolledQuery;
use latchkey_ui::budget::{ABOUT_PRICES, short_dollars};
use latchkey_ui::chart::{Chart, ChartData, Shape};
use latchkey_ui::table::Card;
use latchkey_ui::thousands;

const EMPTY: ChartData = ChartData { buckets: Vec::new(), ticks: Vec::new() };

/// The charts, side by side where there is room.
#[component]
pub fn UsageCharts(
    /// Usage data for the charts.
    usage: PolledQuery<Usage>,
) -> impl IntoView {
    let data = move |chart: fn(&Usage) -> ChartData| {
        Memo::new(move |_| usage.with(chart).unwrap_or(EMPTY))
    };
    let totals = move || usage.with(|usage| usage.totals).unwrap_or_default();
    let all = Signal::derive(move || thousands(totals().requests));
    let denied = Signal::derive(move || format!("{} denied", thousands(totals().denied)));
    let used = Signal::derive(move || {
        let totals = totals();
        thousands(totals.prompt_tokens + totals.completion_tokens)
    });
    let beside_tokens = Signal::derive(move || {
        let UsageTotals { cost_usd, estimated_tokens, .. } = totals();
        let cost = (cost_usd > Usd::ZERO).then(|| short_dollars(cost_usd));
        let estimated =
            (estimated_tokens > 0).then(|| format!("{} estimated", thousands(estimated_tokens)));
        cost.into_iter().chain(estimated).collect::<Vec<_>>().join(", ")
    });
    let costs = Memo::new(move |_| totals().cost_usd > Usd::ZERO);
    view! {
        <div class="grid gap-4 lg:grid-cols-2" aria-busy=move || usage.is_outdated().then_some("true")>
            <Chart
                title="Requests"
                total=all
                aside=denied
                series=REQUESTS
                shape=Shape::Bars
                empty="No requests in this range."
                data=data(requests)
            />
            <Chart
                title="Tokens"
                total=used
                aside=beside_tokens
                series=TOKENS
                shape=Shape::Areas
                empty="No tokens in this range."
                beside="Cost"
                data=data(tokens)
            />
        </div>
        <Show when=move || costs.get()>
            <p class="text-caption text-ink-2">{ABOUT_PRICES} " Calls of models without a price count as $0."</p>
        </Show>
    }
}

/// Shown in place of the charts if usage could not be loaded.
#[component]
pub fn FailedCharts(
    /// Usage data for the charts.
    usage: PolledQuery<Usage>,
    /// Error that occurred while loading.
    error: ApiError,
    /// What is still fine: “Your keys keep working.”
    reassurance: &'static str,
) -> impl IntoView {
    view! {
        <Card>
            <ErrorState
                title="Couldn’t load usage"
                error
                reassurance
                on_retry=move |()| usage.retry()
            />
        </Card>
    }
}

/// Placeholder for the charts.
#[component]
pub fn LoadingCharts() -> impl IntoView {
    use latchkey_ui::skeleton::SkeletonBar;
    let card = || {
        view! {
            <div class="h-[18rem] rounded-lg border border-line bg-surface p-4">
                <SkeletonBar class="h-2.5 w-24"/>
                <div class="mt-3"><SkeletonBar class="h-6 w-32"/></div>
                <div class="mt-6"><SkeletonBar class="h-40 w-full"/></div>
            </div>
        }
    };
    view! {
        <div class="grid gap-4 lg:grid-cols-2" aria-busy="true">
            {card()}
            {card()}
        </div>
    }
}
