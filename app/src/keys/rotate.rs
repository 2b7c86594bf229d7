//! The dialog that rotates a key: it sets how long the current secret keeps working.

use std::time::Duration;

use latchkey_domain::api::{CreatedKey, ListedKey};
use latchkey_domain::id::KeyId;
use latchkey_domain::problem::ErrorCode;
use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

use super::KeysPageState;
use super::summary::KeySummary;
use crate::api::{ApiError, end_grace, rotate_key};
use crate::components::form::{Refusal, Submission};
use latchkey_ui::button::{Button, Size, Variant};
use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::dialog::Dialog;
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::{Clock, browser_time, date_and_time, day_and_time};
use latchkey_ui::segmented::{Segment, Segmented};

const STOP_NOW: &str = "0";
const HOUR: &str = "3600";
const DAY: &str = "86400";
const WEEK: &str = "604800";

/// For how long, in seconds, the current secret may go on working.
const GRACES: &[Segment] = &[
    Segment::new(STOP_NOW, "Stop now"),
    Segment::new(HOUR, "1 hour"),
    Segment::new(DAY, "24 hours"),
    Segment::new(WEEK, "7 days"),
];

/// When the current secret ends that is rotated away at `now`: after the grace, but never past the
/// key's expiry.
fn end_of_grace(seconds: u64, expires_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let end = now + Duration::from_secs(seconds);
    (seconds > 0).then(|| expires_at.map_or(end, |expiry| expiry.min(end)))
}

/// Dialog that rotates a key.
#[component]
pub fn RotateKey(
    /// Where the key is listed.
    page: KeysPageState,
    /// Key that the row or dialog shows.
    listed: ListedKey,
    /// Called to close the dialog.
    #[prop(into)]
    on_close: Callback<()>,
    /// Takes the key with its new secret, the only copy.
    on_rotated: Callback<CreatedKey>,
) -> impl IntoView {
    let grace = RwSignal::new(DAY);
    let submission = Submission::new();
    let busy = submission.busy;
    let (id, expires_at) = (listed.key.id, listed.key.expires_at);
    let is_disabled = listed.key.disabled;
    let clock = use_context::<Clock>();
    let end = Memo::new(move |_| {
        let now = clock.and_then(Clock::get).or_else(browser_time)?;
        end_of_grace(grace.get().parse().unwrap_or_default(), expires_at, now)
    });
    let submit = move |()| {
        let seconds = grace.get_untracked().parse().unwrap_or_default();
        submission.start();
        leptos::task::spawn_local(async move {
            match rotate_key(id, seconds).await {
                Ok(rotated) => _ = on_rotated.try_run(rotated),
                Err(error) if busy.try_set(false).is_none() => {
                    submission.refusal.set(Some(why(&error)));
                }
                Err(_) => {}
            }
        });
    };
    view! {
        <Dialog
            title=format!("Rotate “{}”", listed.key.name)
            on_close
            busy
            on_submit=submit
            footer=move || {
                view! {
                    <Button on_press=on_close disabled=busy>"Cancel"</Button>
                    <Button variant=Variant::Primary glyph=Glyph::RotateCw submit=true busy busy_label="Rotating…">
                        "Rotate key"
                    </Button>
                }
            }
        >
            <div class="flex flex-col gap-5">
                <Refusal submission/>
                <StillRotating page id/>
                <KeySummary listed=listed.clone() scope=page.scope/>
                {is_disabled
                    .then(|| {
                        view! {
                            <p class="text-ink-2">
                                "The key is disabled and stays so: both secrets are refused until you enable it."
                            </p>
                        }
                    })}
                <div class="flex flex-col gap-1.5">
                    <span class="text-table font-medium" aria-hidden="true">
                        "Keep the current secret working for"
                    </span>
                    <Segmented
                        label="Keep the current secret working for"
                        options=GRACES
                        value=grace
                        on_change=move |chosen| grace.set(chosen)
                        autofocus=true
                    />
                </div>
                <div>
                    <Timeline grace end/>
                    <p class="mt-4 text-ink-2" role="status">
                        {move || match end.get() {
                            Some(end) => view! { <BothWork end/> }.into_any(),
                            None => view! { <StopsNow/> }.into_any(),
                        }}
                    </p>
                </div>
            </div>
        </Dialog>
    }
}

fn why(error: &ApiError) -> String {
    let acts_on = matches!(error.code(), Some(ErrorCode::Conflict | ErrorCode::Forbidden));
    match error.problem().filter(|_| acts_on) {
        Some(problem) => problem.detail.clone(),
        None => "Couldn’t rotate the key. Try again.".to_owned(),
    }
}

#[component]
fn BothWork(end: Timestamp) -> impl IntoView {
    view! {
        "Both secrets work until " <span class="font-medium text-ink">{date_and_time(end)}</span>
        ". After that, the current secret gets "
        <code class="font-mono text-code text-ink">"401"</code>
        ". The new one is shown once, right after this step."
    }
}

#[component]
fn StopsNow() -> impl IntoView {
    view! {
        "The current secret gets " <code class="font-mono text-code text-ink">"401"</code>
        " immediately. Only the new one works."
    }
}

/// Two secrets work already: a third takes the oldest one's place, unless that is ended here.
#[component]
fn StillRotating(page: KeysPageState, id: KeyId) -> impl IntoView {
    let ending = RwSignal::new(false);
    let old = Memo::new(move |_| page.keys.row(id).and_then(|row| row.old_secret));
    let end_now = move |()| {
        ending.set(true);
        leptos::task::spawn_local(async move {
            match end_grace(id).await {
                Ok(ended) => {
                    page.keys.change(id, |row| *row = ended);
                    page.toasts.success("Old secret ended");
                }
                Err(_) => page.toasts.failure("Couldn’t end the old secret.", None),
            }
            _ = ending.try_set(false);
        });
    };
    move || {
        let left = old.get()?.ends_at.since(browser_time()?);
        let words = format!("Rotating. The old secret works for {}.", more(left));
        Some(view! {
            <Callout tone=Tone::Info>
                <div class="flex items-center justify-between gap-2 max-md:flex-wrap">
                    <span class="min-w-0">{words} " Rotating again ends it."</span>
                    <Button size=Size::Compact busy=ending busy_label="Ending…" on_press=end_now>
                        "End now"
                    </Button>
                </div>
            </Callout>
        })
    }
}

/// “23 more hours”; the last hour in minutes.
fn more(left: Duration) -> String {
    let (hours, minutes) = (left.as_secs() / 3600, left.as_secs().div_ceil(60));
    match (hours, minutes) {
        (0, 1) => "1 more minute".to_owned(),
        (0, minutes) => format!("{minutes} more minutes"),
        (1, _) => "1 more hour".to_owned(),
        (hours, _) => format!("{hours} more hours"),
    }
}

/// Both secrets on a timeline. The sentence below says the same.
#[component]
fn Timeline(grace: RwSignal<&'static str>, end: Memo<Option<Timestamp>>) -> impl IntoView {
    // Where the current secret ends: drawn, not to scale.
    let width = move || match grace.get() {
        STOP_NOW => "w-0",
        HOUR => "w-[20%]",
        DAY => "w-[60%]",
        _ => "w-[85%]",
    };
    let place = move || match grace.get() {
        HOUR => "left-[20%] -translate-x-1/4",
        DAY => "left-[60%] -translate-x-1/2",
        _ => "right-0",
    };
    view! {
        <div
            class="grid grid-cols-[auto_1fr] items-center gap-x-3 gap-y-3 rounded-md border border-line bg-surface p-3.5 text-table"
            aria-hidden="true"
        >
            <span class="text-ink-2">"Current secret"</span>
            <span class="relative flex h-2.5 items-center">
                <span class="absolute inset-x-0 border-t border-dashed border-line-strong"></span>
                <span class=move || format!("relative h-2.5 rounded-l-full bg-series-5 {}", width())></span>
                <span class="relative h-4 w-0.5 shrink-0 bg-ink"></span>
            </span>
            <span class="font-medium">"New secret"</span>
            <span class="h-2.5 rounded-full bg-accent"></span>
            <span></span>
            <span class="relative h-4 text-caption text-ink-3">
                "Now"
                {move || {
                    end.get()
                        .map(|end| {
                            view! {
                                <span class=format!("num absolute font-medium whitespace-nowrap text-ink {}", place())>
                                    {day_and_time(end)}
                                </span>
                            }
                        })
                }}
            </span>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_grace_never_outlasts_the_key() {
        let now = at("2026-05-14T14:32:00Z");
        let (day, expiry) = (at("2026-05-15T14:32:00Z"), at("2026-05-14T20:00:00Z"));
        assert_eq!(end_of_grace(0, Some(expiry), now), None);
        assert_eq!(end_of_grace(86_400, None, now), Some(day));
        assert_eq!(end_of_grace(86_400, Some(expiry), now), Some(expiry));
        assert_eq!(end_of_grace(3_600, Some(expiry), now), Some(at("2026-05-14T15:32:00Z")));
    }

    #[test]
    fn what_is_left_is_told_in_hours() {
        for (seconds, words) in [
            (30, "1 more minute"),
            (3_540, "59 more minutes"),
            (3_600, "1 more hour"),
            (86_399, "23 more hours"),
        ] {
            assert_eq!(more(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn every_grace_is_one_that_the_server_takes() {
        for grace in GRACES {
            let seconds: u64 = grace.value.parse().unwrap();
            assert!(seconds <= latchkey_domain::api::MAX_GRACE_SECONDS);
        }
    }
}
