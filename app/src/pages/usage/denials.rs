//! Denied requests, newest first. Expanded, each shows the checks that it went through.
//!
//! A denial is known by its outcome, not by a status: the same one is 429 to most callers, and 402
//! to a caller of the gateway if waiting a minute does not help.

use latchkey_domain::api::{ApiKey, RecentDenial};
use latchkey_domain::outcome::Outcome;
use leptos::prelude::*;

use super::trace::{advice_for, label_of, steps_of_denial};
use latchkey_ui::decision_trace::DecisionTrace;
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::relative_time::{date, exact, time_of_day};

/// Heading of the details of a denial.
pub const QUESTION: &str = "Why was this rejected?";

/// List of recent denied requests.
#[component]
pub fn Denials(
    /// Denied requests, newest first.
    #[prop(into)]
    denials: Signal<Vec<RecentDenial>>,
    /// The one key that they are of, if they are of one.
    #[prop(into)]
    key: Signal<Option<ApiKey>>,
) -> impl IntoView {
    // A denial has no id: its time, and its position among those of the same time, identify it.
    let rows = move || {
        let mut rows: Vec<((i64, usize), RecentDenial)> = Vec::new();
        for denial in denials.get() {
            let at = denial.at.as_millis();
            let same = rows.iter().filter(|((other, _), _)| *other == at).count();
            rows.push(((at, same), denial));
        }
        rows
    };
    let is_empty = Memo::new(move |_| denials.with(Vec::is_empty));
    view! {
        <Show
            when=move || !is_empty.get()
            fallback=|| {
                view! {
                    <EmptyState
                        glyph=Glyph::CircleCheck
                        title="No denials"
                        text="Every request in this range was allowed."
                    />
                }
            }
        >
            <ul>
                <For each=rows key=|(id, _)| *id let((_, denial))>
                    <Denial denial key/>
                </For>
            </ul>
        </Show>
    }
}

#[component]
fn Denial(denial: RecentDenial, key: Signal<Option<ApiKey>>) -> impl IntoView {
    let open = RwSignal::new(false);
    let RecentDenial { at, code, detail, ip } = denial;
    view! {
        <li class="border-t border-line">
            <button
                type="button"
                class="group grid w-full cursor-pointer grid-cols-[1rem_5.5rem_minmax(0,1fr)_auto] items-center gap-x-3 px-4 py-2.5 text-left text-table transition-colors duration-120 hover:bg-hover max-md:min-h-12 max-md:grid-cols-[minmax(0,1fr)_auto_1rem]"
                class=("bg-hover", open)
                aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)
            >
                <span class="inline-flex text-ink-3 group-aria-expanded:rotate-90 max-md:order-3">
                    <Icon glyph=Glyph::ChevronRight/>
                </span>
                <time class="num text-ink-2 max-md:order-2 max-md:text-caption" datetime=at.to_string() title=exact(at)>
                    {time_of_day(at)} <span class="block text-caption text-ink-3">{date(at)}</span>
                </time>
                <span class="min-w-0 max-md:order-1">
                    <OutcomeBadge outcome=code/>
                    <code class="block truncate font-mono text-[11.5px] leading-4 text-ink-3">{code.as_str()}</code>
                </span>
                <span class="font-mono text-[11.5px] text-ink-2 max-md:hidden">{ip.clone()}</span>
            </button>
            <Show when=move || open.get()>
                <div class="bg-hover px-4 pb-4 max-md:px-3">
                    {opened(key.get_untracked().as_ref(), code, &detail, ip.as_deref())}
                </div>
            </Show>
        </li>
    }
}

/// The details of a denial. Without the key, there are no checks to show.
fn opened(
    key: Option<&ApiKey>,
    code: Outcome,
    detail: &str,
    ip: Option<&str>,
) -> impl IntoView + use<> {
    let steps = key.map(|key| steps_of_denial(key, code, detail)).unwrap_or_default();
    let from = ip.map(|ip| format!("From {ip}."));
    let sentence = std::iter::once(detail).chain(advice_for(code)).chain(from.as_deref());
    let sentence = sentence.collect::<Vec<_>>().join(" ");
    view! { <DecisionTrace question=QUESTION sentence retry_after=None steps/> }
}

/// An outcome as a word: what waiting helps against is a warning, the rest is neutral.
#[component]
pub fn OutcomeBadge(
    /// Outcome of the denied request.
    outcome: Outcome,
) -> impl IntoView {
    let look = match outcome {
        Outcome::Valid => "bg-ok-soft text-ok-ink",
        Outcome::RateLimited | Outcome::TokenRateLimited | Outcome::TooManyParallelRequests => {
            "bg-warn-soft text-warn-ink"
        }
        Outcome::RequestBudgetExhausted
        | Outcome::TokenBudgetExhausted
        | Outcome::SpendLimitReached
        | Outcome::QuotaExceeded => "bg-danger-soft text-danger-ink",
        _ => "bg-subtle text-ink-2",
    };
    view! {
        <span class=format!("inline-flex h-5 max-w-full items-center truncate rounded-xs px-1.5 text-caption font-medium {look}")>
            {label_of(outcome)}
        </span>
    }
}
