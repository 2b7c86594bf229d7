//! The members of an organization, their roles, and who is invited.

pub mod invite;
pub mod page_state;
pub mod remove;
pub mod roles;
pub mod row;

use leptos::prelude::*;

use self::invite::InviteMember;
use self::page_state::MembersPageState;
use self::remove::RemoveDialog;
use self::roles::RolesTable;
use self::row::MemberRow;
use super::{SettingsHead, SettingsPage, SettingsSubject};
use crate::components::list_view::ListView;
use crate::data::list_rows::HasId;
use crate::layout::About;
use crate::pages::not_found::NotFound;
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::Clock;
use latchkey_ui::shortcut::on_shortcut;
use latchkey_ui::table::{Card, Column, Table};

const COLUMNS: &[Column] = &[
    Column::new("Member"),
    Column::new("Role"),
    Column::new("Last active").class("whitespace-nowrap"),
    Column::actions(),
];

/// Who belongs to the organization, and in which role.
#[component]
pub fn MembersPage() -> impl IntoView {
    Clock::provide();
    view! {
        <SettingsPage
            title="Members"
            about=About::Organization
            failed="Couldn’t load members"
            page=|subject| view! { <Members subject/> }.into_any()
        />
    }
}

#[component]
fn Members(subject: Signal<SettingsSubject>) -> impl IntoView {
    let page = MembersPageState::new(subject);
    let missing = Memo::new(move |_| page.members.is_missing());
    move || {
        if missing.get() {
            view! { <NotFound/> }.into_any()
        } else {
            view! { <Page page/> }.into_any()
        }
    }
}

#[component]
fn Page(page: MembersPageState) -> impl IntoView {
    let description =
        Signal::derive(move || format!("People in {} sign in with GitHub.", page.organization()));
    let may_write = Memo::new(move |_| page.may_write());
    on_shortcut("c", move || {
        if may_write.get_untracked() {
            page.inviting.set(true);
        }
    });
    view! {
        <SettingsHead title="Members" about=About::Organization description>
            <Show when=move || may_write.get()>
                <Button variant=Variant::Primary glyph=Glyph::UserPlus on_press=move |()| page.inviting.set(true)>
                    "Invite member"
                </Button>
            </Show>
        </SettingsHead>
        <ReaderNote page/>
        <section aria-labelledby="members-title">
            <h2 id="members-title" class="sr-only">"Members"</h2>
            <List page/>
        </section>
        <section class="mt-7" aria-labelledby="roles-title">
            <h2 id="roles-title" class="mb-3 text-heading font-semibold">"What each role can do"</h2>
            <RolesTable/>
        </section>
        <Show when=move || page.inviting.get()>
            <InviteMember page/>
        </Show>
        <RemoveDialog page/>
    }
}

/// Explains to viewers why there are no buttons, and who can help.
#[component]
fn ReaderNote(page: MembersPageState) -> impl IntoView {
    let why = move || {
        let (organization, role) = (page.organization(), page.role_in_words());
        let help = page.who_can_help().map(|who| format!(" Ask {who}.")).unwrap_or_default();
        format!(" Your role in {organization} is {role}. An owner or admin can change it.{help}")
    };
    view! {
        <Show when=move || !page.may_write()>
            <div class="mb-5">
                <Callout tone=Tone::Info glyph=Glyph::Lock>
                    <span class="font-medium">"You can view members, not change them."</span>
                    {why}
                </Callout>
            </div>
        </Show>
    }
}

#[component]
fn List(page: MembersPageState) -> impl IntoView {
    let members = page.members;
    view! {
        <ListView
            state=members.state()
            label="Members"
            columns=COLUMNS
            failed="Couldn’t load members"
            on_retry=move |()| members.retry()
            empty=no_members
        >
            <Table label="Members" columns=COLUMNS>
                <For each=move || members.rows() key=HasId::id let(listed)>
                    <MemberRow page listed/>
                </For>
            </Table>
        </ListView>
    }
}

/// Only for the moment before the page knows: who is not a member does not see the organization.
fn no_members() -> impl IntoView {
    view! {
        <Card>
            <EmptyState glyph=Glyph::UserPlus title="No members" text="Nobody is in this organization."/>
        </Card>
    }
}
