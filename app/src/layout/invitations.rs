//! The bar above every page that shows pending invitations.

use latchkey_domain::api::Invitation;
use leptos::prelude::*;

use super::{INVITATIONS_PATH, use_bare_path};
use crate::api::{ApiError, list_invitations};
use latchkey_ui::icon::{Glyph, Icon};

/// What waits; from `expect_context::<Invitations>()`.
#[derive(Clone, Copy)]
pub struct Invitations(LocalResource<Result<Vec<Invitation>, ApiError>>);

impl Invitations {
    pub(super) fn provide() -> Self {
        let load = || async { list_invitations(None).await.map(|page| page.data) };
        let invitations = Self(LocalResource::new(load));
        provide_context(invitations);
        invitations
    }

    /// Loads them again, say after one was answered.
    pub fn reload(self) {
        self.0.refetch();
    }

    /// Those that are known to wait, tracked.
    fn waiting(self) -> Vec<Invitation> {
        self.0.with(|data| data.as_ref()?.as_ref().ok().cloned()).unwrap_or_default()
    }

    /// How many are known to wait, tracked.
    pub(super) fn count(self) -> usize {
        self.0.with(|data| data.as_ref()?.as_ref().ok().map(Vec::len)).unwrap_or_default()
    }
}

/// The bar. It is there only while something waits, and not above the page that lists it.
#[component]
pub(super) fn InvitationsBar() -> impl IntoView {
    let invitations = expect_context::<Invitations>();
    let place = use_bare_path();
    let words = Memo::new(move |_| {
        if place.with(|place| place == INVITATIONS_PATH) {
            return None;
        }
        in_words(&invitations.waiting())
    });
    view! {
        <div role="status">
            {move || {
                words
                    .get()
                    .map(|words| {
                        view! {
                            <p class="flex flex-wrap items-center justify-center gap-x-2 gap-y-1 border-b border-accent-line bg-accent-soft px-4 py-2 text-center text-table text-accent-ink">
                                <Icon glyph=Glyph::UserPlus/>
                                <span class="min-w-0 break-words">{words}</span>
                                <a href=INVITATIONS_PATH class="font-medium underline underline-offset-2">"View invitations"</a>
                            </p>
                        }
                    })
            }}
        </div>
    }
}

fn in_words(waiting: &[Invitation]) -> Option<String> {
    match waiting {
        [] => None,
        [one] => Some(match &one.invited_by {
            Some(login) => format!("@{login} invites you to {}.", one.organization.name),
            None => format!("You’re invited to {}.", one.organization.name),
        }),
        more => Some(format!("{} organizations invite you.", more.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation(invited_by: Option<&str>) -> Invitation {
        serde_json::from_value(serde_json::json!({
            "organization": { "id": "org_01h455vb4pex5vsknk084sn02q", "name": "Fernside" },
            "role": "member",
            "invited_by": invited_by,
            "created_at": "2026-05-14T14:28:03Z",
        }))
        .unwrap()
    }

    #[test]
    fn bar_names_who_invites_or_counts() {
        let (one, other) = (invitation(Some("ada")), invitation(None));
        assert_eq!(in_words(&[]), None);
        assert_eq!(in_words(std::slice::from_ref(&one)).unwrap(), "@ada invites you to Fernside.");
        assert_eq!(in_words(std::slice::from_ref(&other)).unwrap(), "You’re invited to Fernside.");
        assert_eq!(in_words(&[one, other]).unwrap(), "2 organizations invite you.");
    }
}
