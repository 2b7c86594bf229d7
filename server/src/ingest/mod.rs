//! `/ingest/…`: what applications send in with `x-api-key`, in the form of Upblit's SDKs.

mod logs;
mod traces;

pub(crate) use logs::{__path_logs, logs};
pub(crate) use traces::{__path_traces, traces};

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use latchkey_domain::key::KeyKind;
use latchkey_services::check::{self, Call};
use latchkey_services::telemetry::Source;

use crate::http::client::ClientIp;
use crate::http::extract::no_such_id;
use crate::http::problem::{Refusal, denied};
use crate::state::AppState;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const APPLICATION: HeaderName = HeaderName::from_static("x-application-id");

/// The application that the call's key writes to. Put it before the body: without a good key, none is read.
pub(crate) struct KeySource(pub(crate) Source);

impl FromRequestParts<AppState> for KeySource {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let ClientIp(ip) = match ClientIp::from_request_parts(parts, state).await {
            Ok(ip) => ip,
            Err(never) => match never {},
        };
        let header = |name| parts.headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let application = match header(APPLICATION) {
            Some(text) => Some(text.parse().map_err(|_| no_such_id().into_response())?),
            None => None,
        };
        let call = Call { kind: KeyKind::Api, application, ip };
        let key = check::check(&state.services, header(API_KEY), call).await.map_err(denied)?;
        let source = Source::of(key).map_err(|error| Refusal::from(error).into_response())?;
        Ok(Self(source))
    }
}
