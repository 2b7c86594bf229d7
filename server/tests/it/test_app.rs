//! What a test stands on: a server on a real port, over a database of its own, with a clock that
//! only the test moves and a GitHub that only the test asks.

mod database;
mod keys;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use github_stand_in::{Person, StandIn};
use latchkey_checker::{AnswerCap, Denial, ReservationRequest, TokenEstimate};
use latchkey_domain::time::Timestamp;
use latchkey_server::config::Config;
use latchkey_server::system::SystemRandom;
use latchkey_server::{AppState, HttpService, connections, http_client};
use latchkey_services::clock::ManualClock;
use latchkey_services::{Database, Services};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode};
use sea_orm::DatabaseConnection;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use database::{count_rows, new_postgres_database, query_value};
pub(crate) use keys::{outcome_of, unknown_key};

/// Runs each test on both databases.
macro_rules! on_both_databases {
    ($(async fn $name:ident($app:ident: TestApp) $body:block)*) => {$(
        async fn $name($app: $crate::test_app::TestApp) $body

        mod $name {
            use $crate::test_app::{Backend, TestApp};

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$name(TestApp::on(Backend::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                super::$name(TestApp::on(Backend::Postgres).await).await;
            }
        }
    )*};
}
pub(crate) use on_both_databases;

/// Which database a test runs on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// A running server and what is around it.
pub(crate) struct TestApp {
    pub(crate) services: Services,
    pub(crate) state: AppState,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) config: Config,
    pub(crate) github: StandIn,
    pub(crate) base: String,
    pub(crate) http: Client,
    // Deleted when the test ends.
    pub(crate) folder: TempDir,
}

/// A person who is signed in.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) jwt: String,
    pub(crate) refresh_token: String,
    pub(crate) organization: String,
    pub(crate) project: String,
    pub(crate) application: String,
}

/// Applies other nodes' invalidations until it is aborted, as a server does.
pub(crate) fn keep_in_sync(services: &Services) -> tokio::task::AbortHandle {
    let services = services.clone();
    tokio::spawn(async move { services.checker.keep_in_sync().await }).abort_handle()
}

/// A builder for a client as a server's own, but without root certificates: reading them takes
/// time, and no server of a test has a certificate that they would vouch for.
pub(crate) fn client_builder() -> ClientBuilder {
    http_client().tls_certs_only([])
}

/// What makes an app's server one without GitHub.
pub(crate) const LOCAL: [&str; 2] =
    ["--latchkey-github-client-id=", "--latchkey-github-client-secret="];
/// The code of local sign-in.
pub(crate) const LOCAL_CODE: &str = "the code";

pub(crate) const START: i64 = 1_795_000_000_000;

impl TestApp {
    pub(crate) async fn on(backend: Backend) -> Self {
        Self::with(backend, &[]).await
    }

    /// An app whose server has other settings too.
    pub(crate) async fn with(backend: Backend, arguments: &[&str]) -> Self {
        let (url, folder) = database::migrated(backend).await;
        Self::over(folder, &url, arguments).await
    }

    /// An app on a database of the test's own.
    pub(crate) async fn at(url: &str) -> Self {
        Self::over(tempfile::tempdir().unwrap(), url, &[]).await
    }

    async fn over(folder: TempDir, url: &str, arguments: &[&str]) -> Self {
        let github = github_stand_in::start().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = settings::config(address, &folder, &github, url, arguments);
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(START)));
        let database = Database::open(url).await.unwrap();
        let services = Services::start(
            database,
            config.services.clone(),
            Arc::clone(&clock) as Arc<_>,
            Arc::new(SystemRandom),
        );
        let services = services.await.unwrap();
        keep_in_sync(&services);
        let state = AppState::new(services.clone(), config.clone()).unwrap();
        let service = HttpService::new(state.clone());
        tokio::spawn(connections::serve(listener, service, std::future::pending()));
        let http = client_builder().build().unwrap();
        let base = format!("http://{address}");
        Self { services, state, clock, config, github, base, http, folder }
    }

    /// A second node on the same database, by the same clock.
    pub(crate) async fn second_node(&self) -> Services {
        let database = Database::open(&self.config.database_url).await.unwrap();
        let services = self.node(database).await;
        keep_in_sync(&services);
        services
    }

    /// The services over a database, on which nobody listens yet.
    pub(crate) async fn node(&self, database: Database) -> Services {
        self.node_by(database, Arc::clone(&self.clock)).await
    }

    /// The same by a clock of its own.
    pub(crate) async fn node_by(&self, database: Database, clock: Arc<ManualClock>) -> Services {
        let settings = self.config.services.clone();
        Services::start(database, settings, clock, Arc::new(SystemRandom)).await.unwrap()
    }

    /// Serves over HTTP what a node's services do; its base URL.
    pub(crate) async fn serve(&self, services: Services) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = AppState::new(services, self.config.clone()).unwrap();
        tokio::spawn(connections::serve(listener, HttpService::new(state), std::future::pending()));
        format!("http://{address}")
    }

    /// Telemetry and usage, past the server.
    pub(crate) async fn telemetry(&self) -> DatabaseConnection {
        sea_orm::Database::connect(telemetry_url(&self.config.database_url)).await.unwrap()
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.base))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.base))
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.http.delete(format!("{}{path}", self.base))
    }

    /// Goes to GitHub and comes back; returns the callback's URL and the browser's cookie.
    pub(crate) async fn visit_github(&self, login: &str, next: &str) -> (String, String) {
        self.github.set_person(person(login));
        self.visit_github_as(login, next).await
    }

    /// The same as a user that GitHub knows already.
    pub(crate) async fn visit_github_as(&self, login: &str, next: &str) -> (String, String) {
        self.github.sign_in_next(login).unwrap();
        let begun =
            self.get(&format!("/oauth2/authorization/github?next={next}")).send().await.unwrap();
        assert_eq!(begun.status(), StatusCode::FOUND);
        let cookie = sign_in_cookie(&begun).expect("a cookie binds the state");
        let at_github = self.http.get(location(&begun)).send().await.unwrap();
        assert_eq!(at_github.status(), StatusCode::FOUND, "the stand-in signs in at once");
        (location(&at_github), cookie)
    }

    /// Signs a person in through GitHub, as a browser would.
    pub(crate) async fn sign_in(&self, login: &str) -> Session {
        let (callback, cookie) = self.visit_github(login, "/").await;
        let finished = self.http.get(callback).header(COOKIE, cookie).send().await.unwrap();
        assert_eq!(finished.status(), StatusCode::FOUND);
        let refresh_token = refresh_cookie(&finished).expect("the refresh token comes as a cookie");
        let tokens = self.refresh(&refresh_token).await;
        let tokens: Value = tokens.json().await.unwrap();
        let jwt = text(&tokens["token"]);
        let refresh_token = text(&tokens["refreshToken"]);
        let me = self.json("/v1/me", &jwt).await;
        let own = me["organizations"].as_array().unwrap().iter().find(|one| one["role"] == "owner");
        let organization = text(&own.unwrap()["id"]);
        let projects = self.json(&format!("/v1/organizations/{organization}/projects"), &jwt).await;
        let project = text(&projects["data"][0]["id"]);
        let applications = self.json(&format!("/v1/projects/{project}/applications"), &jwt).await;
        let application = text(&applications["data"][0]["id"]);
        Session { jwt, refresh_token, organization, project, application }
    }

    pub(crate) async fn refresh(&self, token: &str) -> Response {
        let body = serde_json::json!({ "refreshToken": token });
        self.post("/refresh").json(&body).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str, jwt: &str) -> Value {
        let response = self.get(path).bearer_auth(jwt).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    /// Generates a key of the person's application.
    pub(crate) async fn generate(&self, who: &Session) -> String {
        // Ids order by the millisecond.
        self.advance(Duration::from_millis(1));
        let path = format!("/apikey?ApplicationId={}", who.application);
        let response = self.post(&path).bearer_auth(&who.jwt).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }

    /// Sends a request with a body, if there is one.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        who: &Session,
        body: &Value,
    ) -> Response {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = request.bearer_auth(&who.jwt);
        let request = if body.is_null() { request } else { request.json(body) };
        request.send().await.unwrap()
    }

    /// Tries to make a key in the person's project.
    pub(crate) async fn try_create(&self, who: &Session, body: &Value) -> Response {
        let path = format!("/v1/projects/{}/keys", who.project);
        self.send(Method::POST, &path, who, body).await
    }

    /// Makes a key in the person's project; `key` and `api_key`.
    pub(crate) async fn create(&self, who: &Session, body: &Value) -> Value {
        let response = self.try_create(who, body).await;
        let (status, answer) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// Signs a person in whose organization is on the Pro tier.
    pub(crate) async fn pro(&self, login: &str) -> Session {
        let who = self.sign_in(login).await;
        self.set_tier(&who, "pro").await;
        who
    }

    /// Invites somebody to a person's organization.
    pub(crate) async fn invite(&self, who: &Session, login: &str, role: &str) -> Response {
        let path = format!("/v1/organizations/{}/members", who.organization);
        let body = serde_json::json!({ "login": login, "role": role });
        self.send(Method::POST, &path, who, &body).await
    }

    /// Lets somebody into a person's organization; their session is about its project.
    pub(crate) async fn join(&self, owner: &Session, login: &str, role: &str) -> Session {
        let invited = self.invite(owner, login, role).await;
        assert_eq!(invited.status(), StatusCode::CREATED);
        let Session { jwt, refresh_token, .. } = self.sign_in(login).await;
        let member = Session { jwt, refresh_token, ..owner.clone() };
        assert_eq!(self.answer(&member, "accept").await.status(), StatusCode::NO_CONTENT);
        member
    }

    /// Answers the invitation to the organization that a session is about: `accept` or `decline`.
    pub(crate) async fn answer(&self, who: &Session, answer: &str) -> Response {
        let path = format!("/v1/me/invitations/{}/{answer}", who.organization);
        self.send(Method::POST, &path, who, &Value::Null).await
    }

    /// Puts a person's organization on a tier.
    pub(crate) async fn set_tier(&self, who: &Session, tier: &str) {
        let root = self.sign_in("root").await;
        let path = format!("/v1/organizations/{}", who.organization);
        let body = serde_json::json!({ "tier": tier });
        let changed = self.send(Method::PATCH, &path, &root, &body).await;
        assert_eq!(changed.status(), StatusCode::OK);
    }

    /// The keys of the person's application, as they are listed.
    pub(crate) async fn keys(&self, who: &Session) -> Vec<Value> {
        let list = self.json(&format!("/apikey?ApplicationId={}", who.application), &who.jwt).await;
        list["data"].as_array().unwrap().clone()
    }

    pub(crate) async fn revoke(&self, who: &Session, key: &str) -> Response {
        self.delete(&format!("/apikey/{key}")).bearer_auth(&who.jwt).send().await.unwrap()
    }

    /// Verifies a key as this person; the answer.
    pub(crate) async fn verify(&self, who: &Session, body: Value) -> Value {
        let response = self.send(Method::POST, "/v1/keys/verify", who, &body).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }

    /// Sends one good trace with a key.
    pub(crate) async fn ingest(&self, key: &str) -> Response {
        self.post("/ingest/traces").header("x-api-key", key).json(&traces(1)).send().await.unwrap()
    }
}

/// The path of a key that was created.
pub(crate) fn key_path(created: &Value) -> String {
    format!("/v1/keys/{}", text(&created["api_key"]["id"]))
}

/// Where telemetry and usage of a database are.
pub(crate) fn telemetry_url(database_url: &str) -> String {
    database_url.replace("latchkey.db", "latchkey-telemetry.db")
}

/// A batch of good traces.
pub(crate) fn traces(count: usize) -> Value {
    let item = |index: usize| {
        serde_json::json!({
            "timestamp": Timestamp::from_millis(START + i64::try_from(index).unwrap()),
            "requestMethod": "GET",
            "requestURL": format!("/orders/{index}"),
            "responseStatus": 200,
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
            "spanId": "00f067aa0ba902b7",
            "parentSpanId": null,
            "durationMs": 12.5,
        })
    };
    let items: Vec<Value> = (0..count).map(item).collect();
    serde_json::json!({ "timestamp": Timestamp::from_millis(START), "traces": items })
}

/// Checks status, code and media type of a refusal, and returns it.
pub(crate) async fn problem(response: Response, status: u16, code: &str) -> Value {
    let headers = response.headers().clone();
    let got = response.status().as_u16();
    let body = response.text().await.unwrap();
    assert_eq!(got, status, "{body}");
    assert_eq!(headers["content-type"], "application/problem+json");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["status"], status);
    assert_eq!(body["request_id"], headers["x-request-id"].to_str().unwrap());
    assert!(!text(&body["detail"]).is_empty());
    if status == 401 {
        assert!(headers.contains_key("www-authenticate"));
    }
    body
}

/// Why a check denied a call.
pub(crate) fn denial(error: latchkey_checker::Error) -> Denial {
    let latchkey_checker::Error::Denied(denial) = error else { panic!("no denial: {error}") };
    *denial
}

/// The value of a cookie that a response sets, as a `Cookie` header has it.
pub(crate) fn cookie_of(response: &Response, name: &str) -> Option<String> {
    set_cookie(response, name).and_then(|cookie| cookie.split(';').next().map(str::to_owned))
}

/// The whole `Set-Cookie` of that name.
pub(crate) fn set_cookie(response: &Response, name: &str) -> Option<String> {
    let cookies = response.headers().get_all(SET_COOKIE).iter();
    let mut cookies = cookies.map(|value| value.to_str().unwrap().to_owned());
    cookies.find(|cookie| cookie.starts_with(&format!("{name}=")))
}

/// The cookie of a sign-in that a response begins, as a `Cookie` header has it. Its name ends as
/// its state begins.
pub(crate) fn sign_in_cookie(response: &Response) -> Option<String> {
    let cookies = response.headers().get_all(SET_COOKIE).iter();
    let mut cookies = cookies.map(|value| value.to_str().unwrap().split(';').next().unwrap());
    let begun = |cookie: &&str| {
        let name = cookie.trim_start_matches("__Host-");
        name.starts_with("latchkey_sign_in_") && !name.ends_with('=')
    };
    cookies.find(begun).map(str::to_owned)
}

pub(crate) fn refresh_cookie(response: &Response) -> Option<String> {
    let cookie = cookie_of(response, "latchkey_refresh")?;
    cookie.split_once('=').map(|(_, token)| token.to_owned())
}

pub(crate) fn location(response: &Response) -> String {
    response.headers()[LOCATION].to_str().unwrap().to_owned()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

pub(crate) fn person(login: &str) -> Person {
    let id = login.bytes().fold(7_u32, |id, byte| id.wrapping_mul(31).wrapping_add(byte.into()));
    Person {
        id: id.into(),
        login: login.to_owned(),
        name: Some(format!("{login} the person")),
        email: None,
    }
}

/// What a call needs whose prompt has so many tokens and whose answer may have so many.
pub(crate) fn token_estimate(prompt: u64, answer: u64) -> ReservationRequest<'static> {
    let [prompt, answer] = [prompt, answer].map(|tokens| u32::try_from(tokens).unwrap());
    let estimate = TokenEstimate {
        prompt_estimate: prompt,
        prompt_bound: prompt,
        answers: u32::from(answer > 0),
        least_answer: 1,
        answer: AnswerCap::Client(answer),
    };
    ReservationRequest { estimate, exact_count: None, price: None }
}
