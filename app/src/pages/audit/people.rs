//! The names of actors. Events contain only logins.

use latchkey_domain::api::Member;
use latchkey_domain::id::OrganizationId;
use leptos::prelude::*;

use crate::api::list_members;

/// The members of the organization, as far as they are known.
#[derive(Clone, Copy)]
pub struct People(RwSignal<Vec<Member>>);

impl People {
    /// Loads them in the browser. Without them the log shows logins.
    pub fn of(organization: OrganizationId) -> Self {
        let people = RwSignal::new(Vec::new());
        Effect::new(move || {
            leptos::task::spawn_local(async move {
                let mut cursor = None;
                loop {
                    let Ok(page) = list_members(organization, cursor).await else { return };
                    let members = page.data.into_iter().map(|listed| listed.member);
                    if people.try_update(|all: &mut Vec<Member>| all.extend(members)).is_none() {
                        return;
                    }
                    cursor = page.next_cursor;
                    if cursor.is_none() {
                        return;
                    }
                }
            });
        });
        Self(people)
    }

    /// The members without invited users; tracked.
    pub fn who_act(self) -> Vec<Member> {
        self.0.with(|all| all.iter().filter(|member| !member.invited).cloned().collect())
    }

    /// The member of that id or login, tracked.
    pub fn find(self, id_or_login: &str) -> Option<Member> {
        self.0.with(|all| {
            let is_same = |member: &&Member| {
                !member.invited && (member.login == id_or_login || id_of(member) == id_or_login)
            };
            all.iter().find(is_same).cloned()
        })
    }

    /// The name of the user with that login, or the login; tracked.
    pub fn name(self, login: &str) -> String {
        self.find(login).map_or_else(|| login.to_owned(), |member| name_of(&member))
    }
}

/// What a member is called.
pub fn name_of(member: &Member) -> String {
    let name = member.name.as_ref().filter(|name| !name.trim().is_empty());
    name.unwrap_or(&member.login).clone()
}

/// The id of a member; nothing for invited users.
pub fn id_of(member: &Member) -> String {
    member.user_id.map_or_else(String::new, |id| id.to_string())
}
