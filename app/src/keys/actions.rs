//! The actions of a key: buttons in a table, a menu on cards.

use latchkey_domain::api::{ApiKey, ListedKey};
use latchkey_domain::key::KeyStatus;
use leptos::prelude::*;

use super::KeysPageState;
use super::archive::{can_archive, set_archived};
use super::disable::enable;
use latchkey_ui::button::{Button, IconButton, Variant};
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::menu::{Menu, MenuDivider, MenuItem};

/// The actions of a key. On cards they are a menu.
#[component]
pub fn Actions(
    /// Where the key is listed.
    page: KeysPageState,
    /// The key as it is now.
    now: Memo<ListedKey>,
    /// Whether the buttons have labels: in the head of the key's own page.
    #[prop(optional)]
    wide: bool,
) -> impl IntoView {
    let can = Memo::new(move |_| {
        if page.may_write() { now.with(|now| KeyActions::of(&now.key)) } else { KeyActions::NONE }
    });
    view! {
        <Show when=move || can.get() != KeyActions::NONE>
            {if wide {
                view! { <div class="flex gap-2 max-md:hidden"><WideButtons page now can/></div> }.into_any()
            } else {
                view! { <div class="flex justify-end gap-0.5 max-md:hidden"><Buttons page now can/></div> }.into_any()
            }}
            <div class="md:hidden">
                <Menu
                    label=Signal::derive(move || now.with(|now| format!("Actions for {}", now.key.name)))
                    trigger=|| view! { <Icon glyph=Glyph::Ellipsis/> }
                    trigger_class="inline-flex size-11 cursor-pointer items-center justify-center rounded-sm text-ink-3 hover:bg-hover hover:text-ink"
                >
                    <Items page now can/>
                </Menu>
            </div>
        </Show>
    }
}

/// Which of the actions a key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one action, and they are independent")]
struct KeyActions {
    edit: bool,
    rotate: bool,
    disable: bool,
    enable: bool,
    archive: bool,
    restore: bool,
    revoke: bool,
}

impl KeyActions {
    const NONE: Self = Self {
        edit: false,
        rotate: false,
        disable: false,
        enable: false,
        archive: false,
        restore: false,
        revoke: false,
    };

    const fn of(key: &ApiKey) -> Self {
        if key.archived {
            return Self { restore: true, ..Self::NONE };
        }
        let is_revoked = matches!(key.status, KeyStatus::Revoked);
        Self {
            edit: !is_revoked,
            rotate: matches!(key.status, KeyStatus::Active | KeyStatus::Disabled),
            disable: matches!(key.status, KeyStatus::Active),
            enable: matches!(key.status, KeyStatus::Disabled),
            archive: can_archive(key.status),
            restore: false,
            revoke: !is_revoked,
        }
    }
}

/// What the actions do.
#[derive(Clone, Copy)]
struct Handlers {
    edit: Callback<()>,
    rotate: Callback<()>,
    disable: Callback<()>,
    enable: Callback<()>,
    archive: Callback<()>,
    restore: Callback<()>,
    revoke: Callback<()>,
}

impl Handlers {
    fn new(page: &KeysPageState, now: Memo<ListedKey>) -> Self {
        let page = *page;
        let set = move |archived| {
            let key = now.get_untracked().key;
            set_archived(page, key.id, key.name, archived);
        };
        Self {
            edit: Callback::new(move |()| page.editing.set(Some(now.get_untracked()))),
            rotate: Callback::new(move |()| page.rotating.set(Some(now.get_untracked()))),
            disable: Callback::new(move |()| page.disabling.set(Some(now.get_untracked()))),
            enable: Callback::new(move |()| enable(page, now.with_untracked(|now| now.key.id))),
            archive: Callback::new(move |()| set(true)),
            restore: Callback::new(move |()| set(false)),
            revoke: Callback::new(move |()| page.revocation.target.set(Some(now.get_untracked()))),
        }
    }
}

#[component]
fn Buttons(page: KeysPageState, now: Memo<ListedKey>, can: Memo<KeyActions>) -> impl IntoView {
    let Handlers { edit, rotate, disable, enable, archive, restore, revoke } =
        Handlers::new(&page, now);
    let named = move |verb: &'static str| {
        Signal::derive(move || now.with(|now| format!("{verb} {}", now.key.name)))
    };
    view! {
        <Show when=move || can.get().edit>
            <IconButton glyph=Glyph::Pencil label=named("Edit") tooltip="Edit" on_press=edit/>
        </Show>
        <Show when=move || can.get().rotate>
            <IconButton glyph=Glyph::RotateCw label=named("Rotate") tooltip="Rotate" on_press=rotate/>
        </Show>
        <Show when=move || can.get().disable>
            <IconButton glyph=Glyph::CirclePause label=named("Disable") tooltip="Disable" on_press=disable/>
        </Show>
        <Show when=move || can.get().enable>
            <IconButton glyph=Glyph::CirclePlay label=named("Enable") tooltip="Enable" on_press=enable/>
        </Show>
        <Show when=move || can.get().archive>
            <IconButton glyph=Glyph::Archive label=named("Archive") tooltip="Archive" on_press=archive/>
        </Show>
        <Show when=move || can.get().restore>
            <IconButton glyph=Glyph::ArchiveRestore label=named("Restore") tooltip="Restore" on_press=restore/>
        </Show>
        <Show when=move || can.get().revoke>
            <IconButton glyph=Glyph::Trash2 label=named("Revoke") tooltip="Revoke" danger=true on_press=revoke/>
        </Show>
    }
}

/// The same buttons with labels. Edit is missing: it is beside what it changes.
#[component]
fn WideButtons(page: KeysPageState, now: Memo<ListedKey>, can: Memo<KeyActions>) -> impl IntoView {
    let Handlers { rotate, disable, enable, archive, restore, revoke, .. } =
        Handlers::new(&page, now);
    let name = move || view! { <span class="sr-only">{move || now.with(|now| format!(" {}", now.key.name))}</span> };
    view! {
        <Show when=move || can.get().rotate>
            <Button glyph=Glyph::RotateCw on_press=rotate>"Rotate" {name()}</Button>
        </Show>
        <Show when=move || can.get().disable>
            <Button glyph=Glyph::CirclePause on_press=disable>"Disable" {name()}</Button>
        </Show>
        <Show when=move || can.get().enable>
            <Button glyph=Glyph::CirclePlay on_press=enable>"Enable" {name()}</Button>
        </Show>
        <Show when=move || can.get().archive>
            <Button glyph=Glyph::Archive on_press=archive>"Archive" {name()}</Button>
        </Show>
        <Show when=move || can.get().restore>
            <Button glyph=Glyph::ArchiveRestore on_press=restore>"Restore" {name()}</Button>
        </Show>
        <Show when=move || can.get().revoke>
            <Button variant=Variant::DangerOutline glyph=Glyph::Trash2 on_press=revoke>"Revoke" {name()}</Button>
        </Show>
    }
}

#[component]
fn Items(page: KeysPageState, now: Memo<ListedKey>, can: Memo<KeyActions>) -> impl IntoView {
    let Handlers { edit, rotate, disable, enable, archive, restore, revoke } =
        Handlers::new(&page, now);
    view! {
        <Show when=move || can.get().edit>
            <MenuItem glyph=Glyph::Pencil on_press=edit>"Edit…"</MenuItem>
        </Show>
        <Show when=move || can.get().rotate>
            <MenuItem glyph=Glyph::RotateCw on_press=rotate>"Rotate…"</MenuItem>
        </Show>
        <Show when=move || can.get().disable>
            <MenuItem glyph=Glyph::CirclePause on_press=disable>"Disable…"</MenuItem>
        </Show>
        <Show when=move || can.get().enable>
            <MenuItem glyph=Glyph::CirclePlay on_press=enable>"Enable"</MenuItem>
        </Show>
        <Show when=move || can.get().archive>
            <MenuItem glyph=Glyph::Archive on_press=archive>"Archive"</MenuItem>
        </Show>
        <Show when=move || can.get().restore>
            <MenuItem glyph=Glyph::ArchiveRestore on_press=restore>"Restore"</MenuItem>
        </Show>
        <Show when=move || can.get().revoke>
            <MenuDivider/>
            <MenuItem glyph=Glyph::Trash2 danger=true on_press=revoke>"Revoke…"</MenuItem>
        </Show>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::sample;

    #[test]
    fn a_disabled_key_can_be_enabled_edited_rotated_and_revoked() {
        let actions =
            |status: &str| KeyActions::of(&sample::key(&serde_json::json!({ "status": status })));
        let alive = KeyActions { edit: true, rotate: true, revoke: true, ..KeyActions::NONE };
        assert_eq!(actions("disabled"), KeyActions { enable: true, ..alive });
        assert_eq!(actions("active"), KeyActions { disable: true, ..alive });
        assert_eq!(actions("revoked"), KeyActions { archive: true, ..KeyActions::NONE });
    }
}
