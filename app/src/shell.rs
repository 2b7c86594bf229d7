//! The HTML document around the app.
//!
//! Leptos' `HydrationScripts` is not used, because the built files have hashed names that only the
//! server knows. Inline styles, and inline scripts without a nonce, are blocked by the content
//! security policy.

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::MetaTags;
use leptos_router::location::RequestUrl;

use crate::context::{SiteAssets, ThemeChoice};
use crate::data::session::TOKEN;
use crate::lazy::{SIGN_IN, pieces_of};
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
                // With the stricter policy of the header, browsers would send `Origin: null` with
                // our own forms.
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

/// The style sheet, the fonts of the first paint, and the scripts that bring the page to life.
#[component]
fn Assets(assets: SiteAssets) -> impl IntoView {
    let SiteAssets { js, modules, wasm, pieces, css, preload, reload_port } = assets;
    let start = format!(
        "import init,{{hydrate}} from {js:?};init({{module_or_path:{wasm:?}}}).then(hydrate)"
    );
    let fonts = preload.into_iter().map(|font| {
        view! { <link rel="preload" href=font r#as="font" r#type="font/woff2" crossorigin="anonymous"/> }
    });
    let modules = modules.into_iter().map(|href| view! { <link rel="modulepreload" href=href/> });
    let needed = pieces_of_page();
    let mut files: Vec<&str> = Vec::new();
    // Code that several pieces share is in files of its own.
    for file in needed.iter().filter_map(|piece| pieces.get(*piece)).flatten() {
        if !files.contains(&file.as_str()) {
            files.push(file);
        }
    }
    let fetch = preload_pieces(&files, needed.contains(&SIGN_IN));
    view! {
        <link rel="stylesheet" href=css/>
        {fonts.collect_view()}
        <link rel="modulepreload" href=js/>
        {modules.collect_view()}
        <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
        <script nonce=use_nonce() inner_html=fetch></script>
        <script type="module" nonce=use_nonce() inner_html=start></script>
        {reload_port.map(|port| view! { <script nonce=use_nonce() inner_html=reload_on_build(port)></script> })}
    }
}

/// The pieces of the wasm that have the requested page's code.
fn pieces_of_page() -> &'static [&'static str] {
    let url = use_context::<RequestUrl>().and_then(|url| url.parse().ok());
    url.map_or(&[], |url| pieces_of(url.path()))
}

/// A script that fetches a page's pieces of the wasm beside the first, if the page will be shown:
/// but for the login page, who isn't signed in is sent there without them.
fn preload_pieces(files: &[&str], for_anybody: bool) -> String {
    let files = files.iter().map(|file| format!("{file:?}")).collect::<Vec<_>>().join(",");
    let condition =
        if for_anybody { String::new() } else { format!("if(localStorage.getItem({TOKEN:?}))") };
    format!(
        "{condition}for(const href of [{files}])document.head.append(Object.assign(document.\
         createElement('link'),{{rel:'preload',href,as:'fetch',type:'application/wasm',crossOrigin:''}}))"
    )
}

/// A script that reloads the page when `cargo leptos watch` has rebuilt it.
fn reload_on_build(port: u16) -> String {
    format!(
        "(function connect(){{const builds=new WebSocket(`ws://${{location.hostname}}:{port}/live_reload`);\
         builds.onmessage=()=>location.reload();builds.onclose=()=>setTimeout(connect,1000)}})()"
    )
}

#[cfg(feature = "ssr")]
mod policy {
    //! What the browser may load and run for a page. The nonce is made for each answer, so the
    //! header is set where the nonce is known.

    use axum::http::HeaderValue;
    use axum::http::header::CONTENT_SECURITY_POLICY;
    use leptos::nonce::use_nonce;
    use leptos::prelude::use_context;
    use leptos_axum::ResponseOptions;

    use crate::context::SiteAssets;

    /// Sets the header of the answer that is being rendered.
    pub(super) fn announce() {
        let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) else {
            return;
        };
        let watch = use_context::<SiteAssets>().and_then(|assets| assets.reload_port);
        let watch = watch.map(|port| format!(" ws://*:{port}")).unwrap_or_default();
        let policy = format!(
            "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
             font-src 'self'; img-src 'self' data:; connect-src 'self'{watch}; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.insert_header(CONTENT_SECURITY_POLICY, policy);
        }
    }
}
