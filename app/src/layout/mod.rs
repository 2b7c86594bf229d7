//! The layout around every page of a signed-in user: navigation, top bar, and the `main` landmark.

mod account_menu;
mod address;
mod create_dialogs;
mod drawer;
mod invitations;
mod nav_variant;
mod offline_bar;
mod page_head;
mod paths;
mod settings;
mod sidebar;
mod switcher;
mod top_bar;
mod workspace;

use std::time::Duration;

use leptos::prelude::*;
use leptos::web_sys::Element;
use leptos_router::components::Outlet;

pub use address::use_bare_path;
pub(crate) use address::{server_url, use_application_id, use_key_id, use_project_id};
pub use create_dialogs::{CreateDialogs, PrefixField};
pub use invitations::Invitations;
pub use page_head::{About, PageHead, Section};
pub use paths::{
    api_keys_path, application_path, applications_path, audit_path, bare_path, inference_key_path,
    inference_keys_path, plan_path, usage_path,
};
pub use settings::{
    INVITATIONS_PATH, SESSIONS_PATH, UPSTREAMS_PATH, members_path, organization_path,
    project_settings_path, service_keys_path, settings_section,
};
pub use workspace::{Workspace, WorkspaceData};

use crate::data::session;
use create_dialogs::OpenCreateDialog;
use drawer::Drawer;
use invitations::InvitationsBar;
use offline_bar::OfflineBar;
use page_head::Crumbs;
use settings::SettingsBar;
use sidebar::Sidebar;
use top_bar::TopBar;

/// The layout with the page in it.
#[component]
pub fn Layout() -> impl IntoView {
    let workspace = Workspace::provide();
    Invitations::provide();
    Crumbs::provide();
    CreateDialogs::provide();
    let drawer = RwSignal::new(false);
    Effect::new(move |_| session::follow_other_tabs());
    focus_heading_on_navigation();
    view! {
        <a
            href="#main"
            rel="external"
            class="sr-only z-50 rounded-sm bg-primary px-3 py-2 text-table text-on-primary focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
        >
            "Skip to content"
        </a>
        <div class="flex min-h-dvh">
            <Sidebar/>
            <div class="flex min-w-0 grow flex-col">
                <OfflineBar/>
                <InvitationsBar/>
                <TopBar drawer/>
                <main id="main" tabindex="-1" class="mx-auto w-full max-w-[75rem] grow px-4 pt-5 pb-12 outline-none md:px-8 md:pt-6">
                    <SettingsBar workspace/>
                    <Outlet/>
                </main>
            </div>
        </div>
        <Drawer open=drawer/>
        <OpenCreateDialog/>
    }
}

/// Moves focus, and with it a screen reader, to the new heading after navigation.
fn focus_heading_on_navigation() {
    let place = use_bare_path();
    Effect::new(move |before: Option<String>| {
        let place = place.get();
        if before.is_some_and(|before| before != place) {
            request_animation_frame(focus_heading);
        }
        place
    });
}

/// Focuses the page's heading. The page before stays until the code of the next one is there: if
/// its heading goes and takes the focus along, the heading that comes gets it.
fn focus_heading() {
    let heading = document().query_selector("h1").ok().flatten();
    latchkey_ui::focus(heading.clone());
    if let Some(heading) = heading {
        follow(heading, LOOKS);
    }
}

/// Looks every 50 ms, for ten seconds, whether the heading is still there.
const LOOKS: u32 = 200;

fn follow(heading: Element, looks: u32) {
    let look = move || {
        if heading.is_connected() {
            if looks > 0 {
                follow(heading, looks - 1);
            }
        } else if document().active_element().is_none_or(|it| it.tag_name() == "BODY") {
            latchkey_ui::focus(document().query_selector("h1").ok().flatten());
        }
    };
    set_timeout(look, Duration::from_millis(50));
}
