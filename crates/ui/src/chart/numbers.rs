//! The numbers of a chart as text: those of one bucket beside the cursor, and all of them in a
//! table for screen readers.

use leptos::prelude::*;

use super::data::{Bucket, ChartData, Series};
use crate::thousands;

/// The tooltip, on the side where the cursor is not. On phones, a line below says the same.
#[component]
pub(super) fn Tip(
    series: &'static [Series],
    bucket: Bucket,
    beside: &'static str,
    late: bool,
) -> impl IntoView {
    let side = if late { "left-2" } else { "right-2" };
    let row = |(series, count): (&Series, &u64)| {
        view! {
            <li class="flex items-center gap-1.5">
                <span class=format!("size-2 rounded-[2px] {}", series.colour.swatch())></span>
                <span class="mr-4 text-ink-2">{series.label}</span>
                <span class="ml-auto font-medium">{thousands(*count)}</span>
            </li>
        }
    };
    view! {
        <div
            class=format!(
                "num pointer-events-none absolute top-0 z-10 rounded-md border border-line bg-raised px-3 py-2 text-caption whitespace-nowrap shadow-menu max-md:hidden {side}",
            )
            aria-hidden="true"
        >
            <p class="mb-1 text-ink-2">{bucket.label}</p>
            <ul class="flex flex-col gap-1">{series.iter().zip(&bucket.counts).map(row).collect_view()}</ul>
            {(!bucket.beside.is_empty())
                .then(|| {
                    view! {
                        <p class="mt-1 flex gap-4">
                            <span class="text-ink-2">{beside}</span>
                            <span class="ml-auto font-medium">{bucket.beside}</span>
                        </p>
                    }
                })}
        </div>
    }
}

#[component]
pub(super) fn Numbers(
    title: &'static str,
    series: &'static [Series],
    beside: &'static str,
    data: Memo<ChartData>,
) -> impl IntoView {
    let has_more = !beside.is_empty();
    let row = move |bucket: Bucket| {
        let cells = bucket.counts.into_iter().map(|count| view! { <td>{thousands(count)}</td> });
        view! {
            <tr>
                <th scope="row">{bucket.label}</th>
                {cells.collect_view()}
                {has_more.then(|| view! { <td>{bucket.beside}</td> })}
            </tr>
        }
    };
    view! {
        <div class="sr-only">
            <table>
                <caption>{format!("{title} over time")}</caption>
                <thead>
                    <tr>
                        <th scope="col">"Time, UTC"</th>
                        {series.iter().map(|series| view! { <th scope="col">{series.label}</th> }).collect_view()}
                        {has_more.then(|| view! { <th scope="col">{beside}</th> })}
                    </tr>
                </thead>
                <tbody>{move || data.get().buckets.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
}
