//! The dialog that invites somebody by their GitHub username.

use latchkey_domain::api::MemberRequest;
use latchkey_domain::login::GithubLogin;
use latchkey_domain::problem::{ErrorCode, Problem};
use latchkey_domain::role::Role;
use leptos::prelude::*;

use super::page_state::MembersPageState;
use crate::api::{ApiError, invite_member};
use crate::components::form::{FormDialog, FormField, Submission};
use latchkey_ui::field::TextField;
use latchkey_ui::select::{Choice, Select};

/// Dialog that invites a user.
#[component]
pub fn InviteMember(
    /// Where the members are listed.
    page: MembersPageState,
) -> impl IntoView {
    let submission = Submission::new();
    let login = FormField::new("");
    let role = RwSignal::new(Role::Member);
    // A request that seemed to fail may have succeeded.
    let close = Callback::new(move |()| {
        page.inviting.set(false);
        page.members.refresh();
    });
    let submit = move |()| {
        let Some(invitee) = login.parse::<GithubLogin>() else { return submission.show_invalid() };
        submission.start();
        let organization = page.organization_id();
        let request = MemberRequest { login: invitee, role: role.get_untracked() };
        leptos::task::spawn_local(async move {
            match invite_member(organization, request).await {
                Ok(_) => {
                    submission.succeed();
                    page.toasts.success("Member invited");
                    _ = close.try_run(());
                }
                Err(error) => submission.fail(
                    &about_the_login(error),
                    "Couldn’t invite them. Nothing was saved. Try again.",
                    &[("login", login)],
                ),
            }
        });
    };
    let roles = Signal::derive(move || {
        let choice = |role: Role| Choice::new(role.as_str(), role.label());
        page.roles_to_give().into_iter().map(choice).collect::<Vec<_>>()
    });
    view! {
        <FormDialog
            title="Invite member"
            submission
            dirty=Signal::derive(move || login.is_changed())
            action="Invite member"
            busy_label="Inviting…"
            on_close=close
            on_submit=submit
        >
            <TextField
                name="login"
                label="GitHub username"
                value=login.value
                hint="They become a member when they sign in with this account and accept."
                error=login.error
                autofocus=true
            />
            <Select
                name="role"
                label="Role"
                options=roles
                value=Signal::derive(move || role.get().as_str().to_owned())
                on_change=move |name: String| {
                    if let Some(chosen) = Role::from_name(&name) {
                        role.set(chosen);
                    }
                }
            />
        </FormDialog>
    }
}

/// Shows at the field that the user is already a member, or invited.
fn about_the_login(error: ApiError) -> ApiError {
    match error {
        ApiError::Refused(problem) if problem.code == ErrorCode::Conflict => {
            ApiError::Refused(Problem::invalid("login", problem.detail))
        }
        error => error,
    }
}
