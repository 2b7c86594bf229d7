//! The permissions of a service key: as checkboxes, and as chips.

use latchkey_domain::limit::AllowList;
use latchkey_domain::permission::ServicePermission;
use leptos::prelude::*;

use latchkey_ui::checkbox::Checkbox;
use latchkey_ui::field::FieldError;

/// A permission as a sentence.
const fn description(permission: ServicePermission) -> &'static str {
    match permission {
        ServicePermission::KeysRead => "See the project’s keys, masked.",
        ServicePermission::KeysWrite => {
            "Create, change, rotate, revoke and archive API and inference keys."
        }
        ServicePermission::KeysVerify => "Check whether a key is valid and within its limits.",
        ServicePermission::UsageRead => "See what keys were used for.",
    }
}

/// Which permissions are ticked.
#[derive(Clone, Copy)]
pub struct Chosen {
    boxes: [(ServicePermission, RwSignal<bool>); 4],
    /// The error, until the selection changes.
    error: RwSignal<Option<&'static str>>,
}

impl Chosen {
    /// A selection without any permission.
    pub fn none() -> Self {
        let chosen = Self {
            boxes: ServicePermission::ALL.map(|permission| (permission, RwSignal::new(false))),
            error: RwSignal::new(None),
        };
        Effect::new(move || {
            if chosen.is_some() {
                chosen.error.set(None);
            }
        });
        chosen
    }

    /// Whether one is ticked, tracked.
    pub fn is_some(self) -> bool {
        // Every checkbox is read, so that all of them are tracked.
        self.boxes.iter().filter(|(_, ticked)| ticked.get()).count() > 0
    }

    /// Those that are ticked; `None` if there are none, and then the boxes say so.
    pub fn read(self) -> Option<AllowList<ServicePermission>> {
        let ticked = self.boxes.iter().filter(|(_, ticked)| ticked.get_untracked());
        let list = AllowList::new(ticked.map(|(permission, _)| *permission).collect()).ok();
        if list.is_none() {
            self.error.set(Some("Choose at least one permission."));
        }
        list
    }
}

/// A box to tick for each permission that a service key may have.
#[component]
pub fn PermissionBoxes(
    /// State of the checkboxes.
    chosen: Chosen,
) -> impl IntoView {
    let bad = Signal::derive(move || chosen.error.with(Option::is_some));
    let tick = |(permission, ticked): (ServicePermission, RwSignal<bool>)| {
        view! {
            <Checkbox name=permission.as_str() checked=ticked invalid=bad described_by="permissions-about">
                <code class="font-mono text-code">{permission.as_str()}</code>
                <span class="block text-caption text-ink-2">{description(permission)}</span>
            </Checkbox>
        }
    };
    view! {
        <fieldset class="flex flex-col">
            <legend class="mb-2 text-table font-medium">"Permissions"</legend>
            <div class="flex flex-col gap-2">{chosen.boxes.map(tick).collect_view()}</div>
            <div id="permissions-about" class="mt-1.5 text-caption empty:hidden">
                {move || chosen.error.get().map(|why| view! { <FieldError>{why}</FieldError> })}
            </div>
        </fieldset>
    }
}

/// Permissions of a service key as chips.
#[component]
pub fn PermissionChips(
    /// Permissions to list as chips.
    permissions: Vec<ServicePermission>,
) -> impl IntoView {
    let chip = |permission: ServicePermission| {
        view! {
            <li class="rounded-xs border border-line bg-subtle px-1.5 font-mono text-[11.5px] leading-4 whitespace-nowrap text-ink-2">
                {permission.as_str()}
            </li>
        }
    };
    view! { <ul class="flex flex-wrap gap-1">{permissions.into_iter().map(chip).collect_view()}</ul> }
}
