//! The dialogs that remove a member or leave an organization.

use latchkey_domain::api::ListedMember;
use leptos::prelude::*;

use super::page_state::{MembersPageState, name_of};
use latchkey_ui::button::Button;
use latchkey_ui::confirm_dialog::ConfirmDialog;
use latchkey_ui::dialog::{Dialog, DialogWidth};

/// The dialog, while somebody is to be removed.
#[component]
pub fn RemoveDialog(
    /// State of the members page.
    page: MembersPageState,
) -> impl IntoView {
    move || {
        let listed = page.removing.get()?;
        let (is_me, is_last) = untrack(|| {
            let member = &listed.member;
            (page.is_me(member.user_id), page.is_last_owner(member))
        });
        Some(match (is_me, is_last) {
            (true, true) => view! { <CantLeave page/> }.into_any(),
            (true, false) => view! { <Leave page listed/> }.into_any(),
            (false, _) => view! { <Remove page listed/> }.into_any(),
        })
    }
}

#[component]
fn Remove(page: MembersPageState, listed: ListedMember) -> impl IntoView {
    let who = listed.member.user_id;
    let organization = untrack(|| page.organization());
    view! {
        <ConfirmDialog
            title=format!("Remove {}?", name_of(&listed.member))
            action="Remove member"
            busy_label="Removing…"
            busy=page.busy
            on_close=move |()| page.removing.set(None)
            on_confirm=move |()| {
                if let Some(id) = who {
                    page.remove(id);
                }
            }
        >
            <p class="text-body text-ink-2">
                {format!("They lose access to {organization} immediately. Keys they created keep working.")}
            </p>
        </ConfirmDialog>
    }
}

#[component]
fn Leave(page: MembersPageState, listed: ListedMember) -> impl IntoView {
    let who = listed.member.user_id;
    let organization = untrack(|| page.organization());
    view! {
        <ConfirmDialog
            title=format!("Leave {organization}?")
            action="Leave organization"
            busy_label="Leaving…"
            busy=page.busy
            on_close=move |()| page.removing.set(None)
            on_confirm=move |()| {
                if let Some(id) = who {
                    page.leave(id);
                }
            }
        >
            <p class="text-body text-ink-2">
                {format!("You lose access to {organization} immediately. Keys you created keep working.")}
            </p>
        </ConfirmDialog>
    }
}

/// The last owner stays, and learns what can be done instead.
#[component]
fn CantLeave(page: MembersPageState) -> impl IntoView {
    let organization = untrack(|| page.organization());
    let close = move |()| page.removing.set(None);
    view! {
        <Dialog
            title=format!("You can’t leave {organization}")
            width=DialogWidth::Confirm
            confirm=true
            on_close=close
            footer=move || view! { <Button autofocus=true on_press=close>"Close"</Button> }
        >
            <p class="text-body text-ink-2">
                "You’re its last owner. Make somebody else an owner first, or delete the organization."
            </p>
        </Dialog>
    }
}
