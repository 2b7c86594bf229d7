//! A stand-in for GitHub: its OAuth web flow and its user endpoint, over real HTTP.
//!
//! Sign-in can't be tested against github.com, and a mock inside the server would leave out what
//! breaks in practice: redirects, cookies across sites, form bodies, and errors that come with
//! status 200. So this server answers as GitHub Enterprise does, with the API under `/api/v3`, and
//! is used twice: by the server's integration tests as a library, and by the browser tests as a
//! program.
//!
//! What GitHub does not have stands under `/__control`, see [`control`].

mod authorize;
pub mod control;
mod github;
mod shared;
mod token;
mod user;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use github::Visit;
pub use github::{Endpoint, Fault, Person, UnknownPerson};
use shared::Shared;
pub use shared::{CLIENT_ID, CLIENT_SECRET};

/// A running stand-in. It stops when this is dropped.
pub struct StandIn {
    /// Where it listens, e.g. `http://127.0.0.1:40123`: the `LATCHKEY_GITHUB_URL` of the server
    /// under test.
    pub base_url: String,
    shared: Shared,
    // Dropping the sender is what ends the server.
    _running: oneshot::Sender<()>,
}

/// Starts a stand-in on a free loopback port.
///
/// # Panics
/// If no port can be bound: a test can't go on without it.
pub async fn start() -> StandIn {
    start_on(0).await.expect("a loopback port can be bound")
}

/// Starts a stand-in on this loopback port; 0 takes a free one.
///
/// # Errors
/// The port can't be bound.
pub async fn start_on(port: u16) -> io::Result<StandIn> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let shared = Shared::new(base_url.clone());
    let (running, ended) = oneshot::channel::<()>();
    let server = axum::serve(listener, router(shared.clone())).with_graceful_shutdown(async {
        // An error means that the sender was dropped, which is the signal.
        let _ = ended.await;
    });
    tokio::spawn(server.into_future());
    Ok(StandIn { base_url, shared, _running: running })
}

impl StandIn {
    /// The base of the REST API: the `LATCHKEY_GITHUB_API_URL` of the server under test.
    pub fn api_url(&self) -> String {
        format!("{}/api/v3", self.base_url)
    }

    /// Adds a person, or replaces the one with the same id (people may change their login and
    /// name).
    pub fn set_person(&self, person: Person) {
        self.shared.lock().set_person(person);
    }

    /// Lets this person through at the next authorization, without showing them a page.
    ///
    /// # Errors
    /// Nobody has this login.
    pub fn sign_in_next(&self, login: &str) -> Result<(), UnknownPerson> {
        self.shared.lock().visit_next(Visit::SignIn(login.to_owned()))
    }

    /// Cancels the next authorization, as a person does who changes their mind.
    pub fn cancel_next(&self) {
        // Only a sign-in can name somebody unknown.
        let _ = self.shared.lock().visit_next(Visit::Cancel);
    }

    /// Makes the next request to an endpoint fail or wait. Faults of one endpoint queue up.
    pub fn fail_next(&self, endpoint: Endpoint, fault: Fault) {
        self.shared.lock().fail_next(endpoint, fault);
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/login/oauth/authorize", get(authorize::authorize))
        .route("/login/oauth/access_token", post(token::exchange))
        .route("/api/v3/user", get(user::current))
        .route("/avatars/u/{id}", get(user::avatar))
        .nest("/__control", control::router())
        .with_state(shared)
}
