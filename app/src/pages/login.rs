//! `/login`: explains why the user was sent here, and offers the ways to sign in.

use latchkey_domain::path::LocalPath;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};

use crate::context::{PublicUrl, SignIn};
use crate::data::session;
use latchkey_ui::button::{Size, Variant, button_class};
use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::icon::{GitHubMark, Glyph, Icon};
use latchkey_ui::mark::Logo;

mod illustration;
mod local;

use illustration::Illustration;
use local::Local;

/// Page to sign in on.
#[component]
pub fn Login() -> impl IntoView {
    let query = use_query_map();
    let next =
        Memo::new(move |_| query.with(|query| LocalPath::or_root(query.get("next").as_deref())));
    let reason = Memo::new(move |_| query.with(|query| query.get("reason")));
    skip_if_signed_in(next);
    view! {
        <Title text="Sign in · Latchkey"/>
        <div class="flex min-h-dvh lg:grid lg:grid-cols-2">
            <main class="flex min-w-0 grow flex-col px-6 pt-8 pb-6 md:px-10 lg:pt-10 lg:pb-10">
                <p class="flex items-center gap-2.5 text-[1.125rem] leading-7 font-semibold tracking-[-0.014em]">
                    <Logo size=28/>
                    "Latchkey"
                </p>
                <div class="mx-auto flex w-full max-w-[23rem] grow flex-col justify-center pt-6 pb-12">
                    <h1 class="text-title font-semibold" tabindex="-1">"Sign in"</h1>
                    <p class="mt-1 text-body text-ink-2">"Create, scope and revoke API keys for your projects."</p>
                    <div class="mt-6 flex flex-col gap-4">
                        {move || reason.get().map(|reason| view! { <Notice reason/> })} <Ways next/>
                    </div>
                </div>
                <Foot/>
            </main>
            <Illustration/>
        </div>
    }
}

/// Somebody with a token has no business here.
fn skip_if_signed_in(next: Memo<LocalPath>) {
    let navigate = use_navigate();
    Effect::new(move |_| {
        if session::token().is_some() {
            let options = NavigateOptions { replace: true, ..NavigateOptions::default() };
            navigate(next.get_untracked().as_str(), options);
        }
    });
}

/// Why the person is here.
#[component]
fn Notice(reason: String) -> impl IntoView {
    let (tone, glyph, words) = match reason.as_str() {
        "session_expired" => {
            (Tone::Warn, Glyph::Clock, "Your session expired. Sign in to continue.")
        }
        "signed_out" => (Tone::Info, Glyph::Info, "You’re signed out."),
        "access_denied" => {
            (Tone::Info, Glyph::Info, "GitHub sign-in was cancelled. Try again when you’re ready.")
        }
        "wrong_code" => (
            Tone::Danger,
            Glyph::Lock,
            "That code isn’t right. Use the newest link in the server’s log.",
        ),
        "too_many_codes" => {
            (Tone::Danger, Glyph::Lock, "Too many wrong codes. Wait a minute, then try again.")
        }
        "not_invited" => (
            Tone::Danger,
            Glyph::Lock,
            "This GitHub account has no access here. Ask an admin for an invite.",
        ),
        _ => (Tone::Danger, Glyph::CircleX, "Sign-in didn’t finish. Try again."),
    };
    view! { <Callout tone glyph alert=true>{words}</Callout> }
}

/// The ways to sign in that this server offers.
#[component]
fn Ways(next: Memo<LocalPath>) -> impl IntoView {
    let ways = expect_context::<SignIn>();
    let to = move |path: &str| format!("{path}?next={}", next.get().to_query_value());
    view! {
        {ways
            .github
            .then(|| {
                view! {
                    <a
                        href=move || to("/oauth2/authorization/github")
                        rel="external"
                        class=format!("gap-2 {}", button_class(Variant::Primary, Size::Large))
                    >
                        <GitHubMark/>
                        "Continue with GitHub"
                    </a>
                    <p class="text-caption text-ink-3">
                        "Latchkey reads your GitHub username, name and email. It never asks for access to your code."
                    </p>
                }
            })}
        {ways
            .local
            .then(|| view! { <Local action=Signal::derive(move || to("/auth/local"))/> })}
    }
}

/// Which server this is.
#[component]
fn Foot() -> impl IntoView {
    let PublicUrl(url) = expect_context::<PublicUrl>();
    let host = url.split_once("://").map_or(url.clone(), |(_, host)| host.to_owned());
    view! {
        <footer class="flex flex-wrap items-center gap-x-3 text-caption text-ink-3">
            <span class="inline-flex items-center gap-1.5">
                <Icon glyph=Glyph::Server size=14/>
                {host}
            </span>
            <span>{concat!("v", env!("CARGO_PKG_VERSION"))}</span>
            <a href="/docs" rel="external" class="inline-flex min-h-6 items-center rounded-xs underline decoration-line-strong underline-offset-2 hover:text-ink">
                "Docs"
            </a>
        </footer>
    }
}
