//! The routes of the pages.

use leptos::portal::Portal;
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::{Lazy, path};

use crate::lazy::{
    ApiKeysRoute, ApplicationRoute, ApplicationsRoute, AuditRoute, AuthCompleteRoute, HomeRoute,
    InferenceKeyRoute, InferenceKeysRoute, InvitationsRoute, LayoutRoute, LoginRoute, MembersRoute,
    OrganizationRoute, PlanRoute, ProjectRoute, ServiceKeysRoute, SessionsRoute, UpstreamsRoute,
    UsageRoute,
};

use crate::context::{PublicUrl, SignIn};
use crate::pages::not_found::NotFoundPage;
use crate::theme::Theme;
use latchkey_ui::toast::{ToastRegion, Toasts};

/// The whole app: every page, and what all pages share.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_site();
    Theme::provide();
    Toasts::provide();
    view! {
        <Title text="Latchkey"/>
        <Router>
            <Routes fallback=NotFoundPage>
                <Route path=path!("/login") view={Lazy::<LoginRoute>::new()}/>
                <Route path=path!("/auth/complete") view={Lazy::<AuthCompleteRoute>::new()}/>
                <ParentRoute path=path!("") view={Lazy::<LayoutRoute>::new()}>
                    <Route path=path!("/") view={Lazy::<HomeRoute>::new()}/>
                    <Route path=path!("/projects/:project/applications") view={Lazy::<ApplicationsRoute>::new()}/>
                    <Route path=path!("/projects/:project/applications/:application") view={Lazy::<ApplicationRoute>::new()}/>
                    <Route path=path!("/projects/:project/keys") view={Lazy::<ApiKeysRoute>::new()}/>
                    <Route path=path!("/projects/:project/inference-keys") view={Lazy::<InferenceKeysRoute>::new()}/>
                    <Route path=path!("/projects/:project/inference-keys/:key") view={Lazy::<InferenceKeyRoute>::new()}/>
                    <Route path=path!("/projects/:project/usage") view={Lazy::<UsageRoute>::new()}/>
                    <Route path=path!("/projects/:project/audit") view={Lazy::<AuditRoute>::new()}/>
                    <Route path=path!("/projects/:project/settings/plan") view={Lazy::<PlanRoute>::new()}/>
                    <Route path=path!("/projects/:project/settings/project") view={Lazy::<ProjectRoute>::new()}/>
                    <Route path=path!("/projects/:project/settings/members") view={Lazy::<MembersRoute>::new()}/>
                    <Route path=path!("/projects/:project/settings/organization") view={Lazy::<OrganizationRoute>::new()}/>
                    <Route path=path!("/projects/:project/settings/service-keys") view={Lazy::<ServiceKeysRoute>::new()}/>
                    <Route path=path!("/settings/invitations") view={Lazy::<InvitationsRoute>::new()}/>
                    <Route path=path!("/settings/sessions") view={Lazy::<SessionsRoute>::new()}/>
                    <Route path=path!("/settings/upstreams") view={Lazy::<UpstreamsRoute>::new()}/>
                </ParentRoute>
            </Routes>
        </Router>
        // Outside the page: a page that waits for its code must be able to show a message.
        <Portal>
            <ToastRegion/>
        </Portal>
    }
}

/// Passes the server's contexts on to the browser, where they are contexts too.
fn provide_site() {
    let site = SharedValue::new(|| {
        let sign_in = use_context::<SignIn>().unwrap_or(SignIn { github: true, local: false });
        let public_url = use_context::<PublicUrl>().unwrap_or_else(|| PublicUrl(String::new()));
        (sign_in, public_url)
    });
    let (sign_in, public_url) = site.into_inner();
    provide_context(sign_in);
    provide_context(public_url);
}
