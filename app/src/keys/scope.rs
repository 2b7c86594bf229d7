//! The project or application whose keys a page shows.

use latchkey_domain::api::{Application, Organization, Project};
use latchkey_domain::id::ApplicationId;
use latchkey_domain::key::KeyKind;
use latchkey_domain::role::{Permission, Role};
use leptos::prelude::*;

use crate::layout::{Workspace, members_path};
use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::icon::Glyph;

/// The project whose keys a page is about, or the one application of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyScope {
    /// Which kind of keys.
    pub kind: KeyKind,
    /// Project that the keys belong to.
    pub project: Project,
    /// Its organization, with the person's role.
    pub organization: Organization,
    /// The one application that the page is about.
    pub only: Option<Application>,
    /// The project's applications, as far as they are known.
    pub applications: Vec<Application>,
}

impl KeyScope {
    /// Whether the user may create and change keys.
    pub fn may_write(&self) -> bool {
        let needed = match self.kind {
            KeyKind::Api | KeyKind::Inference => Permission::KeysWrite,
            KeyKind::Service => Permission::ServiceKeysWrite,
        };
        self.organization.role.is_some_and(|role| role.allows(needed))
    }

    /// The name of what a key is for: one application, or all of them.
    pub fn application_name(&self, id: Option<ApplicationId>) -> String {
        let Some(id) = id else { return "All applications".to_owned() };
        let known = self.applications.iter().find(|application| application.id == id);
        known.map_or_else(|| id.to_string(), |application| application.name.clone())
    }

    /// The application that a program has to name beside a key that is for all of them.
    pub fn application_to_name(&self, of_key: Option<ApplicationId>) -> Option<ApplicationId> {
        if of_key.is_some() {
            return None;
        }
        self.applications.first().map(|application| application.id)
    }

    /// Whether the project has as many active keys as its plan allows.
    pub fn is_at_limit(&self) -> bool {
        let Project { keys_used, keys_limit, .. } = self.project;
        keys_limit.is_some_and(|limit| keys_used >= u64::from(limit))
    }
}

/// Explains to viewers why there are no buttons.
#[component]
pub fn ViewerNote(
    /// Whose keys they look at.
    scope: Signal<KeyScope>,
) -> impl IntoView {
    let why = move || {
        let organization = scope.get().organization;
        let role = organization.role.map_or("Administrator", Role::label);
        format!(" Your role in {} is {role}. An owner or admin can change it. ", organization.name)
    };
    let workspace = expect_context::<Workspace>();
    let members = move || workspace.address(&scope.with(|scope| members_path(scope.project.id)));
    view! {
        <Show when=move || !scope.with(KeyScope::may_write)>
            <div class="mb-5">
                <Callout tone=Tone::Info glyph=Glyph::Lock>
                    <span class="font-medium">"You can view keys, not change them."</span>
                    {why}
                    <a href=members class="rounded-xs underline underline-offset-2">"See who can help"</a>
                </Callout>
            </div>
        </Show>
    }
}
