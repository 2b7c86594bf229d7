//! The person, the theme, and the way out.

use latchkey_domain::api::Me;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Workspace;
use crate::components::icon::{Glyph, Icon};
use crate::components::menu::{Menu, MenuCheck, MenuDivider, MenuItem};
use crate::components::segmented::{Mark, Segment, Segmented, Track};
use crate::components::shortcut;
use crate::context::ThemeChoice;
use crate::session;
use crate::theme::Theme;

const THEMES: [Segment; 3] = [
    Segment::new("light", "Light").marked(Mark::Icon(Glyph::Sun)),
    Segment::new("dark", "Dark").marked(Mark::Icon(Glyph::Moon)),
    Segment::new("auto", "Auto").marked(Mark::Icon(Glyph::Monitor)),
];

const AVATARS: [&str; 5] = [
    "bg-av1 text-av1-ink",
    "bg-av2 text-av2-ink",
    "bg-av3 text-av3-ink",
    "bg-av4 text-av4-ink",
    "bg-av5 text-av5-ink",
];

/// The menu.
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
            trigger=move || view! { <Avatar workspace/> }
            trigger_class="flex h-11 cursor-pointer items-center gap-1.5 rounded-sm px-1 text-ink-2 hover:text-ink md:h-8"
        >
            <div class="w-54">
                {move || workspace.with(|data| view! { <Person me=data.me.clone()/> })}
                <MenuDivider/>
                <ThemeControl/>
                <Shortcuts/>
                <SignOut/>
            </div>
        </Menu>
    }
}

#[component]
fn Avatar(workspace: Workspace) -> impl IntoView {
    let colour = move || {
        let id = workspace.with(|data| data.me.id.as_uuid().as_u128());
        id.and_then(|id| AVATARS.get(usize::try_from(id % 5).ok()?))
            .copied()
            .unwrap_or("bg-pressed")
    };
    view! {
        <span class=move || {
            format!(
                "flex size-8 items-center justify-center rounded-full text-micro font-semibold md:size-7 {}",
                colour(),
            )
        }>{move || workspace.with(|data| initials(&data.me))}</span>
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
        shortcut::turn(wanted);
        on.set(wanted);
    };
    view! { <MenuCheck checked=on on_change=turn class="max-md:hidden">"Keyboard shortcuts"</MenuCheck> }
}

#[component]
fn SignOut() -> impl IntoView {
    view! {
        <MenuItem glyph=Glyph::LogOut on_press=|()| spawn_local(session::sign_out())>"Sign out"</MenuItem>
    }
}

/// The first letters of the first and last part of the name, or of the login.
fn initials(me: &Me) -> String {
    let name = me.name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(&me.login);
    let mut parts = name.split_whitespace();
    let first = parts.next().and_then(|part| part.chars().next());
    let last = parts.next_back().and_then(|part| part.chars().next());
    [first, last].into_iter().flatten().flat_map(char::to_uppercase).collect()
}
