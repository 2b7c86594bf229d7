//! GitHub as an OAuth 2.0 provider (RFC 6749 with PKCE, RFC 7636), or a GitHub Enterprise server.

use std::time::Duration;

use anyhow::Context;
use futures::future::BoxFuture;
use latchkey_domain::login::{GithubLogin, InvalidLogin};
use latchkey_domain::name::cleaned;
use latchkey_services::accounts::GithubIdentity;
use oauth2::basic::BasicClient;
use oauth2::{
    AsyncHttpClient, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, TokenResponse, TokenUrl,
};
use serde::Deserialize;

use crate::config::GithubApp;
use crate::http_client;

/// How long GitHub may take for an answer. A person is waiting.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read. A user's is about 2 KiB.
const LARGEST_ANSWER: usize = 256 * 1024;

type OAuthClient =
    BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// Why a sign-in with GitHub did not finish.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GithubError {
    /// GitHub did not take the code. What it said may hold secrets, so it is not kept.
    #[error("GitHub rejected the authorization code")]
    Exchange,
    /// GitHub did not answer.
    #[error("failed to reach GitHub: {0}")]
    Unreachable(#[source] TransportError),
    /// GitHub did not say who it is.
    #[error("failed to get the user from GitHub: {0}")]
    User(#[source] TransportError),
    /// The login is not a valid GitHub login.
    #[error("GitHub returned an invalid login")]
    Login(#[from] InvalidLogin),
}

impl GithubError {
    /// Whether this is GitHub's fault, or the network's, rather than the person's.
    pub(crate) const fn is_fault(&self) -> bool {
        !matches!(self, Self::Exchange)
    }
}

/// A connection to GitHub.
pub(crate) struct GithubClient {
    oauth: OAuthClient,
    http: OAuthTransport,
    user_url: String,
}

/// A sign-in to begin.
pub(super) struct Authorization {
    /// Where to send the browser.
    pub(super) url: String,
    /// The PKCE verifier, to keep in the browser's cookie.
    pub(super) verifier: String,
}

#[derive(Deserialize)]
struct GithubUser {
    id: i64,
    login: String,
    name: Option<String>,
    avatar_url: Option<String>,
}

impl GithubClient {
    /// Prepares a connection.
    ///
    /// # Errors
    /// A URL of the settings is not one.
    pub(crate) fn new(app: &GithubApp, public_url: &str) -> anyhow::Result<Self> {
        let url = |path: &str| format!("{}{path}", app.url);
        let oauth = BasicClient::new(ClientId::new(app.client_id.clone()))
            .set_client_secret(ClientSecret::new(app.client_secret.clone()))
            .set_auth_type(oauth2::AuthType::RequestBody)
            .set_auth_uri(
                AuthUrl::new(url("/login/oauth/authorize")).context("LATCHKEY_GITHUB_URL")?,
            )
            .set_token_uri(
                TokenUrl::new(url("/login/oauth/access_token")).context("LATCHKEY_GITHUB_URL")?,
            )
            .set_redirect_uri(
                RedirectUrl::new(format!("{public_url}/login/oauth2/code/github"))
                    .context("LATCHKEY_PUBLIC_URL")?,
            );
        let http = http_client()
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")))
            .timeout(REQUEST_TIMEOUT)
            .build()?;
        Ok(Self { oauth, http: OAuthTransport(http), user_url: format!("{}/user", app.api_url) })
    }

    /// The URL that asks GitHub to sign a person in and to bring `state` back.
    pub(super) fn authorization(&self, state: &str) -> Authorization {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, _) = self
            .oauth
            .authorize_url(|| CsrfToken::new(state.to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        Authorization { url: url.into(), verifier: verifier.into_secret() }
    }

    /// Trades the code that came back for the person's identity.
    ///
    /// # Errors
    /// GitHub refuses the code, or can't be reached.
    pub(super) async fn identity(
        &self,
        code: String,
        verifier: String,
    ) -> Result<GithubIdentity, GithubError> {
        let token = self
            .oauth
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request_async(&self.http)
            .await
            .map_err(|error| match error {
                RequestTokenError::Request(cause) => GithubError::Unreachable(cause),
                _ => GithubError::Exchange,
            })?;
        let request = self
            .http
            .0
            .get(&self.user_url)
            .bearer_auth(token.access_token().secret())
            .header("Accept", "application/vnd.github+json");
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        let body = within_bounds(answer.map_err(|error| GithubError::User(error.into()))?).await;
        let body = body.map_err(GithubError::User)?;
        let user: GithubUser =
            serde_json::from_slice(&body).map_err(|error| GithubError::User(error.into()))?;
        user.identity()
    }
}

impl GithubUser {
    /// Who that is, in texts that fit our pages and both databases.
    fn identity(self) -> Result<GithubIdentity, GithubError> {
        const LONGEST_NAME: usize = 100;
        Ok(GithubIdentity {
            id: self.id,
            login: GithubLogin::exact(&self.login)?.to_string(),
            name: self.name.and_then(|name| cleaned(&name, LONGEST_NAME)),
            avatar_url: self.avatar_url.filter(|url| is_picture(url)),
        })
    }
}

/// Whether a page may show what is at that URL.
fn is_picture(url: &str) -> bool {
    const LONGEST: usize = 2048;
    let web = url.starts_with("https://") || url.starts_with("http://");
    web && url.len() <= LONGEST && url.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Why an answer did not come, or not whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    #[error("{0}")]
    Http(#[source] reqwest::Error),
    #[error("the response exceeds {LARGEST_ANSWER} bytes")]
    TooLarge,
    #[error("the response is not valid: {0}")]
    Body(#[from] serde_json::Error),
}

impl From<reqwest::Error> for TransportError {
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error.without_url())
    }
}

/// The body of an answer, of a size that GitHub's have.
async fn within_bounds(mut answer: reqwest::Response) -> Result<Vec<u8>, TransportError> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await? {
        if body.len() + part.len() > LARGEST_ANSWER {
            return Err(TransportError::TooLarge);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// Carries the requests of the `oauth2` crate over our one HTTP client.
struct OAuthTransport(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for OAuthTransport {
    type Error = TransportError;
    type Future = BoxFuture<'c, Result<HttpResponse, TransportError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let (parts, body) = request.into_parts();
        let request = self.0.request(parts.method, parts.uri.to_string()).headers(parts.headers);
        Box::pin(async move {
            let response = request.body(body).send().await?;
            let mut answer = HttpResponse::new(Vec::new());
            *answer.status_mut() = response.status();
            *answer.headers_mut() = response.headers().clone();
            *answer.body_mut() = within_bounds(response).await?;
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(login: &str, name: &str, avatar_url: &str) -> GithubUser {
        let [login, name, avatar_url] = [login, name, avatar_url].map(str::to_owned);
        GithubUser { id: 7, login, name: Some(name), avatar_url: Some(avatar_url) }
    }

    #[test]
    fn logins_are_taken_as_they_are_or_not_at_all() {
        assert_eq!(user("octo-cat", "", "").identity().unwrap().login, "octo-cat");
        for odd in ["octo\0cat", "@octocat", " octocat", "", "a\u{202E}b", &"a".repeat(40)] {
            let refused = user(odd, "", "").identity();
            assert!(matches!(refused, Err(GithubError::Login(_))), "{odd:?}");
        }
    }

    #[test]
    fn names_and_pictures_fit_the_pages() {
        let found = user("a", &"n\0".repeat(10_000), "https://example.com/a?v=4").identity();
        let found = found.unwrap();
        assert_eq!(found.name, Some("n".repeat(100)));
        assert_eq!(found.avatar_url.as_deref(), Some("https://example.com/a?v=4"));
        let long = format!("https://example.com/{}", "a".repeat(3_000));
        for odd in ["", "javascript:alert(1)", "https://a/\0", "https://a/ b", &long] {
            assert_eq!(user("a", "\0", odd).identity().unwrap().avatar_url, None, "{odd:.30}");
        }
        assert_eq!(user("a", " \0", "").identity().unwrap().name, None);
    }
}
