//! The checks of a request in order, and how far it got.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// The request may go on.
    Passed,
    /// The request was denied here.
    Failed,
    /// It was denied before.
    NotReached,
}

/// One step of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceStep {
    /// Name of the check.
    pub label: &'static str,
    /// Result of the check.
    pub state: CheckState,
    /// What it was about.
    pub detail: String,
}

/// The question, the answer in a sentence, and the checks.
#[component]
pub fn DecisionTrace(
    /// The question above it.
    question: &'static str,
    /// Outcome of the check in words.
    #[prop(into)]
    sentence: String,
    /// After how many seconds the same request could pass, if waiting helps.
    retry_after: Option<u64>,
    /// Steps of the check in their order.
    steps: Vec<TraceStep>,
) -> impl IntoView {
    view! {
        <div class="rounded-md border border-line bg-surface p-4">
            <div class="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
                <h3 class="text-table font-semibold">{question}</h3>
                {retry_after
                    .map(|seconds| {
                        view! { <code class="font-mono text-[11.5px] text-ink-2">{format!("Retry-After: {seconds}")}</code> }
                    })}
            </div>
            <p class="mt-0.5 mb-3 text-table break-words text-ink-2">{sentence}</p>
            <ol class="flex flex-col">{steps.into_iter().map(step).collect_view()}</ol>
        </div>
    }
}

fn step(TraceStep { label, state, detail }: TraceStep) -> impl IntoView {
    let (glyph, icon, words, about, spoken) = match state {
        CheckState::Passed => (Glyph::CircleCheck, "text-ok-ink", "", "text-ink-2", "passed"),
        CheckState::Failed => (
            Glyph::CircleX,
            "text-danger-ink",
            "font-medium text-danger-ink",
            "text-danger-ink",
            "failed",
        ),
        CheckState::NotReached => {
            (Glyph::CircleDashed, "text-ink-3", "text-ink-3", "text-ink-3", "")
        }
    };
    let detail = if state == CheckState::NotReached { "not checked".to_owned() } else { detail };
    view! {
        <li class="group relative grid grid-cols-[1rem_minmax(0,1fr)] gap-x-2.5 pb-2.5 text-table last:pb-0 md:grid-cols-[1rem_11rem_minmax(0,1fr)]">
            <span class="absolute top-4 bottom-0 left-[7.5px] w-px bg-line group-last:hidden" aria-hidden="true"></span>
            <span class=format!("relative mt-px inline-flex {icon}")>
                <Icon glyph/>
            </span>
            <span class=words>
                {label} {(!spoken.is_empty()).then(|| view! { <span class="sr-only">{format!(": {spoken}")}</span> })}
            </span>
            <span class=format!("num min-w-0 break-words max-md:col-start-2 {about}")>{detail}</span>
        </li>
    }
}
