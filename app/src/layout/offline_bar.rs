//! Shows that the browser is offline, and how old the data on the page is.

use leptos::ev;
use leptos::prelude::*;

use latchkey_ui::relative_time::browser_time;

/// The bar. It is there only while the browser is offline.
#[component]
pub(super) fn OfflineBar() -> impl IntoView {
    let since = RwSignal::new(None::<String>);
    Effect::new(move |_| {
        if !window().navigator().on_line() {
            since.set(Some(time()));
        }
        let gone = window_event_listener(ev::offline, move |_| since.set(Some(time())));
        let back = window_event_listener(ev::online, move |_| since.set(None));
        on_cleanup(move || {
            gone.remove();
            back.remove();
        });
    });
    view! {
        <div role="status">
            {move || {
                since
                    .get()
                    .map(|time| {
                        view! {
                            <p class="border-b border-warn-line bg-warn-soft px-4 py-2 text-center text-table text-warn-ink">
                                {format!("You’re offline. Showing data from {time}.")}
                            </p>
                        }
                    })
            }}
        </div>
    }
}

/// Hours and minutes in UTC.
fn time() -> String {
    let now = browser_time().map(|now| now.to_string()).unwrap_or_default();
    format!("{} UTC", now.get(11..16).unwrap_or_default())
}
