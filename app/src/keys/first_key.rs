//! The card shown before the first key is created: what a key is for, and how to try one.

use leptos::prelude::*;

use super::{KeyScope, KeysPageState};
use crate::layout::server_url;
use latchkey_ui::button::{Button, Size, Variant, button_class};
use latchkey_ui::code_tabs::CodeTabs;
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::relative_time::browser_time;
use latchkey_ui::snippets::report_a_trace;

/// Card that explains the first key.
#[component]
pub fn FirstKey(
    /// Whose first key it will be.
    page: KeysPageState,
    /// Label of the create button.
    action: &'static str,
) -> impl IntoView {
    let scope = page.scope;
    let to_name = Memo::new(move |_| {
        scope.with(|scope| {
            let only = scope.only.as_ref().map(|only| only.id);
            scope.application_to_name(only)
        })
    });
    let snippets = move || {
        browser_time().map(|now| {
            let snippets = report_a_trace(&server_url(), to_name.get(), now);
            view! { <CodeTabs id="first" snippets/> }
        })
    };
    let limit = Signal::derive(move || scope.with(|scope| scope.project.keys_limit));
    view! {
        <div class="grid overflow-hidden rounded-lg border border-line bg-surface lg:grid-cols-[1fr_minmax(0,31rem)]">
            <div class="p-10 max-md:p-5">
                <Slots limit/>
                <h3 class="mt-6 text-title font-semibold">"Create your first key"</h3>
                <p class="mt-1.5 max-w-96 text-body text-ink-2">
                    "A key lets an application call this project. Start with a test key: it runs in the \
                    sandbox, so nothing you send counts toward your plan’s quota."
                </p>
                <div class="mt-5 flex flex-wrap items-center gap-2">
                    <Show when=move || scope.with(KeyScope::may_write)>
                        <Button variant=Variant::Primary glyph=Glyph::Plus on_press=move |()| page.creating.set(true)>
                            {action}
                        </Button>
                    </Show>
                    <a href="/docs" rel="external" class=button_class(Variant::Ghost, Size::Default)>
                        "Read the guide"
                        <Icon glyph=Glyph::ArrowUpRight size=14/>
                    </a>
                </div>
            </div>
            <div class="min-w-0 border-line bg-subtle p-6 max-lg:border-t max-md:p-5 lg:border-l">
                <h3 class="text-table font-semibold">"Then verify it"</h3>
                <p class="mt-0.5 mb-3 text-table text-ink-2">
                    "Put the key in " <code class="font-mono text-code text-ink">"LATCHKEY_KEY"</code>
                    " and send one request."
                </p>
                {snippets}
                // An application's page has a telemetry list, which says this.
                <Show when=move || scope.with(|scope| scope.only.is_none())>
                    <p class="mt-3 flex items-center gap-2 text-caption text-ink-3">
                        <Icon glyph=Glyph::CircleDashed/>
                        "Waiting for the first request"
                    </p>
                </Show>
            </div>
        </div>
    }
}

/// The project's key slots with the next one marked. Decorative: the meter in the head says the
/// same.
#[component]
fn Slots(limit: Signal<Option<u32>>) -> impl IntoView {
    let slot = |index: u32| {
        let look = if index == 0 {
            "border-dashed border-accent bg-accent-soft"
        } else {
            "border-line-strong"
        };
        view! { <span class=format!("h-7 w-3 rounded-xs border {look}")></span> }
    };
    view! {
        <div class="flex gap-1.5" aria-hidden="true">
            {move || (0..limit.get().unwrap_or(10).min(10)).map(slot).collect_view()}
        </div>
    }
}
