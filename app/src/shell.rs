//! The HTML document around the app.
//!
//! It is written by hand, not with Leptos' `HydrationScripts`, because the built files have hashed names
//! that only the server knows. No inline style and no inline script without a nonce may stand in it.

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::MetaTags;

use crate::context::{SiteAssets, ThemeChoice};
use crate::routes::App;

const DESCRIPTION: &str = "Create, scope and revoke API keys for your projects.";

/// The document. The server renders it for every page.
pub fn shell() -> impl IntoView {
    let theme = use_context::<ThemeChoice>().unwrap_or_default();
    #[cfg(feature = "ssr")]
    policy::announce();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.attribute()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="description" content=DESCRIPTION/>
                // Stricter, as in the header, browsers would send `Origin: null` with our own forms.
                <meta name="referrer" content="same-origin"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                {use_context::<SiteAssets>().map(|assets| view! { <Assets assets/> })}
                <MetaTags/>
            </head>
            <body class="min-h-dvh">
                <App/>
            </body>
        </html>
    }
}

/// The style sheet, the fonts of the first paint, and the script that brings the page to life.
#[component]
fn Assets(assets: SiteAssets) -> impl IntoView {
    let SiteAssets { js, wasm, css, preload } = assets;
    let start = format!(
        "import init,{{hydrate}} from {js:?};init({{module_or_path:{wasm:?}}}).then(hydrate)"
    );
    let fonts = preload.into_iter().map(|font| {
        view! { <link rel="preload" href=font r#as="font" r#type="font/woff2" crossorigin="anonymous"/> }
    });
    view! {
        <link rel="stylesheet" href=css/>
        {fonts.collect_view()}
        <link rel="modulepreload" href=js/>
        <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
        <script type="module" nonce=use_nonce() inner_html=start></script>
    }
}

#[cfg(feature = "ssr")]
mod policy {
    //! What the browser may load and run for a page. The nonce is made for each answer, so the header is
    //! set where the nonce is known.

    use axum::http::HeaderValue;
    use axum::http::header::CONTENT_SECURITY_POLICY;
    use leptos::nonce::use_nonce;
    use leptos::prelude::use_context;
    use leptos_axum::ResponseOptions;

    /// Sets the header of the answer that is being rendered.
    pub(super) fn announce() {
        let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) else {
            return;
        };
        let policy = format!(
            "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
             font-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.insert_header(CONTENT_SECURITY_POLICY, policy);
        }
    }
}
