//! Calls of the API: one server, one token, no redirects.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use reqwest::{ClientBuilder, Method, Response, StatusCode, Url};

use crate::args::Remote;
use crate::failure::{Exit, Failure};
use crate::problem::ApiProblem;
use crate::request::{Credential, Request};
use crate::terminal::tell;
use crate::transport;

/// Where the server is if nothing says otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:3000";
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer that is kept in memory.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// Random bytes of an idempotency key.
const IDEMPOTENCY_BYTES: usize = 16;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What the program around a command gives it. It is the place that reads the environment.
pub struct Context {
    /// The whole command line of the program, of which completions and man pages tell.
    pub program: clap::Command,
    /// The value of `LATCHKEY_TOKEN`: a service key, or a token of a sign-in.
    pub token: Option<String>,
    /// The HTTP client to be. It follows no redirects.
    pub http: ClientBuilder,
    /// Fills a buffer with random bytes from a CSPRNG.
    pub fill_random: fn(&mut [u8]),
}

/// A whole answer of the server.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    content_type: Option<HeaderValue>,
    /// Scheme, host and port that a redirect leads to.
    redirect: Option<String>,
}

/// The end of a request that must not take effect twice.
pub(crate) enum Sent {
    /// It took effect, or was refused.
    Answer(Answer),
    /// It had taken effect, but the answer was lost.
    Replayed {
        /// The key that it was about, if it was about one.
        key_id: Option<String>,
    },
}

/// The server that a command talks to.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    bearer: Option<HeaderValue>,
    fill_random: fn(&mut [u8]),
    json: bool,
}

impl Client {
    /// Prepares calls; nothing is sent yet.
    ///
    /// # Errors
    /// The URL or the token can't be used.
    pub(crate) fn new(remote: &Remote, context: Context) -> Result<Self, Failure> {
        let base = base_url(&remote.url)?;
        let mut http = context
            .http
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            // A proxy has another loopback, and must not be shown the token.
            http = http.no_proxy();
            if base.scheme() == "http" {
                // Reading the system's certificates takes longer than the call.
                http = http.tls_certs_only([]);
            }
        }
        let http = http.build().map_err(|error| {
            let cause = transport::cause(&error);
            Failure::failed(format!("Cannot prepare the HTTP client: {cause}"))
        })?;
        let bearer = context.token.as_deref().map(str::trim).filter(|token| !token.is_empty());
        let bearer = bearer.map(bearer_header).transpose()?;
        Ok(Self { http, base, bearer, fill_random: context.fill_random, json: remote.json })
    }

    /// Whether to print the API's bodies as they are.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    /// Whether there is a token.
    pub(crate) const fn has_token(&self) -> bool {
        self.bearer.is_some()
    }

    /// Reads from the API.
    ///
    /// # Errors
    /// The server refuses or can't be reached.
    pub(crate) async fn get(
        &self,
        path: &str,
        query: &[(&'static str, String)],
    ) -> Result<Answer, Failure> {
        self.send(&Request::new(Method::GET, path).query(query)).await
    }

    /// Sends a request that may be sent again without harm.
    ///
    /// # Errors
    /// The server refuses or can't be reached.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, Failure> {
        let answer = self.send_any(request).await?;
        self.accepted(answer)
    }

    /// The same for a caller who reads refusals too.
    ///
    /// # Errors
    /// The server can't be reached.
    pub(crate) async fn send_any(&self, request: &Request) -> Result<Answer, Failure> {
        self.check_token(request)?;
        let answer = self.attempt(request, None).await;
        answer.map_err(|error| transport::failure(&self.base, &error))
    }

    /// Sends a request that must not take effect twice, under a new idempotency key. If the
    /// connection is lost, it is sent once more.
    ///
    /// # Errors
    /// The server can't be reached.
    pub(crate) async fn send_once(&self, request: &Request) -> Result<Sent, Failure> {
        self.check_token(request)?;
        let mut random = [0; IDEMPOTENCY_BYTES];
        (self.fill_random)(&mut random);
        let key = HEXLOWER.encode(&random);
        let answer = match self.attempt(request, Some(&key)).await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() || error.is_builder() => {
                return Err(transport::failure(&self.base, &error));
            }
            Err(error) => {
                let cause = transport::cause(&error);
                tell(&format!("The connection was lost ({cause}). Sending the request again."));
                let again = self.attempt(request, Some(&key)).await;
                again.map_err(|error| transport::unsure(&self.base, &error))?
            }
        };
        Ok(match ApiProblem::parse(&answer.body) {
            Some(problem) if problem.code == "idempotency_replay" => {
                Sent::Replayed { key_id: problem.key_id }
            }
            _ => Sent::Answer(answer),
        })
    }

    /// Starts to read an answer that may be larger than the memory.
    ///
    /// # Errors
    /// The server refuses or can't be reached.
    pub(crate) async fn open(&self, request: &Request) -> Result<Response, Failure> {
        self.check_token(request)?;
        let lost = |error: reqwest::Error| transport::failure(&self.base, &error);
        let response = self.begin(request, None).await.map_err(lost)?;
        if response.status().is_success() && !is_web_page(response.headers().get(CONTENT_TYPE)) {
            return Ok(response);
        }
        let answer = self.whole(response).await.map_err(lost)?;
        Err(self.accepted(answer).err().unwrap_or_else(|| self.not_ours()))
    }

    /// The failure that a broken connection is.
    pub(crate) fn lost(&self, error: &reqwest::Error) -> Failure {
        transport::failure(&self.base, error)
    }

    /// The failure that an answer is which is not the API's.
    pub(crate) fn not_ours(&self) -> Failure {
        Failure::failed(format!(
            "{} does not answer as Latchkey's API does. Check LATCHKEY_URL.",
            self.base
        ))
    }

    /// The answer, if it is not a refusal.
    ///
    /// # Errors
    /// The server refuses, or it is not Latchkey that answered.
    pub(crate) fn accepted(&self, answer: Answer) -> Result<Answer, Failure> {
        let web_page = is_web_page(answer.content_type.as_ref());
        if answer.status.is_success() && !web_page {
            return Ok(answer);
        }
        Err(self.refusal(&answer))
    }

    /// The failure that a refusal is.
    pub(crate) fn refusal(&self, answer: &Answer) -> Failure {
        let (status, base) = (answer.status, &self.base);
        if status.is_redirection() {
            let target = answer.redirect.as_deref().unwrap_or("another address");
            return Failure::failed(format!(
                "{base} redirects to {target}, where the token is not sent. Set LATCHKEY_URL to \
                 the server's own address."
            ));
        }
        if let Some(problem) = ApiProblem::parse(&answer.body) {
            return problem.failure(status);
        }
        match status.as_u16() {
            502..=504 => Failure::new(
                Exit::Unreachable,
                format!("{base} answers {status}: the server behind it can't be reached."),
            ),
            400.. => Failure::failed(format!(
                "{base} answers {status}, but not as Latchkey's API does. Check LATCHKEY_URL."
            )),
            _ => self.not_ours(),
        }
    }

    /// A request without a token is refused here, in the words that help.
    fn check_token(&self, request: &Request) -> Result<(), Failure> {
        let missing = matches!(request.credential, Credential::Token) && self.bearer.is_none();
        if missing {
            return Err(Failure::new(
                Exit::NotAllowed,
                "There is no token. Set LATCHKEY_TOKEN to a service key or a token of a sign-in.",
            ));
        }
        Ok(())
    }

    async fn attempt(
        &self,
        request: &Request,
        idempotency_key: Option<&str>,
    ) -> Result<Answer, reqwest::Error> {
        let response = self.begin(request, idempotency_key).await?;
        self.whole(response).await
    }

    async fn begin(
        &self,
        request: &Request,
        idempotency_key: Option<&str>,
    ) -> Result<Response, reqwest::Error> {
        let mut call =
            self.http.request(request.method.clone(), self.url(request)).timeout(request.timeout);
        match &request.credential {
            Credential::Token => {
                if let Some(bearer) = &self.bearer {
                    call = call.header(AUTHORIZATION, bearer.clone());
                }
            }
            Credential::Key(key) => call = call.header(API_KEY, key.clone()),
        }
        for (name, value) in &request.headers {
            call = call.header(name.clone(), value.clone());
        }
        if let Some(key) = idempotency_key {
            call = call.header(IDEMPOTENCY_KEY, key);
        }
        if let Some(body) = request.body() {
            call = call.body(body);
        }
        call.send().await
    }

    /// The whole answer; of one that is too large to be ours, the start.
    async fn whole(&self, mut response: Response) -> Result<Answer, reqwest::Error> {
        let status = response.status();
        let content_type = response.headers().get(CONTENT_TYPE).cloned();
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let redirect = location
            .and_then(|location| self.base.join(location).ok())
            .map(|url| url.origin().ascii_serialization());
        let mut body = Vec::new();
        while body.len() <= LARGEST_ANSWER
            && let Some(chunk) = response.chunk().await?
        {
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body: body.into(), content_type, redirect })
    }

    fn url(&self, request: &Request) -> Url {
        let mut url = self.base.clone();
        let path = format!("{}{}", self.base.path().trim_end_matches('/'), request.path);
        url.set_path(&path);
        for (name, value) in &request.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        url
    }
}

/// The server's URL. What is wrong with it is said without repeating it: it may hold a password.
fn base_url(text: &str) -> Result<Url, Failure> {
    let text = text.trim();
    let text = if text.is_empty() { DEFAULT_URL } else { text };
    let wrong = |why: &str| Failure::usage(format!("LATCHKEY_URL {why}"));
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| wrong("is no address. Use https://host or http://host:port."))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("has a user or password in it. Put the token into LATCHKEY_TOKEN."));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or a fragment. Use the address alone."));
    }
    Ok(url)
}

fn bearer_header(token: &str) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut value = value.map_err(|_| {
        Failure::usage("LATCHKEY_TOKEN has characters that are in no token. Copy it again.")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn is_web_page(content_type: Option<&HeaderValue>) -> bool {
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_of_the_server_is_checked() {
        for (text, url) in [
            ("", "http://127.0.0.1:3000/"),
            (" https://keys.example/base/ ", "https://keys.example/base/"),
        ] {
            assert_eq!(base_url(text).unwrap().as_str(), url);
        }
        for text in
            ["localhost:3000", "keys.example", "ftp://x", "https://u:hunter2@x", "http://x?y"]
        {
            let refused = base_url(text).unwrap_err();
            assert_eq!(refused.exit, Exit::Usage, "{text}");
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn loopback_is_known_in_each_form() {
        for (url, expected) in [
            ("http://127.0.0.1:3000", true),
            ("http://localhost", true),
            ("http://[::1]:80", true),
            ("http://10.0.0.1", false),
            ("https://localhost.example", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn token_with_a_line_break_inside_is_refused() {
        assert!(bearer_header("abc").unwrap().is_sensitive());
        assert_eq!(bearer_header("a\nb").unwrap_err().exit, Exit::Usage);
    }
}
