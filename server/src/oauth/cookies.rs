//! The two cookies: the refresh token, and a sign-in under way.

use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use latchkey_services::accounts::STATE_LIFETIME;

use crate::config::Config;

const REFRESH: &str = "latchkey_refresh";
const REFRESH_PATH: &str = "/refresh";
const SIGN_IN: &str = "latchkey_sign_in";
const SIGN_IN_PATH: &str = "/login/oauth2";

fn cookie(
    config: &Config,
    name: &'static str,
    value: String,
    path: &'static str,
) -> Cookie<'static> {
    Cookie::build((name, value))
        .path(path)
        .http_only(true)
        .secure(config.public_url.is_https())
        .build()
}

/// The refresh token. Only our own pages bring it back, and only to `/refresh`.
pub(crate) fn refresh(config: &Config, token: String) -> Cookie<'static> {
    let mut cookie = cookie(config, REFRESH, token, REFRESH_PATH);
    cookie.set_same_site(SameSite::Strict);
    cookie.set_max_age(whole_seconds(config.services.refresh_token_ttl));
    cookie
}

/// Takes the refresh token back.
pub(crate) fn no_refresh(config: &Config) -> Cookie<'static> {
    expired(refresh(config, String::new()))
}

/// The refresh token that a request brought.
pub(crate) fn refresh_token(jar: &CookieJar) -> Option<String> {
    jar.get(REFRESH).map(|cookie| cookie.value().to_owned()).filter(|token| !token.is_empty())
}

/// A sign-in under way, bound to this browser: the state that must come back, and the PKCE verifier. `Lax`,
/// because GitHub sends the browser back to us.
pub(super) fn sign_in(config: &Config, state: &str, verifier: &str) -> Cookie<'static> {
    let mut cookie = cookie(config, SIGN_IN, format!("{state}.{verifier}"), SIGN_IN_PATH);
    cookie.set_same_site(SameSite::Lax);
    cookie.set_max_age(whole_seconds(STATE_LIFETIME));
    cookie
}

/// Takes a finished sign-in back.
pub(super) fn no_sign_in(config: &Config) -> Cookie<'static> {
    expired(sign_in(config, "", ""))
}

/// State and PKCE verifier of the sign-in that this browser began.
pub(super) fn begun_sign_in(jar: &CookieJar) -> Option<(String, String)> {
    let (state, verifier) = jar.get(SIGN_IN)?.value().split_once('.')?;
    Some((state.to_owned(), verifier.to_owned()))
}

fn expired(mut cookie: Cookie<'static>) -> Cookie<'static> {
    cookie.set_value("");
    cookie.set_max_age(whole_seconds(std::time::Duration::ZERO));
    cookie
}

fn whole_seconds(duration: std::time::Duration) -> cookie::time::Duration {
    cookie::time::Duration::seconds(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}
