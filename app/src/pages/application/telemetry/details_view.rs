//! The details below an expanded row.

use leptos::prelude::*;

use super::details::{Block, Details, Event, Pairs};

/// The details of one item.
#[component]
pub fn DetailsView(
    /// Details of the item.
    details: Details,
) -> impl IntoView {
    let Details { facts, attributes, blocks, resource, events, more_events, meta } = details;
    let facts = Pairs {
        shown: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        more: 0,
    };
    let has_events = !events.is_empty();
    view! {
        <div class="flex flex-col gap-4 border-t border-line bg-canvas px-4 py-3 text-left whitespace-normal max-md:rounded-lg max-md:border">
            <PairList title="Details" pairs=facts/>
            {blocks.into_iter().map(block).collect_view()}
            <PairList title="Attributes" pairs=attributes/>
            {has_events
                .then(|| {
                    view! {
                        <div role="group" aria-label="Events">
                            <p class=TITLE>"Events"</p>
                            <ol role="list" class="flex flex-col gap-3">{events.into_iter().map(event).collect_view()}</ol>
                            {more(more_events, "event")}
                        </div>
                    }
                })}
            <PairList title="Resource" pairs=resource/>
            {(!meta.is_empty()).then(|| block(Block { name: "All of it as JSON".to_owned(), text: meta }))}
        </div>
    }
}

const TITLE: &str = "mb-1.5 text-caption font-medium text-ink-3";

/// Names with their values; nothing if there are none.
#[component]
fn PairList(title: &'static str, pairs: Pairs) -> impl IntoView {
    (!pairs.shown.is_empty()).then(|| {
        view! {
            <div role="group" aria-label=title>
                <p class=TITLE>{title}</p>
                {list(pairs)}
            </div>
        }
    })
}

fn list(pairs: Pairs) -> impl IntoView {
    let pair = |(name, value): (String, String)| {
        view! {
            <div class="contents">
                <dt class="min-w-0 text-ink-2 [overflow-wrap:anywhere] max-md:mt-1">{name}</dt>
                <dd class="min-w-0 [overflow-wrap:anywhere]">{value}</dd>
            </div>
        }
    };
    view! {
        <dl class="grid grid-cols-[minmax(7rem,14rem)_1fr] gap-x-4 gap-y-0.5 font-mono text-code max-md:grid-cols-1">
            {pairs.shown.into_iter().map(pair).collect_view()}
        </dl>
        {more(pairs.more, "attribute")}
    }
}

fn event(Event { name, time, pairs, blocks }: Event) -> impl IntoView {
    let name = if name.is_empty() { "Event".to_owned() } else { name };
    view! {
        <li class="border-l-2 border-line-strong pl-3">
            <p class="flex flex-wrap items-baseline gap-x-3 text-table">
                <span class="min-w-0 font-medium [overflow-wrap:anywhere]">{name}</span>
                {time.map(|time| view! { <time class="num text-caption text-ink-3">{time}</time> })}
            </p>
            {(!pairs.shown.is_empty()).then(|| list(pairs))}
            <div class="flex flex-col gap-2 not-empty:mt-2">{blocks.into_iter().map(block).collect_view()}</div>
        </li>
    }
}

fn more(count: usize, what: &str) -> impl IntoView + use<> {
    let words = match count {
        0 => return None,
        1 => format!("1 more {what} is in the JSON below."),
        count => format!("{count} more {what}s are in the JSON below."),
    };
    Some(view! { <p class="mt-1 text-caption text-ink-2">{words}</p> })
}

fn block(Block { name, text }: Block) -> impl IntoView {
    view! {
        <div class="min-w-0">
            <p class=TITLE aria-hidden="true">{name.clone()}</p>
            <pre
                class="max-h-80 overflow-auto rounded-md border border-line bg-code-bg px-3 py-2 font-mono text-code whitespace-pre-wrap text-ink-2 [overflow-wrap:anywhere]"
                role="group"
                aria-label=name
                tabindex="0"
            >
                {text}
            </pre>
        </div>
    }
}
