//! One upstream in the list.

use latchkey_domain::api::{UpstreamFailure, UpstreamReport};
use leptos::prelude::*;

use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::relative_time::RelativeTime;
use latchkey_ui::table::{CELL, EmptyCell, ROW};
use latchkey_ui::thousands;

/// Number of groups of endpoints that there are.
const ALL_ENDPOINTS: usize = 9;

/// Most models that are all shown at once.
const MOST_UNFOLDED: usize = 4;

/// Number of models that are shown of more than that.
const SHOWN_FOLDED: usize = 3;

/// An upstream, with its health and its last failure.
#[component]
pub fn Row(
    /// How the upstream has done.
    report: UpstreamReport,
) -> impl IntoView {
    let UpstreamReport { name, models, endpoints, healthy, latency_ms, .. } = report;
    let endpoints =
        if endpoints.len() == ALL_ENDPOINTS { "All".to_owned() } else { endpoints.join(", ") };
    let latency = match latency_ms {
        Some(milliseconds) => format!("{} ms", thousands(milliseconds)).into_any(),
        None => view! { <EmptyCell/> }.into_any(),
    };
    let failure = match report.last_failure {
        Some(failure) => view! { <Failure failure/> }.into_any(),
        None => view! { <EmptyCell/> }.into_any(),
    };
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{CELL} font-medium [overflow-wrap:anywhere] md:max-w-48 md:min-w-24 max-md:order-1 max-md:col-span-3 max-md:min-w-0")>
                {name}
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-2 max-md:justify-self-end")>
                <Health healthy/>
            </td>
            <td role="cell" class=format!("{CELL} md:max-w-80 md:min-w-48 md:py-2 max-md:order-3 max-md:col-span-4 max-md:min-w-0")>
                <Models models/>
            </td>
            <td role="cell" class=format!("{CELL} text-ink-2 md:max-w-56 md:min-w-32 max-md:order-4 max-md:col-span-4 max-md:text-caption")>
                <span class="md:hidden">"Endpoints "</span>
                {endpoints}
            </td>
            <td role="cell" class=format!("{CELL} num whitespace-nowrap text-ink-2 max-md:order-5 max-md:col-span-4 max-md:text-caption")>
                <span class="md:hidden">"Latency "</span>
                {latency}
            </td>
            <td role="cell" class=format!("{CELL} num text-ink-2 max-md:order-6 max-md:col-span-2 max-md:text-caption")>
                <span class="md:hidden">"Calls "</span>
                {thousands(report.calls)}
            </td>
            <td role="cell" class=format!("{CELL} num text-ink-2 max-md:order-7 max-md:col-span-2 max-md:justify-self-end max-md:text-caption")>
                <span class="md:hidden">"Errors "</span>
                {thousands(report.errors)}
            </td>
            <td role="cell" class=format!("{CELL} text-ink-2 md:max-w-72 md:min-w-40 max-md:order-8 max-md:col-span-4 max-md:min-w-0 max-md:text-caption")>
                <span class="md:hidden">"Last failure "</span>
                {failure}
            </td>
        </tr>
    }
}

/// The names of the models, each whole: a long one breaks into lines. Many are behind a button.
#[component]
fn Models(models: Vec<String>) -> impl IntoView {
    let is_long = models.len() > MOST_UNFOLDED;
    let open = RwSignal::new(!is_long);
    let hidden = models.len().saturating_sub(SHOWN_FOLDED);
    let name = |(place, name): (usize, String)| {
        let is_folded = move || place >= SHOWN_FOLDED && !open.get();
        view! { <li class="break-all" class:hidden=is_folded>{name}</li> }
    };
    view! {
        <ul class="flex flex-col gap-0.5 font-mono text-code leading-4 text-ink-2">
            {models.into_iter().enumerate().map(name).collect_view()}
        </ul>
        {is_long
            .then(|| {
                view! {
                    <button
                        type="button"
                        class="mt-0.5 inline-flex min-h-6 cursor-pointer items-center rounded-xs text-caption text-accent-ink hover:underline max-md:min-h-11"
                        aria-expanded=move || open.get().to_string()
                        on:click=move |_| open.update(|open| *open = !*open)
                    >
                        {move || if open.get() { "Show fewer models".to_owned() } else { format!("Show {hidden} more models") }}
                    </button>
                }
            })}
    }
}

/// The colour only repeats the word.
#[component]
fn Health(healthy: bool) -> impl IntoView {
    let (glyph, word, style) = if healthy {
        (Glyph::CircleCheck, "Healthy", "bg-ok-soft text-ok-ink")
    } else {
        (Glyph::TriangleAlert, "Failing", "bg-danger-soft text-danger-ink")
    };
    view! {
        <span class=format!(
            "inline-flex h-5 items-center gap-1 rounded-full px-2 text-caption font-medium whitespace-nowrap {style}",
        )>
            <Icon glyph size=12/>
            {word}
        </span>
    }
}

/// When it was, with the status and the words of the upstream.
#[component]
fn Failure(failure: UpstreamFailure) -> impl IntoView {
    let UpstreamFailure { at, status, message } = failure;
    let words = match status {
        Some(status) => format!("{status}: {message}"),
        None => message,
    };
    let title = words.clone();
    view! {
        <span class="line-clamp-2 [overflow-wrap:anywhere]" title=title>{words}</span>
        <span class="num text-caption text-ink-3"><RelativeTime time=at/></span>
    }
}
