//! `POST /login/oauth/access_token`: a code for a token.

use axum::Json;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum_extra::TypedHeader;
use axum_extra::headers::Authorization;
use axum_extra::headers::authorization::Basic;
use serde::{Deserialize, Serialize};

use crate::github::{Endpoint, Redemption, Refusal};
use crate::shared::{CLIENT_ID, CLIENT_SECRET, Shared};

/// The form. What is missing is wrong in GitHub's own words, not in the parser's.
#[derive(Debug, Deserialize)]
pub(crate) struct Exchange {
    client_id: Option<String>,
    client_secret: Option<String>,
    #[serde(default)]
    code: String,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
}

/// GitHub answers 200 in either case.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Granted { access_token: String, token_type: &'static str, scope: String },
    Refused { error: &'static str, error_description: &'static str, error_uri: &'static str },
}

impl Answer {
    const fn refused(error: &'static str, error_description: &'static str) -> Self {
        let error_uri = "https://docs.github.com/apps/oauth-apps/troubleshooting";
        Self::Refused { error, error_description, error_uri }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BadCode => {
                Self::refused("bad_verification_code", "The code passed is incorrect or expired.")
            }
            Refusal::RedirectMismatch => Self::refused(
                "redirect_uri_mismatch",
                "The redirect_uri is not the one that the code was made for.",
            ),
        }
    }
}

pub(crate) async fn exchange(
    State(shared): State<Shared>,
    basic: Option<TypedHeader<Authorization<Basic>>>,
    headers: HeaderMap,
    Form(form): Form<Exchange>,
) -> Response {
    if let Err(fault) = shared.play_fault(Endpoint::Token).await {
        return fault;
    }
    let answer = if is_our_app(basic.as_deref(), &form) {
        redeem(&shared, &form)
    } else {
        Answer::refused(
            "incorrect_client_credentials",
            "The client_id and/or client_secret passed are incorrect.",
        )
    };
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("application/json")) {
        Json(answer).into_response()
    } else {
        Form(answer).into_response()
    }
}

fn is_our_app(basic: Option<&Authorization<Basic>>, form: &Exchange) -> bool {
    let (id, secret) = match basic {
        Some(basic) => (Some(basic.username()), Some(basic.password())),
        None => (form.client_id.as_deref(), form.client_secret.as_deref()),
    };
    (id, secret) == (Some(CLIENT_ID), Some(CLIENT_SECRET))
}

fn redeem(shared: &Shared, form: &Exchange) -> Answer {
    let redemption = Redemption {
        code: &form.code,
        redirect_uri: form.redirect_uri.as_deref(),
        verifier: form.code_verifier.as_deref(),
        now: Shared::now(),
    };
    match shared.lock().redeem(redemption) {
        // GitHub lists granted scopes with commas, whatever they were asked for with.
        Ok((access_token, scope)) => {
            Answer::Granted { access_token, token_type: "bearer", scope: scope.replace(' ', ",") }
        }
        Err(refusal) => refusal.into(),
    }
}
