//! `/ingest/…`: what applications send in with `x-api-key`, in the form of Upblit's SDKs.

mod logs;
mod traces;

pub(crate) use logs::{__path_logs, logs};
pub(crate) use traces::{__path_traces, traces};

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::request::Parts;
use latchkey_domain::key::KeyKind;
use latchkey_services::check::{self, Call};
use latchkey_services::telemetry::Source;

use crate::http::client::ClientIp;
use crate::http::extract::no_such_id;
use crate::http::limits;
use crate::http::problem::Refusal;
use crate::state::AppState;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const APPLICATION: HeaderName = HeaderName::from_static("x-application-id");

/// The application that the call's key writes to. Put it before the body: without a good key, none is read.
pub(crate) struct KeySource(pub(crate) Source);

impl FromRequestParts<AppState> for KeySource {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refusal> {
        let ClientIp(ip) = match ClientIp::from_request_parts(parts, state).await {
            Ok(ip) => ip,
            Err(never) => match never {},
        };
        let header = |name| parts.headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let application = match header(APPLICATION) {
            Some(text) => Some(text.parse().map_err(|_| no_such_id())?),
            None => None,
        };
        let call = Call { kind: Some(KeyKind::Api), application, ip, ..Call::default() };
        let checked = check::check(&state.services, header(API_KEY), call).await;
        let admission = match checked {
            Ok(admission) => admission,
            Err(denial) => {
                limits::denied(parts, &denial);
                return Err(denial.into());
            }
        };
        limits::admitted(parts, admission.limits);
        Ok(Self(Source::of(&state.services, admission.key, application).await?))
    }
}
