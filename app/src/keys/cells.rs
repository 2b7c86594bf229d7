//! The cells that rows of all kinds of keys share.

use latchkey_domain::api::ListedKey;
use latchkey_domain::id::KeyId;
use latchkey_domain::key::KeyStatus;
use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

use super::KeysPageState;
use super::actions::Actions;
use latchkey_ui::masked_key::MaskedKey;
use latchkey_ui::relative_time::{
    Clock, RelativeTime, browser_time, date, day_and_time, distance, exact,
};
use latchkey_ui::status_badge::{KeyState, StatusBadge};
use latchkey_ui::table::{ACTIONS_CELL, CELL, EmptyCell};

/// A key in a list, as it is now.
#[derive(Clone, Copy)]
pub struct KeyRowState {
    /// The key, as in the list.
    pub now: Memo<ListedKey>,
    /// The time, if it is known.
    pub time: Signal<Option<Timestamp>>,
    /// State of the key at that time.
    pub state: Memo<KeyState>,
    /// Name of the key.
    pub name: Memo<String>,
    /// Whether it is revoked or expired.
    pub is_dead: Memo<bool>,
}

impl KeyRowState {
    /// Follows the list, so that the row itself stays: focus may be in it.
    pub fn of(page: KeysPageState, listed: ListedKey) -> Self {
        let id = listed.key.id;
        let now = Memo::new(move |_| page.keys.row(id).unwrap_or_else(|| listed.clone()));
        let clock = use_context::<Clock>();
        let time = Signal::derive(move || clock.and_then(Clock::get).or_else(browser_time));
        Self {
            now,
            time,
            state: Memo::new(move |_| now.with(|now| KeyState::of(now, time.get()))),
            name: Memo::new(move |_| now.with(|now| now.key.name.clone())),
            is_dead: Memo::new(move |_| {
                now.with(|now| matches!(now.key.status, KeyStatus::Revoked | KeyStatus::Expired))
            }),
        }
    }
}

/// The first characters of the key's id; all of them in the tooltip.
#[component]
pub fn ShortId(
    /// ID of the key.
    id: KeyId,
    /// More classes, for its place.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    let long_id = id.to_string();
    let short_id = long_id.get(..12).unwrap_or_default().to_owned();
    view! { <code class=format!("font-mono text-[11.5px] {class}") title=long_id>{short_id}</code> }
}

/// The visible characters of the secret.
#[component]
pub fn SecretHint(
    /// The key as it is now.
    now: Memo<ListedKey>,
) -> impl IntoView {
    let secret = Memo::new(move |_| {
        now.with(|now| (now.key.masked.clone(), now.key.status == KeyStatus::Revoked))
    });
    move || {
        let (hint, revoked) = secret.get();
        view! { <MaskedKey hint revoked/> }
    }
}

/// The state of the key, and until when its old secret works.
#[component]
pub fn StatusCell(
    /// The key as it is now.
    now: Memo<ListedKey>,
    /// State of the key.
    state: Memo<KeyState>,
) -> impl IntoView {
    view! {
        <td role="cell" class=format!("{CELL} max-md:order-1 max-md:text-right")>
            {move || view! { <StatusBadge state=state.get()/> }}
            <OldSecretEnds now state/>
        </td>
    }
}

/// What can be done with the key.
#[component]
pub fn ActionsCell(
    /// Where the key is listed.
    page: KeysPageState,
    /// The key as it is now.
    now: Memo<ListedKey>,
) -> impl IntoView {
    view! {
        <td role="cell" class=format!("{CELL} {ACTIONS_CELL} max-md:order-2 max-md:-my-2 max-md:-mr-2")>
            <Actions page now/>
        </td>
    }
}

/// When the key was last used, and its old secret while that still works.
#[component]
pub fn LastUse(
    /// The key as it is now.
    now: Memo<ListedKey>,
) -> impl IntoView {
    let last = Memo::new(move |_| now.with(|now| now.key.last_used_at));
    let old =
        Memo::new(move |_| now.with(|now| now.old_secret.as_ref().map(|old| old.last_used_at)));
    view! {
        {move || match last.get() {
            Some(time) => view! { <span class="md:hidden">"Used "</span> <RelativeTime time/> }.into_any(),
            None => view! {
                <span class="max-md:hidden"><EmptyCell/></span>
                <span class="md:hidden">"Never used"</span>
            }
            .into_any(),
        }}
        {move || {
            old.get()
                .map(|last| {
                    let words = match last {
                        Some(time) => view! { "old secret " <RelativeTime time/> }.into_any(),
                        None => "old secret not used".into_any(),
                    };
                    view! { <span class="text-caption text-ink-3 max-md:before:content-['_·_'] md:block md:whitespace-normal">{words}</span> }
                })
        }}
    }
}

/// The day on which the key stops working, and how far that is.
#[component]
pub fn Expiry(
    /// The key as it is now.
    now: Memo<ListedKey>,
    /// State of the key.
    state: Memo<KeyState>,
    /// The time, if it is known.
    time: Signal<Option<Timestamp>>,
) -> impl IntoView {
    let end = Memo::new(move |_| now.with(|now| now.key.expires_at));
    let soon = move || state.get() == KeyState::ExpiresSoon;
    move || {
        let Some(end) = end.get() else { return "Never".into_any() };
        let far = move || time.get().map(|time| distance(end, time));
        view! {
            <span class=("text-warn-ink", soon) title=exact(end)>
                <span class=("font-medium", soon)>{date(end)}</span>
                <span class="block text-caption">{far}</span>
            </span>
        }
        .into_any()
    }
}

/// Until when the secret before the last rotation works.
#[component]
fn OldSecretEnds(
    /// The key as it is now.
    now: Memo<ListedKey>,
    /// State of the key.
    state: Memo<KeyState>,
) -> impl IntoView {
    let end = Memo::new(move |_| now.with(|now| now.old_secret.as_ref().map(|old| old.ends_at)));
    move || {
        let end = end.get().filter(|_| state.get() == KeyState::Rotating)?;
        Some(view! {
            <span class="mt-0.5 block text-caption text-ink-3 max-md:whitespace-nowrap" title=exact(end)>
                <span class="sr-only">"Old secret works "</span>
                {format!("until {}", day_and_time(end))}
            </span>
        })
    }
}
