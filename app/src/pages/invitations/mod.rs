//! The user's pending invitations.

use latchkey_domain::api::{Invitation, InvitingOrganization};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::problem::ErrorCode;
use leptos::prelude::*;

use crate::api::{ApiError, accept_invitation, decline_invitation, list_invitations};
use crate::components::list_view::ListView;
use crate::data::paged_list::PagedList;
use crate::data::polling::poll_while_visible;
use crate::layout::{About, Invitations, PageHead, Workspace};
use latchkey_ui::button::{Button, Size, Variant};
use latchkey_ui::dialog::keep_focus;
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::{Clock, RelativeTime};
use latchkey_ui::table::{ACTIONS_CELL, CELL, Card, Column, EmptyCell, ROW, Table};
use latchkey_ui::toast::{ToastAction, Toasts};

const COLUMNS: &[Column] = &[
    Column::new("Organization"),
    Column::new("Role"),
    Column::new("Invited by"),
    Column::new("Invited").class("whitespace-nowrap"),
    Column::actions(),
];

/// The list, and which invitation is being answered.
#[derive(Clone, Copy)]
struct InvitationsPageState {
    invitations: PagedList<Invitation>,
    /// Which one is being answered.
    busy: RwSignal<Option<OrganizationId>>,
    bar: Invitations,
    workspace: Workspace,
    toasts: Toasts,
}

/// The answer to an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InvitationReply {
    Accept,
    Decline,
}

impl InvitationsPageState {
    fn new() -> Self {
        let invitations = PagedList::new(list_invitations);
        poll_while_visible(move || {
            if invitations.is_ready_untracked() {
                invitations.refresh();
            }
        });
        Self {
            invitations,
            busy: RwSignal::new(None),
            bar: expect_context::<Invitations>(),
            workspace: expect_context::<Workspace>(),
            toasts: expect_context::<Toasts>(),
        }
    }

    /// Answers an invitation and shows the result, even if the user has left the page.
    fn reply(self, answer: InvitationReply, to: InvitingOrganization) {
        keep_focus();
        _ = self.busy.try_set(Some(to.id));
        leptos::task::spawn_local(async move {
            let answered = match answer {
                InvitationReply::Accept => accept_invitation(to.id).await,
                InvitationReply::Decline => decline_invitation(to.id).await,
            };
            _ = self.busy.try_set(None);
            self.invitations.refresh();
            self.bar.reload();
            match (answered, answer) {
                (Ok(()), InvitationReply::Accept) => {
                    self.workspace.reload();
                    self.toasts.success(format!("You joined {}", to.name));
                }
                (Ok(()), InvitationReply::Decline) => self.toasts.success("Invitation declined"),
                (Err(error), _) => self.show_error(&error, answer, to),
            }
        });
    }

    fn show_error(self, error: &ApiError, answer: InvitationReply, to: InvitingOrganization) {
        match error.code() {
            Some(ErrorCode::NotFound) => {
                self.toasts.failure("This invitation was withdrawn, or already answered.", None);
            }
            Some(ErrorCode::LimitReached) => self.toasts.failure(error.to_string(), None),
            _ => {
                let words = match answer {
                    InvitationReply::Accept => "Couldn’t accept the invitation.",
                    InvitationReply::Decline => "Couldn’t decline the invitation.",
                };
                let again = ToastAction::new("Retry", move || self.reply(answer, to.clone()));
                self.toasts.failure(words, Some(again));
            }
        }
    }
}

/// Organizations that the person is invited to.
#[component]
pub fn InvitationsPage() -> impl IntoView {
    Clock::provide();
    let page = InvitationsPageState::new();
    view! {
        <PageHead
            title="Invitations"
            about=About::Person
            description="Organizations that invited you. Until you accept, they see only your GitHub username."
        />
        <section aria-labelledby="invitations-title">
            <h2 id="invitations-title" class="sr-only">"Invitations"</h2>
            <List page/>
        </section>
    }
}

#[component]
fn List(page: InvitationsPageState) -> impl IntoView {
    let invitations = page.invitations;
    view! {
        <ListView
            state=invitations.state()
            label="Invitations"
            columns=COLUMNS
            failed="Couldn’t load your invitations"
            on_retry=move |()| invitations.retry()
            empty=no_invitations
        >
            <Table label="Invitations" columns=COLUMNS>
                <For each=move || invitations.rows() key=|row| row.organization.id let(invitation)>
                    <Row page invitation/>
                </For>
            </Table>
        </ListView>
    }
}

fn no_invitations() -> impl IntoView {
    view! {
        <Card>
            <EmptyState glyph=Glyph::UserPlus title="No invitations" text="You have no pending invitations."/>
        </Card>
    }
}

#[component]
fn Row(page: InvitationsPageState, invitation: Invitation) -> impl IntoView {
    let Invitation { organization, role, invited_by, created_at } = invitation;
    let busy = Memo::new(move |_| page.busy.with(Option::is_some));
    let spoken = format!(" the invitation of {}", organization.name);
    let spoken_too = spoken.clone();
    let by = match invited_by {
        Some(login) => view! { <span class="break-all">{format!("@{login}")}</span> }.into_any(),
        None => view! { <EmptyCell/> }.into_any(),
    };
    let name = organization.name.clone();
    let press = move |answer| {
        let to = organization.clone();
        move |()| page.reply(answer, to.clone())
    };
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{CELL} font-medium break-words max-md:col-span-4 max-md:min-w-0")>{name}</td>
            <td role="cell" class=format!("{CELL} text-ink-2 max-md:col-span-2")>{role.label()}</td>
            <td role="cell" class=format!("{CELL} text-ink-2 max-md:col-span-2 max-md:justify-self-end")>{by}</td>
            <td role="cell" class=format!("{CELL} num text-ink-2 md:whitespace-nowrap max-md:col-span-4 max-md:text-caption")>
                <RelativeTime time=created_at/>
            </td>
            <td role="cell" class=format!("{CELL} {ACTIONS_CELL} max-md:col-span-4")>
                <div class="flex justify-end gap-2">
                    <Button size=Size::Compact disabled=busy on_press=press.clone()(InvitationReply::Decline)>
                        "Decline" <span class="sr-only">{spoken_too}</span>
                    </Button>
                    <Button variant=Variant::Primary size=Size::Compact disabled=busy on_press=press(InvitationReply::Accept)>
                        "Accept" <span class="sr-only">{spoken}</span>
                    </Button>
                </div>
            </td>
        </tr>
    }
}
