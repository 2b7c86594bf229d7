//! One member in the list, and the actions on them.

use latchkey_domain::api::{ListedMember, Member};
use latchkey_domain::id::UserId;
use latchkey_domain::role::Role;
use leptos::prelude::*;

use super::page_state::{LAST_OWNER, MembersPageState, name_of};
use crate::data::list_rows::{HasId, MemberRowId};
use latchkey_ui::avatar::{Avatar, initials};
use latchkey_ui::button::{Button, Size, Variant};
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::menu::{Menu, MenuItem};
use latchkey_ui::relative_time::RelativeTime;
use latchkey_ui::select::{Choice, Select, SelectPlace};
use latchkey_ui::table::{ACTIONS_CELL, CELL, EmptyCell, ROW};

/// The row. It follows the list but is never replaced, because it may contain the focus.
#[component]
pub fn MemberRow(
    /// Where the member is listed.
    page: MembersPageState,
    /// Member or invitation that the row shows.
    listed: ListedMember,
) -> impl IntoView {
    let id = listed.id();
    let now = Memo::new(move |_| page.members.row(id).unwrap_or_else(|| listed.clone()));
    let member = Memo::new(move |_| now.with(|now| now.member.clone()));
    let invited = Memo::new(move |_| member.with(|member| member.invited));
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{CELL} max-w-80 max-md:order-1 max-md:col-span-3 max-md:max-w-none max-md:min-w-0")>
                <div class="flex min-w-0 items-center gap-3">
                    {move || {
                        if invited.get() {
                            view! { <Invited now/> }.into_any()
                        } else {
                            view! { <Joined page member/> }.into_any()
                        }
                    }}
                </div>
            </td>
            <td role="cell" class=format!("{CELL} md:w-60 max-md:order-3 max-md:col-span-2 max-md:min-w-0")>
                <RoleCell page member/>
            </td>
            <td role="cell" class=format!("{CELL} num whitespace-nowrap text-ink-2 md:w-44 max-md:order-4 max-md:col-span-2 max-md:justify-self-end max-md:text-caption")>
                <LastActive page now/>
            </td>
            <td role="cell" class=format!("{CELL} {ACTIONS_CELL} whitespace-nowrap max-md:order-2 max-md:-my-2 max-md:-mr-2")>
                <Actions page member/>
            </td>
        </tr>
    }
}

#[component]
fn Joined(page: MembersPageState, member: Memo<Member>) -> impl IntoView {
    let id = Signal::derive(move || member.with(|member| member.user_id));
    let letters = Signal::derive(move || {
        member.with(|member| initials(member.name.as_deref(), &member.login))
    });
    let is_me = move || page.is_me(member.with(|member| member.user_id));
    view! {
        <Avatar id initials=letters class="size-8"/>
        <span class="min-w-0">
            <span class="flex items-baseline gap-1.5">
                <span class="truncate font-medium">{move || member.with(name_of)}</span>
                {move || is_me().then(|| view! { <span class="text-caption text-ink-2">"You"</span> })}
            </span>
            <span class="block truncate text-caption text-ink-2">
                {move || member.with(|member| format!("@{}", member.login))}
            </span>
        </span>
    }
}

/// An invited user: their login, and who invited them.
#[component]
fn Invited(now: Memo<ListedMember>) -> impl IntoView {
    let by = move || {
        let by = now.with(|now| now.invited_by.clone());
        by.map_or_else(|| "Invited ".to_owned(), |login| format!("Invited by @{login}, "))
    };
    view! {
        <span class="flex size-8 shrink-0 items-center justify-center rounded-full border border-dashed border-control text-ink-2">
            <Icon glyph=Glyph::Clock/>
        </span>
        <span class="min-w-0">
            <span class="block truncate font-medium">{move || now.with(|now| format!("@{}", now.member.login))}</span>
            <span class="block text-caption text-ink-2 md:truncate">
                {by} {move || view! { <RelativeTime time=now.with(|now| now.member.created_at)/> }}
            </span>
        </span>
    }
}

/// What is shown of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RoleDisplay {
    /// The name from GitHub.
    Name,
    /// Its name, with a lock: it would be for this person to change it, but they can't.
    Locked(&'static str),
    /// A choice of roles.
    Choice,
}

impl RoleDisplay {
    fn of(page: &MembersPageState, member: &Member) -> Self {
        if !page.may_write() || member.invited {
            Self::Name
        } else if !page.may_manage(member.role) {
            Self::Locked("Only an owner can change an owner’s role.")
        } else if page.is_last_owner(member) {
            Self::Locked(LAST_OWNER)
        } else {
            Self::Choice
        }
    }
}

/// The role; choosing another saves it at once.
#[component]
fn RoleCell(page: MembersPageState, member: Memo<Member>) -> impl IntoView {
    let shown = Memo::new(move |_| member.with(|member| RoleDisplay::of(&page, member)));
    let role = Memo::new(move |_| member.with(|member| member.role));
    move || match shown.get() {
        RoleDisplay::Name => {
            view! { <span class="text-ink-2">{move || role.get().label()}</span> }.into_any()
        }
        RoleDisplay::Locked(why) => view! {
            <span class="inline-flex items-center gap-2 text-ink-2" title=why>
                <Icon glyph=Glyph::Lock size=14 class="text-ink-3"/>
                {move || role.get().label()}
                <span class="sr-only">{why}</span>
            </span>
        }
        .into_any(),
        RoleDisplay::Choice => {
            let id = member.with_untracked(|member| member.user_id);
            id.map(|id| view! { <RoleSelect page id member role/> }).into_any()
        }
    }
}

#[component]
fn RoleSelect(
    page: MembersPageState,
    id: UserId,
    member: Memo<Member>,
    role: Memo<Role>,
) -> impl IntoView {
    let options = Signal::derive(move || {
        let choice = |role: Role| Choice::new(role.as_str(), role.label());
        page.roles_to_give().into_iter().map(choice).collect::<Vec<_>>()
    });
    let choose = move |name: String| {
        if let Some(role) = Role::from_name(&name) {
            page.change_role(id, role);
        }
    };
    view! {
        <div class="w-36 max-md:w-44">
            <Select
                name=format!("role-{id}")
                label=Signal::derive(move || member.with(|member| format!("Role of {}", name_of(member))))
                options
                value=Signal::derive(move || role.get().as_str().to_owned())
                on_change=choose
                place=SelectPlace::Toolbar
            />
        </div>
    }
}

#[component]
fn LastActive(page: MembersPageState, now: Memo<ListedMember>) -> impl IntoView {
    move || {
        now.with(|ListedMember { member, last_active_at, .. }| {
            if member.invited {
                return "Not accepted yet".into_any();
            }
            if page.is_me(member.user_id) {
                return "Now".into_any();
            }
            match *last_active_at {
                Some(time) => view! { <RelativeTime time/> }.into_any(),
                None => view! { <EmptyCell/> }.into_any(),
            }
        })
    }
}

/// What the person can do with a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MemberAction {
    Nothing,
    CancelInvite,
    Remove,
    Leave,
}

impl MemberAction {
    fn of(page: &MembersPageState, member: &Member) -> Self {
        match () {
            () if page.is_me(member.user_id) => Self::Leave,
            () if !page.may_manage(member.role) => Self::Nothing,
            () if member.invited => Self::CancelInvite,
            () => Self::Remove,
        }
    }
}

#[component]
fn Actions(page: MembersPageState, member: Memo<Member>) -> impl IntoView {
    let action = Memo::new(move |_| member.with(|member| MemberAction::of(&page, member)));
    let login = move || member.with_untracked(|member| member.login.clone());
    move || {
        match action.get() {
        MemberAction::Nothing => ().into_any(),
        MemberAction::CancelInvite => view! {
            <Button variant=Variant::Ghost size=Size::Compact on_press=move |()| page.cancel_invite(login())>
                "Cancel invite"
                <span class="sr-only">{move || member.with(|member| format!(" of @{}", member.login))}</span>
            </Button>
        }
        .into_any(),
        MemberAction::Remove => view! { <RowMenu page member glyph=Glyph::Trash2 words="Remove…"/> }.into_any(),
        MemberAction::Leave => {
            view! { <RowMenu page member glyph=Glyph::LogOut words="Leave organization…"/> }.into_any()
        }
    }
    }
}

/// The menu of a row; its one action opens the confirm.
#[component]
fn RowMenu(
    page: MembersPageState,
    member: Memo<Member>,
    glyph: Glyph,
    words: &'static str,
) -> impl IntoView {
    let ask = Callback::new(move |()| {
        let id = member.with_untracked(|member| member.user_id).map(MemberRowId::Member);
        page.removing.set(id.and_then(|id| untrack(|| page.members.row(id))));
    });
    view! {
        <div class="inline-block">
            <Menu
                label=Signal::derive(move || member.with(|member| format!("Actions for {}", name_of(member))))
                trigger=|| view! { <Icon glyph=Glyph::Ellipsis/> }
                trigger_class="inline-flex size-7 cursor-pointer items-center justify-center rounded-sm text-ink-3 hover:bg-hover hover:text-ink max-md:size-11"
            >
                <MenuItem glyph danger=true on_press=ask>{words}</MenuItem>
            </Menu>
        </div>
    }
}
