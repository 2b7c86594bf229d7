//! Shown instead of the create form when the project has as many keys as its plan allows: revoke
//! one, or upgrade.

use latchkey_domain::api::{KeyFilter, KeySort, ListedKey};
use latchkey_domain::id::ProjectId;
use latchkey_domain::key::{KeyKind, KeyStatus};
use latchkey_domain::tier::Tier;
use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

use super::labels::KeyLabels;
use super::revoke::{Revocation, RevokeDialog};
use super::{KeyScope, KeysPageState};
use crate::api::{ApiError, list_project_keys};
use crate::components::error_state::ErrorState;
use crate::pages::plan::tier_change::{TierButton, TierChange};
use latchkey_ui::button::{Button, Size, Variant};
use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::dialog::{Dialog, DialogWidth};
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::masked_key::MaskedKey;
use latchkey_ui::relative_time::{browser_time, days, is_recent, relative};
use latchkey_ui::skeleton::SkeletonRows;
use latchkey_ui::slot_meter::{MeterPlace, Slots};
use latchkey_ui::table::Card;

/// Dialog that explains the key limit.
#[component]
pub fn LimitReached(
    /// Whose keys they are.
    page: KeysPageState,
    /// Called to close the dialog.
    on_close: Callback<()>,
) -> impl IntoView {
    let scope = page.scope;
    let (used, tier) = (
        move || scope.with(|scope| scope.project.keys_used),
        move || scope.with(|scope| scope.project.tier.label()),
    );
    let limit = move || scope.with(|scope| scope.project.keys_limit.unwrap_or_default());
    let revocation = Revocation::new(page.keys, Callback::new(move |()| page.refresh()));
    view! {
        <Dialog
            title=scope.with_untracked(|scope| KeyLabels::of(scope.kind).dialog)
            width=DialogWidth::Large
            on_close
            footer=move || {
                view! {
                    <Button on_press=on_close autofocus=true>"Cancel"</Button>
                    <Button variant=Variant::Primary disabled=true>"Create key"</Button>
                }
            }
        >
            <div class="flex flex-col gap-5">
                <Callout tone=Tone::Danger glyph=Glyph::Gauge>
                    <span class="font-medium">
                        {move || format!("You’ve used {} of {} keys on {}.", used(), limit(), tier())}
                    </span>
                    " Revoke an unused key or upgrade."
                </Callout>
                <section class="flex flex-col gap-2" aria-labelledby="unused-title">
                    <h3 id="unused-title" class="text-table font-medium">"Revoke an unused key"</h3>
                    <UnusedKeys scope revocation/>
                </section>
                <section class="flex flex-col gap-2" aria-labelledby="upgrade-title">
                    <h3 id="upgrade-title" class="text-table font-medium">"Or upgrade"</h3>
                    <Plans page/>
                </section>
            </div>
        </Dialog>
        <RevokeDialog revocation scope nested=true/>
    }
}

/// The keys that take a slot, the one that was unused for longest first.
async fn keys_by_last_use(project: ProjectId) -> Result<Vec<ListedKey>, ApiError> {
    let mut keys = Vec::new();
    for status in [KeyStatus::Active, KeyStatus::Disabled] {
        let filter = KeyFilter {
            status: Some(status),
            archived: true,
            sort: KeySort::LastUsed,
            ..KeyFilter::default()
        };
        let mut cursor = None;
        loop {
            let page = list_project_keys(project, filter.clone(), cursor).await?;
            keys.extend(page.data.into_iter().filter(|listed| listed.key.kind != KeyKind::Service));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    keys.sort_by_key(unused_since);
    Ok(keys)
}

fn unused_since(listed: &ListedKey) -> Timestamp {
    listed.key.last_used_at.unwrap_or(listed.key.created_at)
}

#[component]
fn UnusedKeys(scope: Signal<KeyScope>, revocation: Revocation) -> impl IntoView {
    let project = scope.with_untracked(|scope| scope.project.id);
    let keys = LocalResource::new(move || keys_by_last_use(project));
    view! {
        <Card>
            {move || match keys.get() {
                None => view! { <SkeletonRows rows=2/> }.into_any(),
                Some(Err(error)) => view! {
                    <ErrorState
                        title="Couldn’t load keys"
                        error
                        reassurance="Your keys keep working."
                        on_retry=move |()| keys.refetch()
                    />
                }
                .into_any(),
                Some(Ok(keys)) => view! {
                    <ul class="max-h-64 overflow-y-auto">
                        {keys.into_iter().map(|listed| view! { <UnusedKey listed revocation/> }).collect_view()}
                    </ul>
                }
                .into_any(),
            }}
        </Card>
    }
}

#[component]
fn UnusedKey(listed: ListedKey, revocation: Revocation) -> impl IntoView {
    let key = listed.key.clone();
    let (words, long_ago) = match browser_time() {
        Some(now) => last_use_text(key.last_used_at, now),
        None => (String::new(), false),
    };
    view! {
        <li class="flex min-h-13 flex-wrap items-center gap-x-3 gap-y-1 border-t border-line py-2 pr-2 pl-3.5 first:border-t-0">
            <div class="min-w-32 grow basis-0">
                <p class="truncate font-medium">{key.name.clone()}</p>
                <p
                    class="flex items-center gap-1 text-caption"
                    class=("text-warn-ink", long_ago)
                    class=("text-ink-3", !long_ago)
                >
                    {long_ago.then(|| view! { <Icon glyph=Glyph::Clock size=12/> })}
                    {words}
                </p>
            </div>
            <div class="max-md:order-1 max-md:w-full"><MaskedKey hint=key.masked/></div>
            <Button
                variant=Variant::DangerOutline
                size=Size::Compact
                on_press=move |()| revocation.target.set(Some(listed.clone()))
            >
                "Revoke…" <span class="sr-only">{format!(" {}", key.name)}</span>
            </Button>
        </li>
    }
}

/// How long a key was not used, and whether that is long enough to notice: a week.
fn last_use_text(last_used_at: Option<Timestamp>, now: Timestamp) -> (String, bool) {
    let Some(last) = last_used_at else {
        return ("Never used".to_owned(), false);
    };
    if is_recent(last, now) {
        return (format!("Used {}", relative(last, now)), false);
    }
    let count = now.since(last).as_secs() / 86_400;
    (format!("Not used for {}", days(count)), count >= 7)
}

/// All plans, with a button to upgrade for users who may.
#[component]
fn Plans(page: KeysPageState) -> impl IntoView {
    let scope = page.scope;
    let organization = Signal::derive(move || scope.get().organization);
    let change = TierChange::new(organization, Callback::new(move |()| page.refresh()));
    let row = move |tier: Tier| {
        let limit = tier.limits().keys_per_project;
        let keys = limit.map_or_else(|| "Unlimited".to_owned(), |limit| limit.to_string());
        view! {
            <tr role="row" class="border-t border-line">
                <th role="rowheader" scope="row" class="h-11 pl-3.5 text-left font-medium">{tier.label()}</th>
                <td role="cell" class="num px-3">{keys}</td>
                <td role="cell" class="px-3 max-md:hidden">
                    {move || {
                        let used = scope.with(|scope| scope.project.keys_used);
                        view! { <Slots used limit place=MeterPlace::Dialog/> }
                    }}
                </td>
                <td role="cell" class="py-1 pr-2 text-right">
                    <TierButton change tier compact=true/>
                </td>
            </tr>
        }
    };
    view! {
        <Card>
            <table role="table" aria-labelledby="upgrade-title" class="w-full border-collapse">
                <thead role="rowgroup" class="bg-sidebar">
                    <tr role="row" class="text-left text-caption text-ink-3">
                        <th role="columnheader" scope="col" class="h-9 rounded-tl-lg pl-3.5 font-medium">"Plan"</th>
                        <th role="columnheader" scope="col" class="px-3 font-medium">"Keys per project"</th>
                        <th role="columnheader" scope="col" class="max-md:hidden"><span class="sr-only">"Slots"</span></th>
                        <th role="columnheader" scope="col" class="rounded-tr-lg"><span class="sr-only">"Upgrade"</span></th>
                    </tr>
                </thead>
                <tbody role="rowgroup">{Tier::ALL.into_iter().map(row).collect_view()}</tbody>
            </table>
        </Card>
        {move || change.who_can().map(|words| view! { <p class="text-caption text-ink-2">{words}</p> })}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disuse_is_noticed_from_a_week_on() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let now = at("2026-11-21T12:00:00Z");
        for (last, words, long_ago) in [
            (None, "Never used", false),
            (Some("2026-11-21T11:56:00Z"), "Used 4 min ago", false),
            (Some("2026-11-20T12:00:00Z"), "Not used for 1 day", false),
            (Some("2026-11-14T12:00:01Z"), "Not used for 6 days", false),
            (Some("2026-11-14T12:00:00Z"), "Not used for 7 days", true),
        ] {
            assert_eq!(last_use_text(last.map(at), now), (words.to_owned(), long_ago), "{last:?}");
        }
    }
}
