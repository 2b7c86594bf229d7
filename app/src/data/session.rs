//! The person's session in this browser: the token in `localStorage`, its renewal, and signing out.
//!
//! The token is stored raw, without quotes, because other clients of this origin read it too. The
//! refresh token is an HTTP-only cookie that this code never sees.

use std::cell::{Cell, RefCell};

use futures::FutureExt;
use futures::future::{LocalBoxFuture, Shared};
use gloo_storage::{LocalStorage, Storage};
use latchkey_domain::api::SessionTokens;
use latchkey_domain::path::LocalPath;
use leptos::prelude::*;

use super::fetch::PostRequest;
use crate::api::ApiError;

/// Where `localStorage` keeps the access token.
pub(crate) const TOKEN: &str = "token";

/// Why a user has to sign in again; the reason is in the URL of the login page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The session ended without their doing.
    Expired,
    /// The user signed out.
    SignedOut,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "session_expired",
            Self::SignedOut => "signed_out",
        }
    }
}

/// The access token, if there is one.
pub fn token() -> Option<String> {
    LocalStorage::raw().get_item(TOKEN).ok().flatten().filter(|token| !token.is_empty())
}

/// Why a token could not be renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenewError {
    /// The session is over.
    SessionEnded,
    /// The server could not be reached; the session may be alive.
    Failed(ApiError),
}

type Renewal = Shared<LocalBoxFuture<'static, Result<String, RenewError>>>;

thread_local! {
    /// The renewal that is under way. Calls that are refused together wait for the same one.
    static RENEWAL: RefCell<Option<Renewal>> = const { RefCell::new(None) };

    /// Whether this page is about to navigate to the login page. The first reason counts: later
    /// ones know less, and would restart the navigation.
    static LEAVING: Cell<bool> = const { Cell::new(false) };
}

/// Renews the session through the refresh cookie and stores the new token.
///
/// # Errors
/// The session is over, or the server can't be asked.
pub async fn refresh() -> Result<String, RenewError> {
    let renewal = RENEWAL.with_borrow_mut(|running| {
        running
            .get_or_insert_with(|| {
                let renewal = async {
                    let renewed = ask_for_token().await;
                    RENEWAL.take();
                    renewed
                };
                renewal.boxed_local().shared()
            })
            .clone()
    });
    renewal.await
}

async fn ask_for_token() -> Result<String, RenewError> {
    let answer = PostRequest::empty("/refresh").send(None).await.map_err(RenewError::Failed)?;
    match answer.status {
        200 => {
            let Ok(SessionTokens { token, .. }) = serde_json::from_slice(&answer.body) else {
                return Err(RenewError::Failed(ApiError::Unreadable));
            };
            _ = LocalStorage::raw().set_item(TOKEN, &token);
            Ok(token)
        }
        401 | 403 => Err(RenewError::SessionEnded),
        _ => Err(RenewError::Failed(
            serde_json::from_slice(&answer.body).map_or(ApiError::Unreachable, ApiError::Refused),
        )),
    }
}

/// A new token. If the session has ended, goes to the login page and never returns.
///
/// # Errors
/// The server can't be asked. The person stays signed in and can try again.
pub(crate) async fn renew() -> Result<String, ApiError> {
    match refresh().await {
        Ok(token) => Ok(token),
        Err(RenewError::Failed(error)) => Err(error),
        Err(RenewError::SessionEnded) => redirect_to_login(Some(Reason::Expired)).await,
    }
}

/// Forgets the token and goes to the login page, which will return here. Never returns, so that its
/// caller shows no error until the browser navigates.
pub(crate) async fn redirect_to_login<T>(reason: Option<Reason>) -> T {
    redirect_once(reason, Some(&here()));
    std::future::pending().await
}

/// Goes to the login page, and never returns, if nobody is signed in. The server can't tell: it
/// never sees the token.
pub(crate) async fn require() {
    if token().is_none() {
        redirect_to_login::<()>(None).await;
    }
}

/// Ends the session here and on the server.
pub async fn sign_out() {
    LEAVING.set(true);
    if let Some(token) = token() {
        // Signing out must work offline too; the cookie is then left to expire.
        _ = PostRequest::empty("/logout").send(Some(&token)).await;
    }
    go_to_login(Some(Reason::SignedOut), None);
}

/// Follows a sign-out in another tab.
pub fn follow_other_tabs() {
    let handle = window_event_listener(leptos::ev::storage, |event| {
        // `localStorage.clear()` sends an event without a key.
        let token_gone = event.key().is_none_or(|key| key == TOKEN) && token().is_none();
        if token_gone {
            redirect_once(Some(Reason::SignedOut), None);
        }
    });
    on_cleanup(move || handle.remove());
}

/// Where the person is.
fn here() -> LocalPath {
    let location = window().location();
    let path = location.pathname().unwrap_or_default() + &location.search().unwrap_or_default();
    LocalPath::or_root(Some(&path))
}

/// Goes to the login page, unless that is under way.
fn redirect_once(reason: Option<Reason>, next: Option<&LocalPath>) {
    if !LEAVING.replace(true) {
        go_to_login(reason, next);
    }
}

/// Loads the login page as a new document, so that nothing of the session stays in memory.
fn go_to_login(reason: Option<Reason>, next: Option<&LocalPath>) {
    _ = LocalStorage::raw().remove_item(TOKEN);
    _ = window().location().replace(&login_path(reason, next));
}

fn login_path(reason: Option<Reason>, next: Option<&LocalPath>) -> String {
    let reason = reason.map(|reason| format!("reason={}", reason.as_str()));
    let next = next.filter(|next| next.as_str() != "/");
    let next = next.map(|next| format!("next={}", next.to_query_value()));
    let query: Vec<String> = [reason, next].into_iter().flatten().collect();
    if query.is_empty() { "/login".to_owned() } else { format!("/login?{}", query.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_page_knows_why_and_where_to() {
        let next = LocalPath::or_root(Some("/projects/prj_1?tab=logs"));
        assert_eq!(login_path(None, None), "/login");
        assert_eq!(login_path(None, Some(&LocalPath::or_root(None))), "/login");
        assert_eq!(login_path(Some(Reason::SignedOut), None), "/login?reason=signed_out");
        assert_eq!(
            login_path(Some(Reason::Expired), Some(&next)),
            "/login?reason=session_expired&next=/projects/prj_1%3Ftab%3Dlogs"
        );
    }
}
