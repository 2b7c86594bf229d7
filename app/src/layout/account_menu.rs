//! The account menu: the user, the theme, and signing out.

use latchkey_domain::api::Me;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_location;

use super::{INVITATIONS_PATH, Invitations, SESSIONS_PATH, UPSTREAMS_PATH, Workspace};
use crate::context::ThemeChoice;
use crate::data::session;
use crate::theme::Theme;
use latchkey_ui::avatar::{Avatar, initials};
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::menu::{Menu, MenuCheck, MenuDivider, MenuItem, MenuLink};
use latchkey_ui::segmented::{Mark, Segment, Segmented, Track};
use latchkey_ui::shortcut;

const THEMES: [Segment; 3] = [
    Segment::new("light", "Light").marked(Mark::Icon(Glyph::Sun)),
    Segment::new("dark", "Dark").marked(Mark::Icon(Glyph::Moon)),
    Segment::new("auto", "Auto").marked(Mark::Icon(Glyph::Monitor)),
];

#[component]
pub(super) fn AccountMenu() -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let label = move || match workspace.with(|data| data.me.login.clone()) {
        Some(login) => format!("Account of {login}"),
        None => "Account".to_owned(),
    };
    view! {
        <Menu
            label=Signal::derive(label)
            trigger=move || view! { <Trigger workspace/> }
            trigger_class="flex h-11 cursor-pointer items-center gap-1.5 rounded-sm px-1 text-ink-2 hover:text-ink md:h-8"
        >
            <div class="w-54">
                {move || workspace.with(|data| view! { <Person me=data.me.clone()/> })}
                <MenuDivider/>
                <ThemeControl/>
                <Shortcuts/>
                <InvitationsLink/>
                <SessionsLink/>
                <UpstreamsLink/>
                <SignOut/>
            </div>
        </Menu>
    }
}

/// The person, as small as they can be.
#[component]
fn Trigger(workspace: Workspace) -> impl IntoView {
    let id = Signal::derive(move || workspace.with(|data| data.me.id));
    let letters = move || {
        workspace.with(|data| initials(data.me.name.as_deref(), &data.me.login)).unwrap_or_default()
    };
    view! {
        <Avatar id initials=Signal::derive(letters) class="size-8 md:size-7"/>
        <Icon glyph=Glyph::ChevronDown size=14 class="max-md:hidden"/>
    }
}

#[component]
fn Person(me: Me) -> impl IntoView {
    let login = format!("@{}", me.login);
    view! {
        <div class="px-2.5 pt-1.5 pb-1" aria-hidden="true">
            <p class="truncate font-medium">{me.name.unwrap_or(me.login)}</p>
            <p class="truncate text-caption text-ink-3">{login}</p>
        </div>
    }
}

#[component]
fn ThemeControl() -> impl IntoView {
    let theme = expect_context::<Theme>();
    view! {
        <div class="px-1 pb-1">
            <Segmented
                label="Theme"
                options=&THEMES
                value=Signal::derive(move || theme.get().as_str())
                on_change=move |name| theme.set(ThemeChoice::from_name(name))
                track=Track::Menu
            />
        </div>
    }
}

/// Single keys that act on a page can be in the way, say of speech input.
#[component]
fn Shortcuts() -> impl IntoView {
    let on = RwSignal::new(!is_server() && shortcut::are_on());
    let turn = move |wanted| {
        shortcut::set_enabled(wanted);
        on.set(wanted);
    };
    view! { <MenuCheck checked=on on_change=turn class="max-md:hidden">"Keyboard shortcuts"</MenuCheck> }
}

#[component]
fn InvitationsLink() -> impl IntoView {
    let invitations = expect_context::<Invitations>();
    let path = use_location().pathname;
    let current = Signal::derive(move || path.with(|path| path == INVITATIONS_PATH));
    let count = move || match invitations.count() {
        0 => None,
        count => Some(view! {
            <span class="num ml-auto text-caption text-accent-ink">{count} <span class="sr-only">" waiting"</span></span>
        }),
    };
    view! {
        <MenuLink href=INVITATIONS_PATH current>
            <Icon glyph=Glyph::UserPlus/>
            "Invitations"
            {count}
        </MenuLink>
    }
}

#[component]
fn SessionsLink() -> impl IntoView {
    let path = use_location().pathname;
    let current = Signal::derive(move || path.with(|path| path == SESSIONS_PATH));
    view! {
        <MenuLink href=SESSIONS_PATH current>
            <Icon glyph=Glyph::Monitor/>
            "Sessions"
        </MenuLink>
    }
}

/// For administrators of the instance only.
#[component]
fn UpstreamsLink() -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let path = use_location().pathname;
    let current = Signal::derive(move || path.with(|path| path == UPSTREAMS_PATH));
    let link = move || {
        view! {
            <MenuLink href=UPSTREAMS_PATH current>
                <Icon glyph=Glyph::Server/>
                "Upstreams"
            </MenuLink>
        }
    };
    move || {
        let is_administrator = workspace.with(|data| data.me.administrator).unwrap_or_default();
        is_administrator.then(link)
    }
}

#[component]
fn SignOut() -> impl IntoView {
    view! {
        <MenuItem glyph=Glyph::LogOut on_press=|()| spawn_local(session::sign_out())>"Sign out"</MenuItem>
    }
}
