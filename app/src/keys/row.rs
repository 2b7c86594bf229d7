//! One API key in the list.

use latchkey_domain::api::{ApiKey, ListedKey};
use latchkey_domain::key::KeyStatus;
use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

use super::KeysPageState;
use super::activity::Activity;
use super::attribute_view::RowAttributes;
use super::cells::{ActionsCell, Expiry, KeyRowState, LastUse, SecretHint, ShortId, StatusCell};
use latchkey_ui::budget::limit_in_words;
use latchkey_ui::environment_tag::EnvironmentTag;
use latchkey_ui::relative_time::{distance, is_soon};
use latchkey_ui::sparkline::Sparkline;
use latchkey_ui::table::{CELL, ONE_LINE, ROW};
use latchkey_ui::thousands;

/// The row. It follows the list but is never replaced, because it may contain the focus.
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
    let KeyRowState { now, time, state, name, is_dead } = KeyRowState::of(page, listed);
    let hours = Memo::new(move |_| activity.hours(id));
    let limits = Memo::new(move |_| now.with(|now| limits_of(&now.key)));
    let application = move || {
        match application_id {
        None => view! { "All " <span class="max-md:hidden">"apps"</span> <span class="md:hidden">"applications"</span> }
            .into_any(),
        id => page.scope.with(|scope| scope.application_name(id)).into_any(),
    }
    };
    let application_name = move || page.scope.with(|scope| scope.application_name(application_id));
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{CELL} max-w-64 md:min-w-32 max-md:col-span-2 max-md:max-w-none max-md:min-w-0")>
                <span class=format!("{ONE_LINE} font-medium") class=("text-ink-2", is_dead) title=name>{name}</span>
                <span class="flex text-caption text-ink-3 max-md:hidden">
                    <ShortId id/>
                    {names_application
                        .then(|| view! { <span class="ml-1.5 min-w-0 truncate xl:hidden max-lg:hidden">"· " {application}</span> })}
                </span>
                <RowAttributes page now/>
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-4 max-md:col-span-3")>
                <SecretHint now/>
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
                            class=format!("{CELL} max-w-40 md:min-w-20 md:max-xl:hidden max-md:order-5 max-md:col-span-4 max-md:max-w-none max-md:text-caption")
                            class=("text-ink-2", application_id.is_some())
                            class=("text-ink-3", application_id.is_none())
                        >
                            <span class=ONE_LINE title=application_name>{application}</span>
                        </td>
                    }
                })}
            <td role="cell" class=format!("{CELL} num text-ink-2 md:whitespace-nowrap max-md:order-6 max-md:col-span-2 max-md:text-caption")>
                <LastUse now/>
                <span class="md:hidden"><ExpiresAhead now time/></span>
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-7 max-md:col-span-2 max-md:justify-self-end md:max-[88rem]:hidden")>
                {move || view! { <Sparkline hours=hours.get()/> }}
            </td>
            <td role="cell" class=format!("{CELL} num whitespace-nowrap text-ink-2 max-md:hidden")>
                <Expiry now state time/>
            </td>
            <StatusCell now state/>
            <ActionsCell page now/>
        </tr>
    }
}

/// “600 rpm · $5 a day · 2 networks”, if the key has such limits.
fn limits_of(key: &ApiKey) -> Option<String> {
    let rpm = key.rpm.map(|rpm| format!("{} rpm", thousands(rpm.get())));
    let networks = key.allowed_cidrs.as_ref().map(|list| match list.as_slice() {
        [one] => one.to_string(),
        more => format!("{} networks", more.len()),
    });
    let budgets = match key.budgets.as_slice() {
        [] => None,
        [one] => Some(limit_in_words(one.unit, one.limit, one.period)),
        more => Some(format!("{} budgets", more.len())),
    };
    let limits: Vec<String> = [rpm, budgets, networks].into_iter().flatten().collect();
    (!limits.is_empty()).then(|| limits.join(" · "))
}

/// On a card: “ · expires in 5 days”.
#[component]
fn ExpiresAhead(now: Memo<ListedKey>, time: Signal<Option<Timestamp>>) -> impl IntoView {
    move || {
        let is_alive = |status| matches!(status, KeyStatus::Active | KeyStatus::Disabled);
        let end = now.with(|now| now.key.expires_at.filter(|_| is_alive(now.key.status)));
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
