//! One API key in the list, and the cells that rows of every kind of key have.

use latchkey_domain::api::{ApiKey, ListedKey};
use latchkey_domain::key::KeyStatus;
use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

use super::KeysPageState;
use super::actions::Actions;
use super::activity::Activity;
use latchkey_ui::environment_tag::EnvironmentTag;
use latchkey_ui::masked_key::MaskedKey;
use latchkey_ui::relative_time::{
    Clock, RelativeTime, browser_time, date, day_and_time, distance, exact, is_soon,
};
use latchkey_ui::sparkline::Sparkline;
use latchkey_ui::status_badge::{KeyState, StatusBadge};
use latchkey_ui::table::{CELL, EmptyCell, ROW};
use latchkey_ui::thousands;

/// The row. What it says follows the list; the row itself stays, as focus may be in it.
#[component]
pub fn KeyRow(
    /// Where the key is listed.
    page: KeysPageState,
    /// What the listed keys were used for.
    activity: Activity,
    /// Key that the row or dialog shows.
    listed: ListedKey,
    /// Whether to say which application the key is for.
    names_application: bool,
) -> impl IntoView {
    let id = listed.key.id;
    let environment = listed.key.environment;
    let application_id = listed.key.application_id;
    let now = Memo::new(move |_| page.keys.row(id).unwrap_or_else(|| listed.clone()));
    let clock = use_context::<Clock>();
    let time = move || clock.and_then(Clock::get).or_else(browser_time);
    let state = Memo::new(move |_| now.with(|now| KeyState::of(now, time())));
    let name = Memo::new(move |_| now.with(|now| now.key.name.clone()));
    let secret = Memo::new(move |_| {
        now.with(|now| (now.key.masked.clone(), now.key.status == KeyStatus::Revoked))
    });
    let hours = Memo::new(move |_| activity.hours(id));
    let limits = Memo::new(move |_| now.with(|now| limits_of(&now.key)));
    let application = move || {
        match application_id {
        None => view! { "All " <span class="max-md:hidden">"apps"</span> <span class="md:hidden">"applications"</span> }
            .into_any(),
        id => page.scope.with(|scope| scope.application_name(id)).into_any(),
    }
    };
    let is_dead = move || now.with(|now| now.key.status != KeyStatus::Active);
    let long_id = id.to_string();
    let short_id = long_id.get(..12).unwrap_or_default().to_owned();
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{CELL} max-w-64 max-md:col-span-2 max-md:max-w-none max-md:min-w-0")>
                <span class="block truncate font-medium" class=("text-ink-2", is_dead)>{name}</span>
                <span class="flex text-caption text-ink-3 max-md:hidden">
                    <code class="font-mono text-[11.5px]" title=long_id>{short_id}</code>
                    {names_application
                        .then(|| view! { <span class="ml-1.5 min-w-0 truncate xl:hidden max-lg:hidden">"· " {application}</span> })}
                </span>
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-4 max-md:col-span-3")>
                {move || {
                    let (hint, revoked) = secret.get();
                    view! { <MaskedKey hint revoked/> }
                }}
                {move || limits.get().map(|limits| view! { <span class="block text-caption text-ink-3">{limits}</span> })}
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-3")>
                <EnvironmentTag environment/>
            </td>
            {names_application
                .then(|| {
                    view! {
                        <td
                            role="cell"
                            class=format!("{CELL} max-w-40 truncate md:max-xl:hidden max-md:order-5 max-md:col-span-4 max-md:max-w-none max-md:text-caption")
                            class=("text-ink-2", application_id.is_some())
                            class=("text-ink-3", application_id.is_none())
                        >
                            {application}
                        </td>
                    }
                })}
            <td role="cell" class=format!("{CELL} num text-ink-2 md:whitespace-nowrap max-md:order-6 max-md:col-span-2 max-md:text-caption")>
                <LastUse now/>
                <span class="md:hidden"><ExpiresAhead now time=Signal::derive(time)/></span>
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-7 max-md:col-span-2 max-md:justify-self-end md:max-[88rem]:hidden")>
                {move || view! { <Sparkline hours=hours.get()/> }}
            </td>
            <td role="cell" class=format!("{CELL} num whitespace-nowrap text-ink-2 max-md:hidden")>
                <Expiry now state time=Signal::derive(time)/>
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-1 max-md:text-right")>
                {move || view! { <StatusBadge state=state.get()/> }}
                <OldSecretEnds now state/>
            </td>
            <td role="cell" class=format!("{CELL} text-right max-md:order-2 max-md:-my-2 max-md:-mr-2")>
                <Actions page now/>
            </td>
        </tr>
    }
}

/// “600 rpm · 2 networks”, if the key has such limits.
fn limits_of(key: &ApiKey) -> Option<String> {
    let rpm = key.rpm.map(|rpm| format!("{} rpm", thousands(rpm.get())));
    let networks = key.allowed_cidrs.as_ref().map(|list| match list.as_slice() {
        [one] => one.to_string(),
        more => format!("{} networks", more.len()),
    });
    let limits: Vec<String> = [rpm, networks].into_iter().flatten().collect();
    (!limits.is_empty()).then(|| limits.join(" · "))
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
                    view! { <span class="text-caption text-ink-3 max-md:before:content-['_·_'] md:block">{words}</span> }
                })
        }}
    }
}

/// On a card: “ · expires in 5 days”.
#[component]
fn ExpiresAhead(now: Memo<ListedKey>, time: Signal<Option<Timestamp>>) -> impl IntoView {
    move || {
        let end =
            now.with(|now| now.key.expires_at.filter(|_| now.key.status == KeyStatus::Active));
        let (end, time) = end.zip(time.get())?;
        let soon = is_soon(end, time);
        Some(view! {
            " · "
            <span class=("font-medium", soon) class=("text-warn-ink", soon)>
                {format!("expires {}", distance(end, time))}
            </span>
        })
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
pub fn OldSecretEnds(
    /// The key as it is now.
    now: Memo<ListedKey>,
    /// State of the key.
    state: Memo<KeyState>,
) -> impl IntoView {
    let end = Memo::new(move |_| now.with(|now| now.old_secret.as_ref().map(|old| old.ends_at)));
    move || {
        let end = end.get().filter(|_| state.get() == KeyState::Rotating)?;
        Some(view! {
            <span class="mt-0.5 block text-caption whitespace-nowrap text-ink-3" title=exact(end)>
                <span class="sr-only">"Old secret works "</span>
                {format!("until {}", day_and_time(end))}
            </span>
        })
    }
}
