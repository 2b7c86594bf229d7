//! Polls while the page is visible.

use std::time::Duration;

use leptos::prelude::*;

/// Interval at which live lists are refreshed.
const LIVE: Duration = Duration::from_millis(2_500);
/// Interval for what takes the server longer.
const SLOW: Duration = Duration::from_secs(30);

/// Calls `ask` every 2.5 s while the page is visible, and when it becomes visible again. It ends
/// with the calling component.
pub fn poll_while_visible(ask: impl Fn() + Clone + 'static) {
    poll_every(LIVE, ask);
}

/// As [`poll_while_visible`], every 30 s.
pub fn poll_slowly(ask: impl Fn() + Clone + 'static) {
    poll_every(SLOW, ask);
}

fn poll_every(interval: Duration, ask: impl Fn() + Clone + 'static) {
    Effect::new(move || {
        let when_visible = {
            let ask = ask.clone();
            move || {
                if !document().hidden() {
                    ask();
                }
            }
        };
        let on_return = when_visible.clone();
        // The event bubbles from the document to the window.
        let listener = window_event_listener_untyped("visibilitychange", move |_| on_return());
        let ticks = set_interval_with_handle(when_visible, interval);
        on_cleanup(move || {
            listener.remove();
            if let Ok(ticks) = ticks {
                ticks.clear();
            }
        });
    });
}
