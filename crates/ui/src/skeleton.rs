//! Placeholders for rows that are loading.
//!
//! They appear after 200 ms, so that a quick response does not flicker, and then stay for at least
//! 300 ms. The delay is in the style sheet, because the server renders skeletons too.

use std::time::Duration;

use leptos::prelude::*;

const APPEARS_AFTER: Duration = Duration::from_millis(200);
const STAYS_UNTIL: Duration = Duration::from_millis(500);

/// Whether to show a skeleton, for something that is `loading`: for all of that time, and then
/// until the skeleton has been seen for long enough.
pub fn skeleton_shown(loading: Signal<bool>) -> Signal<bool> {
    let held = RwSignal::new(false);
    Effect::new(move |_| {
        if !loading.get() {
            return;
        }
        let appear = set_timeout_with_handle(
            move || {
                if loading.try_get_untracked() == Some(true) {
                    _ = held.try_set(true);
                }
            },
            APPEARS_AFTER,
        );
        set_timeout(move || _ = held.try_set(false), STAYS_UNTIL);
        if let Ok(appear) = appear {
            on_cleanup(move || appear.clear());
        }
    });
    // Not told again while it stays the same: a list that is drawn anew forgets what was opened.
    Memo::new(move |_| loading.get() || held.get()).into()
}

/// Whether something has been `loading` for longer than a person should look at what was there
/// before.
pub fn is_late(loading: Signal<bool>) -> Signal<bool> {
    let late = RwSignal::new(false);
    Effect::new(move |_| {
        if !loading.get() {
            late.set(false);
            return;
        }
        if let Ok(timer) = set_timeout_with_handle(move || late.set(true), APPEARS_AFTER) {
            on_cleanup(move || timer.clear());
        }
    });
    Memo::new(move |_| late.get()).into()
}

/// A grey bar; `class` sets its size.
#[component]
pub fn SkeletonBar(
    /// Its size, e.g. `h-2.5 w-32`.
    class: &'static str,
) -> impl IntoView {
    view! { <span class=format!("skeleton block max-w-full rounded-xs bg-pressed {class}")></span> }
}

/// Grey rows in the shape of a list, each with two bars at the left and one at the right.
#[component]
pub fn SkeletonRows(
    /// As many as last time, or three.
    #[prop(default = 3)]
    rows: usize,
) -> impl IntoView {
    const WIDTHS: [&str; 3] = ["h-2.5 w-32", "h-2.5 w-24", "h-2.5 w-36"];
    (0..rows)
        .map(|row| {
            view! {
                <div class="flex h-14 items-center gap-8 border-b border-line px-4 last:border-b-0" aria-hidden="true">
                    <div class="flex w-48 shrink-0 flex-col gap-2 max-md:w-36">
                        <SkeletonBar class=WIDTHS[row % WIDTHS.len()]/>
                        <SkeletonBar class="h-2 w-20"/>
                    </div>
                    <SkeletonBar class="h-2.5 w-44"/>
                    <SkeletonBar class="ml-auto h-4 w-16 max-md:hidden"/>
                </div>
            }
        })
        .collect_view()
}
