//! Changes the tier of an organization, which only administrators of the instance can. Pages call
//! it the plan.

use latchkey_domain::api::Organization;
use latchkey_domain::tier::Tier;
use leptos::prelude::*;

use crate::api::update_organization;
use crate::layout::Workspace;
use latchkey_domain::api::OrganizationPatch;
use latchkey_ui::button::{Button, Size, Variant};
use latchkey_ui::toast::{ToastAction, Toasts};

/// The change of one organization's tier, and how far it got.
#[derive(Clone, Copy)]
pub struct TierChange {
    organization: Signal<Organization>,
    under_way: RwSignal<Option<Tier>>,
    on_changed: Callback<()>,
    workspace: Workspace,
    toasts: Toasts,
}

impl TierChange {
    /// For an organization. `on_changed` is called after each change.
    pub fn new(organization: Signal<Organization>, on_changed: Callback<()>) -> Self {
        Self {
            organization,
            under_way: RwSignal::new(None),
            on_changed,
            workspace: expect_context::<Workspace>(),
            toasts: expect_context::<Toasts>(),
        }
    }

    /// The tier now, tracked.
    pub fn current(self) -> Tier {
        self.organization.with(|organization| organization.tier)
    }

    /// Who can change the plan, for users who can't; tracked.
    pub fn who_can(self) -> Option<&'static str> {
        let may_change = self.workspace.with(|data| data.me.administrator).unwrap_or_default();
        (!may_change).then_some("Ask an instance administrator to upgrade.")
    }

    fn change(self, tier: Tier) {
        let organization = self.organization.with_untracked(|organization| organization.id);
        let upgrades = is_larger(tier, self.organization.with_untracked(|it| it.tier));
        _ = self.under_way.try_set(Some(tier));
        leptos::task::spawn_local(async move {
            let patch = OrganizationPatch { tier: Some(tier), ..OrganizationPatch::default() };
            let answer = update_organization(organization, patch).await;
            _ = self.under_way.try_set(None);
            if answer.is_ok() {
                let action = if upgrades { "Upgraded" } else { "Downgraded" };
                self.toasts.success(format!("{action} to {}", tier.label()));
                self.workspace.reload();
                _ = self.on_changed.try_run(());
            } else {
                let again = ToastAction::new("Retry", move || self.change(tier));
                self.toasts.failure("Couldn’t change the plan.", Some(again));
            }
        });
    }
}

fn place(tier: Tier) -> usize {
    Tier::ALL.iter().position(|each| *each == tier).unwrap_or_default()
}

/// Whether `tier` is above `than`.
pub fn is_larger(tier: Tier, than: Tier) -> bool {
    place(tier) > place(than)
}

/// Leads from the tier now to another one, or says that it is this one. Nobody else than an
/// administrator has a button.
#[component]
pub fn TierButton(
    /// Effect of the new tier.
    change: TierChange,
    /// The tier of this button.
    tier: Tier,
    /// Whether it is in a list of upgrades: small, and without downgrades.
    #[prop(optional)]
    compact: bool,
) -> impl IntoView {
    let under_way = change.under_way;
    let busy = Signal::derive(move || under_way.get() == Some(tier));
    let disabled = Signal::derive(move || under_way.get().is_some_and(|other| other != tier));
    move || {
        let current = change.current();
        if tier == current {
            return compact.then(|| {
                view! { <span class="pr-2 text-caption text-ink-3">"Current plan"</span> }
                    .into_any()
            });
        }
        let upgrades = is_larger(tier, current);
        if change.who_can().is_some() || (compact && !upgrades) {
            return None;
        }
        let variant = match place(tier).checked_sub(place(current)) {
            Some(1) => Variant::Primary,
            _ if compact => Variant::Ghost,
            _ => Variant::Secondary,
        };
        let (verb, busy_label) =
            if upgrades { ("Upgrade", "Upgrading…") } else { ("Downgrade", "Downgrading…") };
        let size = if compact { Size::Compact } else { Size::Default };
        let class = if compact { "" } else { "w-full" };
        Some(
            view! {
                <Button variant size busy busy_label disabled class on_press=move |()| change.change(tier)>
                    {format!("{verb} to {}", tier.label())}
                </Button>
            }
            .into_any(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_in_order() {
        assert!(is_larger(Tier::Pro, Tier::Free));
        assert!(is_larger(Tier::Enterprise, Tier::Team));
        assert!(!is_larger(Tier::Free, Tier::Free));
        assert!(!is_larger(Tier::Free, Tier::Team));
    }
}
