//! Pages whose code the browser fetches when they are first opened.
//!
//! `scripts/build-site.sh` splits the WebAssembly at these functions (`wasm_split`) into a first piece, which
//! every page needs, and one for each name below. `cargo leptos watch` does not split: without the feature
//! `split` the same functions are plain ones, as they are on the server.

use std::future::{Ready, ready};
use std::time::Duration;

use gloo_timers::future::sleep;
use leptos::prelude::*;
use leptos::wasm_split::SplitLoaderError;
#[cfg(feature = "split")]
use leptos::wasm_split::wasm_split;
use leptos_router::LazyRoute;

use crate::components::frame::Frame;
use crate::components::toast::{ToastAction, Toasts};
use crate::pages::api_keys::ApiKeysPage;
use crate::pages::application::ApplicationPage;
use crate::pages::applications::ApplicationsPage;
use crate::pages::audit::AuditPage;
use crate::pages::auth_complete::AuthComplete;
use crate::pages::home::Home;
use crate::pages::login::Login;
use crate::pages::plan::PlanPage;
use crate::pages::sessions::SessionsPage;
use crate::pages::settings::members::MembersPage;
use crate::pages::settings::organization::OrganizationPage;
use crate::pages::settings::project::ProjectPage;
use crate::pages::settings::service_keys::ServiceKeysPage;
use crate::session;

/// The piece with the pages for signing in.
pub(crate) const SIGN_IN: &str = "sign_in";
/// The piece with the pages of a signed-in person.
pub(crate) const DASHBOARD: &str = "dashboard";

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

            // Runs before hydration too, which goes on only when the code is there: `view` must then be
            // ready at once.
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
    /// `/login`
    LoginRoute = Login in sign_in, anybody
);
lazy_page!(
    /// `/auth/complete`
    AuthCompleteRoute = AuthComplete in sign_in, anybody
);
lazy_page!(
    /// What stands around every page below.
    FrameRoute = Frame in dashboard, signed_in
);
lazy_page!(
    /// `/`
    HomeRoute = Home in dashboard, signed_in
);
lazy_page!(
    /// A project's applications.
    ApplicationsRoute = ApplicationsPage in dashboard, signed_in
);
lazy_page!(
    /// An application.
    ApplicationRoute = ApplicationPage in dashboard, signed_in
);
lazy_page!(
    /// A project's API keys.
    ApiKeysRoute = ApiKeysPage in dashboard, signed_in
);
lazy_page!(
    /// The audit log of a project's organization.
    AuditRoute = AuditPage in dashboard, signed_in
);
lazy_page!(
    /// A project's own settings.
    ProjectRoute = ProjectPage in dashboard, signed_in
);
lazy_page!(
    /// The plan of a project's organization.
    PlanRoute = PlanPage in dashboard, signed_in
);
lazy_page!(
    /// The members of a project's organization.
    MembersRoute = MembersPage in dashboard, signed_in
);
lazy_page!(
    /// A project's organization itself.
    OrganizationRoute = OrganizationPage in dashboard, signed_in
);
lazy_page!(
    /// A project's service keys.
    ServiceKeysRoute = ServiceKeysPage in dashboard, signed_in
);
lazy_page!(
    /// Where the person is signed in.
    SessionsRoute = SessionsPage in dashboard, signed_in
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
    let mut trouble = None;
    let mut pause = Duration::from_secs(1);
    while fetch().await.is_err() {
        if let Some(toasts) = toasts.take() {
            let reload = ToastAction::new("Reload", || _ = window().location().reload());
            trouble = Some(toasts.trouble("Couldn’t load this page. Trying again…", Some(reload)));
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
    drop(trouble);
}
