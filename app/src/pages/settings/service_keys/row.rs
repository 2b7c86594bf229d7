//! One service key in the list.

use latchkey_domain::api::ListedKey;
use leptos::prelude::*;

use crate::keys::KeysPageState;
use crate::keys::cells::{
    ActionsCell, Expiry, KeyRowState, LastUse, SecretHint, ShortId, StatusCell,
};
use crate::keys::permissions::PermissionChips;
use latchkey_ui::table::{CELL, ONE_LINE, ROW};

/// The row. It follows the list but is never replaced, because it may contain the focus.
#[component]
pub fn ServiceKeyRow(
    /// Where the key is listed.
    page: KeysPageState,
    /// Key that the row or dialog shows.
    listed: ListedKey,
) -> impl IntoView {
    let id = listed.key.id;
    let permissions = listed.key.permissions.clone().unwrap_or_default();
    let KeyRowState { now, time, state, name, is_dead } = KeyRowState::of(page, listed);
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{CELL} max-w-64 md:min-w-32 max-md:col-span-2 max-md:max-w-none max-md:min-w-0")>
                <span class=format!("{ONE_LINE} font-medium") class=("text-ink-2", is_dead) title=name>
                    {name}
                </span>
                <ShortId id class="block leading-4 text-ink-3 max-md:hidden"/>
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-3 max-md:col-span-4")>
                <SecretHint now/>
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
            <StatusCell now state/>
            <ActionsCell page now/>
        </tr>
    }
}
