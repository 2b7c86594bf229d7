//! What a test orders over HTTP, in JSON:
//!
//! | request | does |
//! |---|---|
//! | `GET /__control/people` | lists the people |
//! | `PUT /__control/people` `[{"id", "login", "name", "email"}]` | replaces them all |
//! | `POST /__control/people` `{"id", "login", "name", "email"}` | adds one, or replaces the one with this id |
//! | `PUT /__control/next` `{"login": "…"}` | lets this person through at the next authorization; 404 if unknown |
//! | `PUT /__control/next` `{"cancel": true}` | cancels the next authorization; `false` takes back either order |
//! | `POST /__control/faults` `{"at": "token" \| "user", "status": 502, "delay_ms": 0}` | fails or delays the next request |
//! | `DELETE /__control` | forgets everything: people, tokens, orders |

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::Deserialize;

use crate::github::{Endpoint, Fault, GitHub, Person, Visit};
use crate::shared::Shared;

pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .route("/", delete(reset))
        .route("/people", get(people).put(set_people).post(set_person))
        .route("/next", put(next))
        .route("/faults", post(fail))
}

/// Who signs in next: somebody, or nobody.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Next {
    Login { login: String },
    Cancel { cancel: bool },
}

/// A fault and where it happens.
#[derive(Debug, Deserialize)]
struct FaultAt {
    at: Endpoint,
    #[serde(flatten)]
    fault: Fault,
}

async fn reset(State(shared): State<Shared>) -> StatusCode {
    *shared.lock() = GitHub::default();
    StatusCode::NO_CONTENT
}

async fn people(State(shared): State<Shared>) -> Json<Vec<Person>> {
    Json(shared.lock().people().to_vec())
}

async fn set_people(State(shared): State<Shared>, Json(people): Json<Vec<Person>>) -> StatusCode {
    shared.lock().set_people(people);
    StatusCode::NO_CONTENT
}

async fn set_person(State(shared): State<Shared>, Json(person): Json<Person>) -> StatusCode {
    shared.lock().set_person(person);
    StatusCode::NO_CONTENT
}

async fn next(State(shared): State<Shared>, Json(next): Json<Next>) -> StatusCode {
    let mut github = shared.lock();
    let known = match next {
        Next::Login { login } => github.visit_next(Visit::SignIn(login)),
        Next::Cancel { cancel: true } => github.visit_next(Visit::Cancel),
        Next::Cancel { cancel: false } => {
            github.take_visit();
            Ok(())
        }
    };
    if known.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn fail(State(shared): State<Shared>, Json(order): Json<FaultAt>) -> StatusCode {
    shared.lock().fail_next(order.at, order.fault);
    StatusCode::NO_CONTENT
}
