//! The state of the members page, and what the user may do there.

use latchkey_domain::api::{ListedMember, Member, MemberPatch, Page};
use latchkey_domain::id::{OrganizationId, UserId};
use latchkey_domain::login::GithubLogin;
use latchkey_domain::problem::ErrorCode;
use latchkey_domain::role::{Permission, Role};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::super::SettingsSubject;
use crate::api::{ApiError, list_members, remove_member, update_member, withdraw_invitation};
use crate::data::list_rows::MemberRowId;
use crate::data::paged_list::PagedList;
use crate::data::polling::poll_while_visible;
use crate::layout::Workspace;
use latchkey_ui::dialog::keep_focus;
use latchkey_ui::toast::{ToastAction, Toasts};

/// Why the last owner stays one.
pub const LAST_OWNER: &str = "An organization needs an owner. Make somebody else an owner first.";

/// Up to so many members, the page keeps itself up to date all by itself.
const LIVE_UP_TO: usize = 200;

/// The list, and its dialogs. Set a signal to open one.
#[derive(Clone, Copy)]
pub struct MembersPageState {
    /// The members, first come first.
    pub members: PagedList<ListedMember>,
    /// Whether somebody is being invited.
    pub inviting: RwSignal<bool>,
    /// The member to remove, or who leaves.
    pub removing: RwSignal<Option<ListedMember>>,
    /// Whether that is under way.
    pub busy: RwSignal<bool>,
    /// Shows the results of actions.
    pub toasts: Toasts,
    subject: Signal<SettingsSubject>,
    workspace: Workspace,
    go_home: Callback<()>,
}

impl MembersPageState {
    /// For the organization that a page is about.
    pub fn new(subject: Signal<SettingsSubject>) -> Self {
        let id = subject.with_untracked(|subject| subject.organization.id);
        let members = PagedList::new(move |_| all_members(id));
        poll_while_visible(move || {
            if members.is_ready_untracked() && untrack(|| members.count()) <= LIVE_UP_TO {
                members.refresh();
            }
        });
        let navigate = use_navigate();
        Self {
            members,
            inviting: RwSignal::new(false),
            removing: RwSignal::new(None),
            busy: RwSignal::new(false),
            toasts: expect_context::<Toasts>(),
            subject,
            workspace: expect_context::<Workspace>(),
            go_home: Callback::new(move |()| {
                navigate("/", NavigateOptions::default());
            }),
        }
    }

    /// Organization whose members are managed.
    pub fn organization_id(self) -> OrganizationId {
        self.subject.with_untracked(|subject| subject.organization.id)
    }

    /// The organization's name, tracked.
    pub fn organization(self) -> String {
        self.subject.with(|subject| subject.organization.name.clone())
    }

    /// The person's role, tracked.
    pub fn role(self) -> Option<Role> {
        self.subject.with(|subject| subject.organization.role)
    }

    /// The person's role as the page names it, tracked.
    pub fn role_in_words(self) -> &'static str {
        self.role().map_or("Administrator", Role::label)
    }

    /// Whether the person may invite, change and remove members, tracked.
    pub fn may_write(self) -> bool {
        self.subject.with(|subject| subject.organization.allows(Permission::MembersWrite))
    }

    /// Whether the person may change and remove members in that role, tracked.
    pub fn may_manage(self, theirs: Role) -> bool {
        self.subject.with(|subject| subject.organization.allows(theirs.to_manage()))
    }

    /// The roles that the person may give, strongest first; tracked.
    pub fn roles_to_give(self) -> Vec<Role> {
        let roles = Role::ALL.into_iter().rev();
        roles.filter(|role| self.may_manage(*role)).collect()
    }

    /// Whether that is the current user, tracked.
    pub fn is_me(self, id: Option<UserId>) -> bool {
        id.is_some() && self.workspace.with(|data| data.me.id) == id
    }

    /// Whether the organization would have no owner without this one, tracked.
    pub fn is_last_owner(self, member: &Member) -> bool {
        is_owner(member)
            && self.members.rows().iter().filter(|row| is_owner(&row.member)).count() == 1
    }

    /// Up to three people who may change members, tracked.
    pub fn who_can_help(self) -> Option<String> {
        let rows = self.members.rows();
        let can_help =
            |member: &&Member| !member.invited && member.role.allows(Permission::MembersWrite);
        let names: Vec<String> =
            rows.iter().map(|row| &row.member).filter(can_help).take(3).map(name_of).collect();
        match names.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            [first @ .., last] => Some(format!("{} or {last}", first.join(", "))),
        }
    }

    /// Changes a member's role and shows the result, even if the user has left the page.
    pub fn change_role(self, id: UserId, role: Role) {
        let row = MemberRowId::Member(id);
        let before = untrack(|| self.members.row(row)).map(|row| row.member.role);
        let Some(before) = before.filter(|before| *before != role) else { return };
        self.members.change(row, |row| row.member.role = role);
        let organization = self.organization_id();
        leptos::task::spawn_local(async move {
            match update_member(organization, id, MemberPatch { role }).await {
                Ok(member) => {
                    let words = format!("{} is now {}", name_of(&member), with_article(role));
                    self.members.change(row, |row| row.member = member);
                    self.toasts.success(words);
                    if untrack(|| self.is_me(Some(id))) {
                        self.workspace.reload();
                    }
                }
                Err(error) => {
                    self.members.change(row, |row| row.member.role = before);
                    self.members.refresh();
                    let again = move || self.change_role(id, role);
                    self.show_error(&error, "Couldn’t change the role.", again);
                }
            }
        });
    }

    /// Withdraws an invitation and shows the result.
    pub fn cancel_invite(self, login: String) {
        let organization = self.organization_id();
        keep_focus();
        leptos::task::spawn_local(async move {
            let answer = match login.parse::<GithubLogin>() {
                Ok(login) => withdraw_invitation(organization, login).await,
                Err(_) => Err(ApiError::Unreadable),
            };
            self.members.refresh();
            match answer {
                Ok(()) => self.toasts.success("Invite cancelled"),
                Err(error) if error.is(ErrorCode::NotFound) => {
                    self.toasts.failure("The invite was already answered or cancelled.", None);
                }
                Err(error) => {
                    let again = move || self.cancel_invite(login.clone());
                    self.show_error(&error, "Couldn’t cancel the invite.", again);
                }
            }
        });
    }

    /// Removes a member and shows the result.
    pub fn remove(self, id: UserId) {
        let organization = self.organization_id();
        _ = self.busy.try_set(true);
        leptos::task::spawn_local(async move {
            let answer = remove_member(organization, id).await;
            _ = self.busy.try_set(false);
            _ = self.removing.try_set(None);
            self.members.refresh();
            match answer {
                Ok(()) => self.toasts.success("Member removed"),
                Err(error) => {
                    let again = move || self.remove(id);
                    self.show_error(&error, "Couldn’t remove the member.", again);
                }
            }
        });
    }

    /// Leaves the organization, and its pages.
    pub fn leave(self, id: UserId) {
        let organization = self.organization_id();
        let name = untrack(|| self.organization());
        _ = self.busy.try_set(true);
        leptos::task::spawn_local(async move {
            match remove_member(organization, id).await {
                Ok(()) => {
                    self.toasts.success(format!("You left {name}"));
                    _ = self.go_home.try_run(());
                    self.workspace.forget(organization);
                }
                Err(error) => {
                    _ = self.busy.try_set(false);
                    _ = self.removing.try_set(None);
                    self.members.refresh();
                    let again = move || self.leave(id);
                    self.show_error(&error, "Couldn’t leave the organization.", again);
                }
            }
        });
    }

    /// Shows why the server refused, or offers to retry.
    fn show_error(self, error: &ApiError, failed: &str, again: impl Fn() + Send + Sync + 'static) {
        match refusal(error) {
            Some(why) => self.toasts.failure(why, None),
            None => self.toasts.failure(failed, Some(ToastAction::new("Retry", again))),
        }
    }
}

/// What a person can learn from a refusal; `None` if trying again may help.
fn refusal(error: &ApiError) -> Option<String> {
    match error.code()? {
        ErrorCode::NotFound => Some("They are no longer a member.".to_owned()),
        ErrorCode::LastOwner
        | ErrorCode::Forbidden
        | ErrorCode::Conflict
        | ErrorCode::LimitReached => error.problem().map(|problem| problem.detail.clone()),
        _ => None,
    }
}

/// Loads all members: one page can't tell who is the last owner.
async fn all_members(organization: OrganizationId) -> Result<Page<ListedMember>, ApiError> {
    let mut data = Vec::new();
    let mut cursor = None;
    loop {
        let page = list_members(organization, cursor).await?;
        data.extend(page.data);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(Page { data, next_cursor: None });
        }
    }
}

/// Whether somebody can act as an owner: an invited person can't yet.
fn is_owner(member: &Member) -> bool {
    member.role == Role::Owner && !member.invited
}

/// What a member is called: by their name, or by their login.
pub fn name_of(member: &Member) -> String {
    let name = member.name.as_deref().filter(|name| !name.trim().is_empty());
    name.map_or_else(|| format!("@{}", member.login), str::to_owned)
}

const fn with_article(role: Role) -> &'static str {
    match role {
        Role::Viewer => "a viewer",
        Role::Member => "a member",
        Role::Admin => "an admin",
        Role::Owner => "an owner",
    }
}
