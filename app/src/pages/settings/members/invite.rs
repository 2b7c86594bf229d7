//! The dialog that invites somebody by their GitHub username.

use latchkey_domain::api::MemberRequest;
use latchkey_domain::login::{GithubLogin, InvalidLogin};
use latchkey_domain::problem::ErrorCode;
use latchkey_domain::role::Role;
use leptos::prelude::*;

use super::desk::Desk;
use crate::api::{ApiError, add_member};
use crate::components::button::{Button, Variant};
use crate::components::callout::{Callout, Tone};
use crate::components::dialog::Dialog;
use crate::components::field::{TextField, focus_first_bad};
use crate::components::form::Entry;
use crate::components::select::{Choice, Select};

/// What is filled in, and what came of it.
#[derive(Clone, Copy)]
struct Form {
    login: Entry,
    role: RwSignal<Role>,
    refusal: RwSignal<Option<String>>,
    busy: RwSignal<bool>,
}

impl Form {
    fn new() -> Self {
        Self {
            login: Entry::new(String::new()),
            role: RwSignal::new(Role::Member),
            refusal: RwSignal::new(None),
            busy: RwSignal::new(false),
        }
    }

    /// What is asked for; `None` if the field now says why not.
    fn read(self) -> Option<MemberRequest> {
        let login = self.login.read(|text| {
            let text = text.unwrap_or_default();
            text.parse::<GithubLogin>().map_err(|InvalidLogin| InvalidLogin.to_string())
        });
        focus_first_bad();
        Some(MemberRequest { login: login?, role: self.role.get_untracked() })
    }

    /// Says why the server refused: at the field, if it is about that, else above it.
    fn refuse(self, error: &ApiError) {
        if self.busy.try_set(false).is_some() {
            return;
        }
        let problem = error.problem();
        let at_field = problem.and_then(|problem| match problem.code {
            ErrorCode::Conflict => Some(problem.detail.as_str()),
            _ => problem.field("login"),
        });
        if let Some(message) = at_field {
            self.login.refuse(message);
            focus_first_bad();
            return;
        }
        let why = problem
            .filter(|it| matches!(it.code, ErrorCode::Forbidden | ErrorCode::Invalid))
            .map(|problem| problem.detail.clone());
        let failed = || "Couldn’t invite them. Nothing was saved. Try again.".to_owned();
        self.refusal.set(Some(why.unwrap_or_else(failed)));
    }
}

/// The dialog.
#[component]
pub fn InviteMember(
    /// Where the members are listed.
    desk: Desk,
) -> impl IntoView {
    let form = Form::new();
    let Form { login, role, refusal, busy } = form;
    // An answer that seemed to fail may have done its work.
    let close = Callback::new(move |()| {
        desk.inviting.set(false);
        desk.members.refresh();
    });
    let submit = move |()| {
        let Some(request) = form.read() else { return };
        refusal.set(None);
        busy.set(true);
        let organization = desk.organization_id();
        leptos::task::spawn_local(async move {
            match add_member(organization, request).await {
                Ok(member) => {
                    let words = if member.invited { "Member invited" } else { "Member added" };
                    desk.toasts.success(words);
                    _ = close.try_run(());
                }
                Err(error) => form.refuse(&error),
            }
        });
    };
    let roles = Signal::derive(move || {
        let choice = |role: Role| Choice::new(role.as_str(), role.label());
        desk.roles_to_give().into_iter().map(choice).collect::<Vec<_>>()
    });
    view! {
        <Dialog
            title="Invite member"
            on_close=close
            busy
            dirty=Signal::derive(move || login.is_changed())
            on_submit=submit
            footer=move || {
                view! {
                    <Button on_press=close disabled=busy>"Cancel"</Button>
                    <Button variant=Variant::Primary submit=true busy busy_label="Inviting…">
                        "Invite member"
                    </Button>
                }
            }
        >
            <div class="flex flex-col gap-5">
                {move || {
                    refusal.get().map(|why| view! { <Callout tone=Tone::Danger alert=true>{why}</Callout> })
                }}
                <TextField
                    name="login"
                    label="GitHub username"
                    value=login.value
                    hint="They are a member once they sign in with this account."
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
            </div>
        </Dialog>
    }
}
