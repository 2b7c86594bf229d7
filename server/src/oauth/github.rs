//! GitHub as an OAuth 2.0 provider (RFC 6749 with PKCE, RFC 7636), or a GitHub Enterprise server.

use std::time::Duration;

use anyhow::Context;
use futures::future::BoxFuture;
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
const PATIENCE: Duration = Duration::from_secs(10);

type OAuthClient =
    BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// Why a sign-in with GitHub did not finish.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GithubError {
    /// GitHub did not take the code. What it said may hold secrets, so it is not kept.
    #[error("the code could not be exchanged")]
    Exchange,
    /// GitHub did not answer.
    #[error("GitHub could not be asked: {0}")]
    Unreachable(#[source] reqwest::Error),
    /// GitHub did not say who it is.
    #[error("the user could not be read: {0}")]
    User(#[from] reqwest::Error),
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
            .timeout(PATIENCE)
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
                RequestTokenError::Request(cause) => GithubError::Unreachable(cause.without_url()),
                _ => GithubError::Exchange,
            })?;
        let user: GithubUser = self
            .http
            .0
            .get(&self.user_url)
            .bearer_auth(token.access_token().secret())
            .header("Accept", "application/vnd.github+json")
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(reqwest::Error::without_url)?
            .json()
            .await
            .map_err(reqwest::Error::without_url)?;
        Ok(GithubIdentity {
            id: user.id,
            login: user.login,
            name: user.name.filter(|name| !name.trim().is_empty()),
            avatar_url: user.avatar_url,
        })
    }
}

/// Carries the requests of the `oauth2` crate over our one HTTP client.
struct OAuthTransport(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for OAuthTransport {
    type Error = reqwest::Error;
    type Future = BoxFuture<'c, Result<HttpResponse, reqwest::Error>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let (parts, body) = request.into_parts();
        let request = self.0.request(parts.method, parts.uri.to_string()).headers(parts.headers);
        Box::pin(async move {
            let response = request.body(body).send().await?;
            let mut answer = HttpResponse::new(Vec::new());
            *answer.status_mut() = response.status();
            *answer.headers_mut() = response.headers().clone();
            *answer.body_mut() = response.bytes().await?.to_vec();
            Ok(answer)
        })
    }
}
