//! Pages whose code is loaded when they are first opened.
//!
//! `scripts/build-site.sh` splits the WebAssembly at these functions (`wasm_split`) into a first
//! piece, which every page needs, and one for each name below. `cargo leptos watch` does not split:
//! without the feature `split` the same functions are plain ones, as they are on the server.

use std::future::{Ready, ready};
use std::time::Duration;

use gloo_timers::future::sleep;
use leptos::prelude::*;
use leptos::wasm_split::SplitLoaderError;
#[cfg(feature = "split")]
use leptos::wasm_split::wasm_split;
use leptos_router::LazyRoute;

use crate::data::session;
use crate::layout::Layout;
use crate::pages::application::ApplicationPage;
use crate::pages::applications::ApplicationsPage;
use crate::pages::audit::AuditPage;
use crate::pages::auth_complete::AuthComplete;
use crate::pages::home::Home;
use crate::pages::inference_key::InferenceKeyPage;
use crate::pages::invitations::InvitationsPage;
use crate::pages::login::Login;
use crate::pages::plan::PlanPage;
use crate::pages::project_keys::{ApiKeysPage, InferenceKeysPage};
use crate::pages::sessions::SessionsPage;
use crate::pages::settings::members::MembersPage;
use crate::pages::settings::organization::OrganizationPage;
use crate::pages::settings::project::ProjectPage;
use crate::pages::settings::service_keys::ServiceKeysPage;
use crate::pages::upstreams::UpstreamsPage;
use crate::pages::usage::UsagePage;
use latchkey_ui::toast::{ToastAction, Toasts};

/// The piece with the pages for signing in.
pub(crate) const SIGN_IN: &str = "sign_in";
/// The piece with the layout of signed-in pages, and the page they land on.
pub(crate) const DASHBOARD: &str = "dashboard";
/// The piece with the pages that list keys.
pub(crate) const KEYS: &str = "keys";
/// The piece with the pages that chart usage.
pub(crate) const USAGE: &str = "usage";
/// The piece with the audit log and the settings.
pub(crate) const SETTINGS: &str = "settings";

/// The pieces that have the code of the page at `path`, beside the first piece.
pub(crate) fn pieces_of(path: &str) -> &'static [&'static str] {
    let mut parts = path.trim_matches('/').split('/');
    match (parts.next(), parts.nth(1), parts.next()) {
        (Some("login" | "auth"), ..) => &[SIGN_IN],
        (Some("projects"), Some("usage"), _)
        | (Some("projects"), Some("inference-keys"), Some(_)) => &[DASHBOARD, USAGE],
        (Some("projects"), Some("keys" | "inference-keys"), _)
        | (Some("projects"), Some("applications"), Some(_)) => &[DASHBOARD, KEYS],
        (Some("projects"), Some("settings" | "audit"), _) | (Some("settings"), ..) => {
            &[DASHBOARD, SETTINGS]
        }
        _ => &[DASHBOARD],
    }
}

/// Names a page's route and the piece that its code is in.
macro_rules! lazy_page {
    ($(#[$doc:meta])* $route:ident = $component:ident in $piece:ident, $who:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $route;

        const _: () = {
        #[cfg(feature = "split")]
        #[wasm_split($piece, wasm_split_path = ::leptos::wasm_split, preload(fetch), fallible)]
        fn page() -> Result<AnyView, SplitLoaderError> {
            Ok($component().into_any())
        }

        #[cfg(not(feature = "split"))]
        async fn page() -> Result<AnyView, SplitLoaderError> {
            Ok($component().into_any())
        }

        #[cfg(not(feature = "split"))]
        async fn fetch() -> Result<(), SplitLoaderError> {
            Ok(())
        }

        impl LazyRoute for $route {
            fn data() -> Self {
                Self
            }

            // Runs before hydration too, which goes on only when the code is there: `view` must
            // then be ready at once.
            async fn preload() {
                if cfg!(target_family = "wasm") {
                    $who().await;
                    until_fetched(fetch).await;
                }
            }

            async fn view(_this: Self) -> AnyView {
                Self::preload().await;
                page().await.unwrap_or_else(|_| ().into_any())
            }
        }
        };
    };
}

lazy_page!(
    /// Route of the page `/login`.
    LoginRoute = Login in sign_in, anybody
);
lazy_page!(
    /// Route of the page `/auth/complete`.
    AuthCompleteRoute = AuthComplete in sign_in, anybody
);
lazy_page!(
    /// The layout around every page below.
    LayoutRoute = Layout in dashboard, signed_in
);
lazy_page!(
    /// Route of the page `/`.
    HomeRoute = Home in dashboard, signed_in
);
lazy_page!(
    /// Route of a project's applications.
    ApplicationsRoute = ApplicationsPage in dashboard, signed_in
);
lazy_page!(
    /// Route of one application.
    ApplicationRoute = ApplicationPage in keys, signed_in
);
lazy_page!(
    /// A project's API keys.
    ApiKeysRoute = ApiKeysPage in keys, signed_in
);
lazy_page!(
    /// A project's inference keys.
    InferenceKeysRoute = InferenceKeysPage in keys, signed_in
);
lazy_page!(
    /// Route of one inference key.
    InferenceKeyRoute = InferenceKeyPage in usage, signed_in
);
lazy_page!(
    /// What a project's keys are used for.
    UsageRoute = UsagePage in usage, signed_in
);
lazy_page!(
    /// The audit log of a project's organization.
    AuditRoute = AuditPage in settings, signed_in
);
lazy_page!(
    /// A project's own settings.
    ProjectRoute = ProjectPage in settings, signed_in
);
lazy_page!(
    /// The plan of a project's organization.
    PlanRoute = PlanPage in settings, signed_in
);
lazy_page!(
    /// The members of a project's organization.
    MembersRoute = MembersPage in settings, signed_in
);
lazy_page!(
    /// A project's organization itself.
    OrganizationRoute = OrganizationPage in settings, signed_in
);
lazy_page!(
    /// A project's service keys.
    ServiceKeysRoute = ServiceKeysPage in settings, signed_in
);
lazy_page!(
    /// Where the person is signed in.
    SessionsRoute = SessionsPage in settings, signed_in
);
lazy_page!(
    /// The upstreams of the gateway.
    UpstreamsRoute = UpstreamsPage in settings, signed_in
);
lazy_page!(
    /// The user's pending invitations.
    InvitationsRoute = InvitationsPage in settings, signed_in
);

fn anybody() -> Ready<()> {
    ready(())
}

/// Nobody fetches the dashboard only to be sent to the login page.
async fn signed_in() {
    session::require().await;
}

/// Fetches a page's code, however long it takes. The page before it stays until then.
async fn until_fetched<F>(fetch: impl Fn() -> F)
where
    F: Future<Output = Result<(), SplitLoaderError>>,
{
    let mut toasts = use_context::<Toasts>();
    let mut failure = None;
    let mut pause = Duration::from_secs(1);
    while fetch().await.is_err() {
        if let Some(toasts) = toasts.take() {
            let reload = ToastAction::new("Reload", || _ = window().location().reload());
            failure =
                Some(toasts.persistent("Couldn’t load this page. Trying again…", Some(reload)));
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
    drop(failure);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_pieces_of_its_page() {
        let project = "/projects/shop-prj_01kc3f1m6ze1tvyqnz0rg5bqfa";
        for (path, pieces) in [
            ("/login", &[SIGN_IN][..]),
            ("/auth/complete", &[SIGN_IN]),
            ("/", &[DASHBOARD]),
            ("/nowhere", &[DASHBOARD]),
            ("/settings/sessions", &[DASHBOARD, SETTINGS]),
            ("/settings/invitations", &[DASHBOARD, SETTINGS]),
        ] {
            assert_eq!(pieces_of(path), pieces, "{path}");
        }
        for (page, pieces) in [
            ("/applications", &[DASHBOARD][..]),
            ("/applications/app_01kc3f1m6ze1tvyqnz0rg5bqfb", &[DASHBOARD, KEYS]),
            ("/keys", &[DASHBOARD, KEYS]),
            ("/inference-keys", &[DASHBOARD, KEYS]),
            ("/inference-keys/key_01kc3f1m6ze1tvyqnz0rg5bqfc", &[DASHBOARD, USAGE]),
            ("/usage", &[DASHBOARD, USAGE]),
            ("/audit", &[DASHBOARD, SETTINGS]),
            ("/settings/members", &[DASHBOARD, SETTINGS]),
        ] {
            assert_eq!(pieces_of(&format!("{project}{page}")), pieces, "{page}");
        }
    }
}
