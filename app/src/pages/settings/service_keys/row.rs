//! One service key in the list.

use latchkey_domain::api::ListedKey;
use latchkey_domain::key::KeyStatus;
use leptos::prelude::*;

use crate::keys::KeysPageState;
use crate::keys::actions::Actions;
use crate::keys::permissions::PermissionChips;
use crate::keys::row::{Expiry, LastUse, OldSecretEnds};
use latchkey_ui::masked_key::MaskedKey;
use latchkey_ui::relative_time::{Clock, browser_time};
use latchkey_ui::status_badge::{KeyState, StatusBadge};
use latchkey_ui::table::{CELL, ROW};

/// The row. What it says follows the list; the row itself stays, as focus may be in it.
#[component]
pub fn ServiceKeyRow(
    /// Where the key is listed.
    page: KeysPageState,
    /// Key that the row or dialog shows.
    listed: ListedKey,
) -> impl IntoView {
    let id = listed.key.id;
    let permissions = listed.key.permissions.clone().unwrap_or_default();
    let now = Memo::new(move |_| page.keys.row(id).unwrap_or_else(|| listed.clone()));
    let clock = use_context::<Clock>();
    let time = Signal::derive(move || clock.and_then(Clock::get).or_else(browser_time));
    let state = Memo::new(move |_| now.with(|now| KeyState::of(now, time.get())));
    let secret = Memo::new(move |_| {
        now.with(|now| (now.key.masked.clone(), now.key.status == KeyStatus::Revoked))
    });
    let is_dead = move || now.with(|now| now.key.status != KeyStatus::Active);
    let long_id = id.to_string();
    let short_id = long_id.get(..12).unwrap_or_default().to_owned();
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{CELL} max-w-64 max-md:col-span-2 max-md:max-w-none max-md:min-w-0")>
                <span class="block truncate font-medium" class=("text-ink-2", is_dead)>
                    {move || now.with(|now| now.key.name.clone())}
                </span>
                <code class="block font-mono text-[11.5px] leading-4 text-ink-3 max-md:hidden" title=long_id>
                    {short_id}
                </code>
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-3 max-md:col-span-4")>
                {move || {
                    let (hint, revoked) = secret.get();
                    view! { <MaskedKey hint revoked/> }
                }}
            </td>
            <td role="cell" class=format!("{CELL} md:max-w-56 md:py-2 max-md:order-4 max-md:col-span-4")>
                <PermissionChips permissions/>
            </td>
            <td role="cell" class=format!("{CELL} num text-ink-2 md:whitespace-nowrap max-md:order-5 max-md:col-span-4 max-md:text-caption")>
                <LastUse now/>
            </td>
            <td role="cell" class=format!("{CELL} num whitespace-nowrap text-ink-2 max-xl:hidden")>
                <Expiry now state time/>
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
