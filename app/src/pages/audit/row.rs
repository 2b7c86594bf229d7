//! An event of the audit log; on narrow screens, its card. Expanded, it shows the whole event as
//! the API returns it.

use latchkey_domain::api::{AuditActor, AuditEvent};
use latchkey_domain::audit::{ActorKind, TargetKind};
use latchkey_domain::id::UserId;
use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

use super::actions::icon_and_colour;
use super::people::People;
use super::words::{Detail, detail};
use latchkey_ui::avatar::{Avatar, initials};
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::relative_time::{day, exact, time_of_day};
use latchkey_ui::table::{Column, EmptyCell, LOW_CELL, ROW};

/// The columns of the log.
pub const COLUMNS: &[Column] = &[
    Column::new("Time (UTC)").class("whitespace-nowrap"),
    Column::new("Actor"),
    Column::new("Action"),
    Column::new("Target").class("w-full"),
    Column::new("IP address").class("whitespace-nowrap"),
    Column::spoken("Details"),
];

/// The events, each first one of a day with the day's name.
pub fn by_day(
    events: Vec<AuditEvent>,
    now: Option<Timestamp>,
) -> Vec<(AuditEvent, Option<String>)> {
    let mut before = None;
    let with_day = |event: AuditEvent| {
        let name = day(event.at, now);
        let is_new = before.as_ref() != Some(&name);
        before = Some(name.clone());
        (event, is_new.then_some(name))
    };
    events.into_iter().map(with_day).collect()
}

/// One event, under the name of its day if it is the first of it.
#[component]
pub fn EventRow(
    /// Audit event that the row shows.
    event: AuditEvent,
    /// Heading of the day's events.
    day: Option<String>,
    /// Who may have acted.
    people: People,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let raw = serde_json::to_string_pretty(&event).unwrap_or_default();
    let id = event.id.to_string();
    let details = format!("{id}-details");
    let changed = detail(&event);
    let AuditEvent { at, actor, action, target, ip, .. } = event;
    let (glyph, colour) = icon_and_colour(action);
    let name = move || match target.kind {
        TargetKind::Member | TargetKind::Session => people.name(&target.name),
        _ => target.name.clone(),
    };
    let label = {
        let name = name.clone();
        move || format!("Details of {}, {}", action.label(), name())
    };
    view! {
        {day.map(|day| view! { <DayRow day/> })}
        <tr role="row" class=format!("relative {ROW}")>
            <td role="cell" class=format!("{LOW_CELL} num whitespace-nowrap text-ink-2 max-md:order-4 max-md:col-span-2 max-md:justify-self-end max-md:text-caption")>
                <time datetime=at.to_string() title=exact(at)>{time_of_day(at)}</time>
            </td>
            <td role="cell" class=format!("{LOW_CELL} max-w-56 md:min-w-40 max-md:order-3 max-md:col-span-2 max-md:max-w-none max-md:min-w-0")>
                <Actor actor people/>
            </td>
            <td role="cell" class=format!("{LOW_CELL} whitespace-nowrap max-md:col-span-3 max-md:min-w-0")>
                <span class="flex min-w-0 items-center gap-2">
                    <Icon glyph class=colour/>
                    <span class="font-medium">{action.label()}</span>
                    <code class="truncate font-mono text-[11.5px] leading-4 text-ink-3 lg:max-xl:hidden">{action.as_str()}</code>
                </span>
            </td>
            <td role="cell" class=format!("{LOW_CELL} md:max-w-0 max-md:order-2 max-md:col-span-4 max-md:min-w-0")>
                <Target name=name.clone() detail=changed/>
            </td>
            <td role="cell" class=format!("{LOW_CELL} font-mono text-[11.5px] whitespace-nowrap text-ink-2 max-md:hidden")>
                {match ip {
                    Some(ip) => ip.into_any(),
                    None => view! { <EmptyCell/> }.into_any(),
                }}
            </td>
            <td role="cell" class=format!("{LOW_CELL} text-right max-md:order-1 max-md:justify-self-end")>
                <button
                    type="button"
                    class="group inline-flex size-7 cursor-pointer items-center justify-center rounded-sm text-ink-3 after:absolute after:inset-0 hover:text-ink max-md:size-6"
                    aria-expanded=move || open.get().to_string()
                    aria-controls=details.clone()
                    aria-label=label
                    on:click=move |_| open.update(|open| *open = !*open)
                >
                    <span class="inline-flex group-aria-expanded:rotate-90">
                        <Icon glyph=Glyph::ChevronRight/>
                    </span>
                </button>
            </td>
        </tr>
        <Show when=move || open.get()>
            <RawRow id=details.clone() label=format!("Event {id}") raw=raw.clone()/>
        </Show>
    }
}

#[component]
fn DayRow(day: String) -> impl IntoView {
    view! {
        <tr role="row" class="border-line max-md:block md:border-t">
            <th
                role="rowheader"
                scope="colgroup"
                colspan="6"
                class="h-8 bg-canvas px-3 text-left text-caption font-medium text-ink-2 first:pl-4 max-md:flex max-md:items-end max-md:bg-transparent max-md:px-0 max-md:first:pl-0"
            >
                {day}
            </th>
        </tr>
    }
}

#[component]
fn Actor(actor: AuditActor, people: People) -> impl IntoView {
    let AuditActor { kind, id, name: login } = actor;
    let disc = |glyph| {
        view! {
            <span class="flex size-6 shrink-0 items-center justify-center rounded-full border border-line bg-subtle text-ink-3">
                <Icon glyph size=14/>
            </span>
        }
        .into_any()
    };
    let name = {
        let login = login.clone();
        Memo::new(move |_| match kind {
            ActorKind::Person => people.name(&login),
            ActorKind::ServiceKey | ActorKind::System => login.clone(),
        })
    };
    let face = match kind {
        ActorKind::System => disc(Glyph::Server),
        ActorKind::ServiceKey => disc(Glyph::KeyRound),
        ActorKind::Person => {
            let id = id.and_then(|id| id.parse::<UserId>().ok());
            let letters = move || name.with(|name| initials(Some(name), &login));
            view! { <Avatar id=Signal::stored(id) initials=Signal::derive(letters) class="size-6"/> }
                .into_any()
        }
    };
    view! {
        <span class="flex min-w-0 items-center gap-2">
            {face}
            <span class="min-w-0 truncate">{name}</span>
        </span>
    }
}

/// The target of the action, and what changed in it.
#[component]
fn Target(
    name: impl Fn() -> String + Send + Sync + 'static,
    detail: Option<Detail>,
) -> impl IntoView {
    let detail = detail.map(|detail| match detail {
        Detail::Words(words) => {
            view! { <span class="min-w-0 truncate text-ink-2">{words}</span> }.into_any()
        }
        Detail::Masked(key) => view! {
            <code class="min-w-0 truncate font-mono text-[11.5px] leading-4 text-ink-2">{key}</code>
        }
        .into_any(),
    });
    view! {
        <span class="flex min-w-0 items-baseline gap-1.5 max-md:flex-wrap max-md:gap-y-0">
            <span class="max-w-full min-w-0 truncate font-medium md:max-w-[70%] md:shrink-0">{name}</span>
            {detail}
        </span>
    }
}

/// The event as the API returns it.
#[component]
fn RawRow(id: String, label: String, raw: String) -> impl IntoView {
    view! {
        <tr role="row" id=id class="max-md:block">
            <td role="cell" colspan="6" class="max-w-0 p-0 max-md:block max-md:max-w-none">
                <pre
                    class="max-h-[34rem] overflow-auto border-t border-line bg-code-bg px-4 py-3 font-mono text-code text-ink-2 outline-offset-[-2px] max-md:rounded-lg max-md:border"
                    role="group"
                    aria-label=label
                    tabindex="0"
                >
                    {raw}
                </pre>
            </td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(at: &str) -> AuditEvent {
        serde_json::from_value(json!({
            "id": "evt_01h455vb4pex5vsknk084sn02q",
            "at": at,
            "actor": { "kind": "system", "id": null, "name": "System" },
            "action": "key.revoked",
            "target": { "kind": "key", "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Web" },
            "ip": null,
            "changes": {},
        }))
        .unwrap()
    }

    #[test]
    fn each_day_is_named_once_in_utc() {
        let now = Timestamp::parse("2026-05-14T15:00:00Z").ok();
        let times = [
            "2026-05-14T14:28:03Z",
            "2026-05-14T00:00:00Z",
            "2026-05-13T23:59:59Z",
            "2026-05-03T00:00:00Z",
            "2026-05-03T00:00:00Z",
        ];
        let rows = by_day(times.map(event).to_vec(), now);
        let days: Vec<Option<&str>> = rows.iter().map(|(_, day)| day.as_deref()).collect();
        let expected = [Some("Today"), None, Some("Yesterday"), Some("May 3, 2026"), None];
        assert_eq!(days, expected);
    }
}
