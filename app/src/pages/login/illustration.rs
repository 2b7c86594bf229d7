//! The illustration beside the sign-in form: one request, and why it was allowed. Wide screens
//! only.

use latchkey_domain::key::Environment;
use leptos::prelude::*;

use latchkey_ui::environment_tag::EnvironmentTag;
use latchkey_ui::icon::{Glyph, Icon};

const CHECKS: [(&str, &str); 4] = [
    ("Key found", "key_01J9XW4Q"),
    ("Not revoked, not expired", "never expires"),
    ("Application", "web-checkout"),
    ("Requests per minute", "41 of 600"),
];

/// The panel. It is a picture: screen readers hear only the sentence under it.
#[component]
pub(super) fn Illustration() -> impl IntoView {
    view! {
        <aside class="my-3 mr-3 hidden flex-col items-center justify-center rounded-xl border border-line bg-sidebar px-6 lg:flex">
            <div class="w-full max-w-[27.5rem] overflow-hidden rounded-lg border border-line bg-surface" aria-hidden="true">
                <div class="border-b border-line px-5 py-4">
                    <p class="flex items-center gap-2 text-table font-medium">
                        "Web checkout" <EnvironmentTag environment=Environment::Live/>
                        <span class="ml-auto font-mono text-[0.71875rem] font-normal text-ink-3">"GET /orders"</span>
                    </p>
                    <p class="mt-2 pb-0.5 font-mono text-[1.275rem] leading-7 whitespace-nowrap">
                        <span class="text-ink-3">"lk_live_"</span>
                        "7Qm2"
                        <span class="text-ink-3">"••••••••"</span>
                        "x9Kd"
                    </p>
                </div>
                <ol class="px-5 py-2.5">
                    {CHECKS
                        .iter()
                        .map(|(check, found)| {
                            view! {
                                <li class="relative flex h-8 items-center gap-3 text-table not-last:after:absolute not-last:after:top-6 not-last:after:left-[7.5px] not-last:after:h-4 not-last:after:w-px not-last:after:bg-line-strong">
                                    <Icon glyph=Glyph::CircleCheck class="text-ok-ink"/>
                                    {*check}
                                    <span class="num ml-auto text-ink-3">{*found}</span>
                                </li>
                            }
                        })
                        .collect_view()}
                </ol>
                <p class="flex h-12 items-center gap-2.5 border-t border-ok-line bg-ok-soft px-5 text-table text-ok-ink">
                    <Icon glyph=Glyph::Check/>
                    <span class="font-medium">"Allowed"</span>
                    <span class="num ml-auto">"3 ms"</span>
                </p>
            </div>
            <p class="mt-5 text-table text-ink-2">"Every request gets a decision, and every denial a reason."</p>
        </aside>
    }
}
