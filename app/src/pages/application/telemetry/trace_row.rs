//! A row of the trace list; on narrow screens, its card. Expanded, it shows all fields.

use latchkey_domain::api::{IngestedTrace, SpanKind};
use leptos::prelude::*;

use super::details::Details;
use super::filter::trace_address;
use super::kind::{KindIcon, Title, duration, kind_label, outcome, span_kind};
use super::opening::{DetailsRow, OpenButton};
use latchkey_ui::environment_tag::EnvironmentTag;
use latchkey_ui::relative_time::RelativeTime;
use latchkey_ui::table::{Column, EmptyCell, LOW_CELL, ROW};

/// The columns of the list.
pub const COLUMNS: &[Column] = &[
    Column::new("Status"),
    Column::new("Kind"),
    Column::new("Request or span").class("w-full"),
    Column::new("Duration").class("text-right"),
    Column::new("Env"),
    Column::new("Trace"),
    Column::new("Time"),
    Column::spoken("Details"),
];

/// One span, or one request that the application served.
pub fn trace_row(trace: IngestedTrace) -> impl IntoView {
    let open = RwSignal::new(false);
    let id = format!("{}-details", trace.id);
    let entry = &trace.entry;
    let title = Title::of(entry);
    let label = format!("Details of {}", title.spoken());
    let kind = span_kind(entry);
    let time = entry.timestamp.millisecond();
    let took = duration(entry.duration_ms);
    let outcome = outcome(entry);
    let link = trace_link(&entry.trace_id);
    let environment = trace.environment;
    let trace = StoredValue::new(trace);
    view! {
        <tr role="row" class=format!("relative {ROW}")>
            <td role="cell" class=format!("{LOW_CELL} whitespace-nowrap")>
                {outcome}
            </td>
            <td role="cell" class=format!("{LOW_CELL} whitespace-nowrap")>
                <Kind kind/>
            </td>
            <td role="cell" class=format!("{LOW_CELL} max-w-0 max-md:order-1 max-md:col-span-4 max-md:max-w-none max-md:min-w-0")>
                <TitleView title/>
            </td>
            <td role="cell" class=format!("{LOW_CELL} num whitespace-nowrap md:text-right max-md:order-2")>
                {took}
            </td>
            <td role="cell" class=format!("{LOW_CELL} max-md:justify-self-end")>
                <EnvironmentTag environment/>
            </td>
            <td role="cell" class=format!("{LOW_CELL} whitespace-nowrap max-md:order-3")>{link}</td>
            <td
                role="cell"
                class=format!("{LOW_CELL} num whitespace-nowrap text-ink-2 max-md:order-4 max-md:col-span-2 max-md:justify-self-end")
            >
                <RelativeTime time/>
            </td>
            <td role="cell" class=format!("{LOW_CELL} text-right max-md:justify-self-end")>
                <OpenButton id=id.clone() label open/>
            </td>
        </tr>
        <Show when=move || open.get()>
            <DetailsRow
                id=id.clone()
                columns=COLUMNS.len()
                details=trace.with_value(|trace| Details::of_trace(&trace.entry))
            />
        </Show>
    }
}

/// The icon, and the label if it adds something.
#[component]
fn Kind(kind: SpanKind) -> impl IntoView {
    let word = if kind == SpanKind::Unspecified { "sr-only" } else { "text-ink-2" };
    view! {
        <span class="inline-flex items-center gap-1.5" title=kind_label(kind)>
            <KindIcon kind/>
            <span class=word>{kind_label(kind)}</span>
        </span>
    }
}

/// What a span is called, in one line or two.
#[component]
pub fn TitleView(
    /// Title of the row or section.
    title: Title,
) -> impl IntoView {
    let Title { method, what, name } = title;
    view! {
        <span class="flex min-w-0 items-baseline gap-2 font-mono text-code">
            {method.map(|method| view! { <span class="max-w-40 shrink-0 truncate text-ink-2">{method}</span> })}
            <span class="min-w-0 truncate" title=what.clone()>{what.clone()}</span>
        </span>
        {name.map(|name| view! { <span class="block truncate text-caption text-ink-3">{name}</span> })}
    }
}

/// The way from a row to its whole trace, by the beginning of the trace's id.
pub fn trace_link(id: &str) -> AnyView {
    let Some(address) = trace_address(id) else { return view! { <EmptyCell/> }.into_any() };
    let beginning: String = id.chars().take(8).collect();
    view! {
        <a
            href=address
            // It is above the button that covers the row.
            class="relative z-1 inline-flex min-h-6 items-center font-mono text-[11.5px] text-accent-ink hover:underline"
            aria-label=format!("Open trace {id}")
        >
            {beginning}
        </a>
    }
    .into_any()
}
