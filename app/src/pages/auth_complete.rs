//! The page that ends a sign-in: it fetches the access token with the cookie that the server has
//! just set, and goes on.

use latchkey_domain::path::LocalPath;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};

use crate::api::ApiError;
use crate::components::error_state::ErrorState;
use crate::data::session::{self, RenewError};
use latchkey_ui::button::Spinner;
use latchkey_ui::mark::Logo;

/// Page that ends a sign-in.
#[component]
pub fn AuthComplete() -> impl IntoView {
    let query = use_query_map();
    let next =
        move || LocalPath::or_root(query.with_untracked(|query| query.get("next")).as_deref());
    let navigate = use_navigate();
    let failure = RwSignal::new(None::<ApiError>);
    let complete = move || {
        failure.set(None);
        let (navigate, next) = (navigate.clone(), next());
        spawn_local(async move {
            let options = NavigateOptions { replace: true, ..NavigateOptions::default() };
            match session::refresh().await {
                Ok(_) => navigate(next.as_str(), options),
                Err(RenewError::SessionEnded) => {
                    navigate(
                        &format!("/login?reason=not_completed&next={}", next.to_query_value()),
                        options,
                    );
                }
                Err(RenewError::Failed(error)) => failure.set(Some(error)),
            }
        });
    };
    let retry = StoredValue::new_local(complete.clone());
    Effect::new(move |_| complete());
    view! {
        <Title text="Signing in · Latchkey"/>
        <main class="flex min-h-dvh flex-col items-center justify-center gap-4 px-4">
            <Logo size=28/>
            <h1 class="sr-only">"Signing in"</h1>
            <p class="flex items-center gap-2 text-body text-ink-2" aria-live="polite">
                {move || {
                    failure
                        .with(Option::is_none)
                        .then(|| view! { <Spinner/> "Signing you in…" })
                }}
            </p>
            {move || {
                let error = failure.get()?;
                let retry = move |()| retry.with_value(|complete| complete());
                Some(view! { <ErrorState title="Couldn’t finish signing in" error on_retry=retry/> })
            }}
        </main>
    }
}
