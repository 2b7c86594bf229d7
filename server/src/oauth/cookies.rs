//! The cookies: the refresh token, and the sign-ins under way.
//!
//! Over HTTPS their names have the prefixes `__Host-` and `__Secure-` (RFC 6265bis §4.1.3).
//! Browsers accept such cookies only from this host over TLS, so neither another host of the domain
//! nor somebody on the network can set one.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use latchkey_services::accounts::STATE_LIFETIME;

use crate::config::Config;

const REFRESH: &str = "latchkey_refresh";
const REFRESH_PATH: &str = "/refresh";
/// Each sign-in has its own cookie, so that several tabs can sign in at once: `latchkey_sign_in_`
/// and the beginning of its state.
const SIGN_IN: &str = "latchkey_sign_in_";
/// Length of the part of the state that is in the cookie's name.
const STATE_IN_NAME: usize = 16;
/// Maximum number of pending sign-ins of a browser. One more ends the oldest.
const SIGN_INS: usize = 8;

fn cookie(config: &Config, name: String, value: String, path: &'static str) -> Cookie<'static> {
    Cookie::build((name, value))
        .path(path)
        .http_only(true)
        .secure(config.public_url.is_https())
        .build()
}

/// The refresh token's cookie has a path, which `__Host-` does not take.
fn refresh_name(over_https: bool) -> String {
    let prefix = if over_https { "__Secure-" } else { "" };
    format!("{prefix}{REFRESH}")
}

fn sign_in_prefix(config: &Config) -> String {
    let prefix = if config.public_url.is_https() { "__Host-" } else { "" };
    format!("{prefix}{SIGN_IN}")
}

/// None for what is no state of ours.
fn sign_in_name(config: &Config, state: &str) -> Option<String> {
    let begin =
        state.get(..STATE_IN_NAME).filter(|begin| begin.bytes().all(|b| b.is_ascii_hexdigit()));
    begin.map(|begin| sign_in_prefix(config) + begin)
}

/// The refresh token. Only our own pages bring it back, and only to `/refresh`.
pub(crate) fn refresh(config: &Config, token: String) -> Cookie<'static> {
    let mut cookie =
        cookie(config, refresh_name(config.public_url.is_https()), token, REFRESH_PATH);
    cookie.set_same_site(SameSite::Strict);
    cookie.set_max_age(whole_seconds(config.services.refresh_token_ttl));
    cookie
}

/// Takes the refresh token back.
pub(crate) fn no_refresh(config: &Config) -> Cookie<'static> {
    expired(refresh(config, String::new()))
}

/// The refresh token that a request brought.
pub(crate) fn refresh_token(over_https: bool, jar: &CookieJar) -> Option<String> {
    let cookie = jar.get(&refresh_name(over_https))?;
    Some(cookie.value().to_owned()).filter(|token| !token.is_empty())
}

/// Adds a sign-in under way, bound to this browser: the state that must come back, and the PKCE
/// verifier. `Lax`, because GitHub sends the browser back to us. The oldest go if there are too
/// many.
pub(super) fn begin_sign_in(
    config: &Config,
    headers: &HeaderMap,
    jar: CookieJar,
    state: &str,
    verifier: &str,
) -> CookieJar {
    let open = open_sign_ins(config, headers);
    let surplus = (open.len() + 1).saturating_sub(SIGN_INS);
    let jar = open
        .into_iter()
        .take(surplus)
        .fold(jar, |jar, name| jar.add(expired(sign_in(config, name, String::new()))));
    let Some(name) = sign_in_name(config, state) else { return jar };
    jar.add(sign_in(config, name, format!("{state}.{verifier}")))
}

/// The names of the cookies of sign-ins under way. Browsers send the oldest first; a jar forgets
/// the order.
fn open_sign_ins(config: &Config, headers: &HeaderMap) -> Vec<String> {
    let prefix = sign_in_prefix(config);
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let names = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split('=').next());
    let names = names.map(str::trim).filter(|name| name.starts_with(&prefix));
    names.map(str::to_owned).collect()
}

fn sign_in(config: &Config, name: String, value: String) -> Cookie<'static> {
    let mut cookie = cookie(config, name, value, "/");
    cookie.set_same_site(SameSite::Lax);
    cookie.set_max_age(whole_seconds(STATE_LIFETIME));
    cookie
}

/// Takes the sign-in of that state back: it is finished.
pub(super) fn end_sign_in(config: &Config, jar: CookieJar, state: &str) -> CookieJar {
    match sign_in_name(config, state) {
        Some(name) => jar.add(expired(sign_in(config, name, String::new()))),
        None => jar,
    }
}

/// State and PKCE verifier of the sign-in that this browser began, of those whose state begins like
/// this one.
pub(super) fn pending_sign_in(
    config: &Config,
    jar: &CookieJar,
    state: &str,
) -> Option<(String, String)> {
    let cookie = jar.get(&sign_in_name(config, state)?)?;
    let (state, verifier) = cookie.value().split_once('.')?;
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
