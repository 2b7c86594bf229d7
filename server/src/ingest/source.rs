//! The application that a telemetry call writes to. It is found by the key, which each kind of
//! client sends in another way.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use data_encoding::BASE64;
use latchkey_checker::CheckRequest;
use latchkey_domain::key::KeyKind;
use latchkey_services::Services;
use latchkey_services::telemetry::Source;

use crate::http::auth::{api_key, presented_key};
use crate::http::client::ClientIp;
use crate::http::extract::no_such_id;
use crate::http::limits;
use crate::http::presented::AuthenticatedCaller;
use crate::http::problem::Refusal;
use crate::state::AppState;

const APPLICATION: HeaderName = HeaderName::from_static("x-application-id");

/// The application that the call's key writes to. Place it before the body: without a valid key, no
/// body is read.
pub(crate) struct KeySource(pub(crate) Source);

impl FromRequestParts<AppState> for KeySource {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refusal> {
        source(parts, state, |parts, _| Ok(sdk_key(parts))).await.map(Self)
    }
}

fn sdk_key(parts: &Parts) -> Option<Cow<'_, str>> {
    api_key(&parts.headers).map(Cow::Borrowed)
}

/// The same for OpenTelemetry exporters, which may also send the key as a bearer token.
pub(crate) struct ExporterSource(pub(crate) Source);

impl FromRequestParts<AppState> for ExporterSource {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refusal> {
        source(parts, state, exporter_key).await.map(Self)
    }
}

fn exporter_key<'a>(
    parts: &'a Parts,
    services: &Services,
) -> Result<Option<Cow<'a, str>>, Refusal> {
    Ok(presented_key(&parts.headers, services)?.map(Cow::Borrowed))
}

/// The same for Langfuse's SDKs, which send their two keys as username and password. The password
/// is our key; the username is ignored.
pub(crate) struct LangfuseSource(pub(crate) Source);

impl FromRequestParts<AppState> for LangfuseSource {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refusal> {
        source(parts, state, langfuse_key).await.map(Self)
    }
}

fn langfuse_key<'a>(
    parts: &'a Parts,
    services: &Services,
) -> Result<Option<Cow<'a, str>>, Refusal> {
    match password(parts) {
        Some(password) => Ok(Some(password)),
        None => exporter_key(parts, services),
    }
}

/// The password of `Authorization: Basic`; empty if it is malformed.
fn password(parts: &Parts) -> Option<Cow<'_, str>> {
    let (scheme, credentials) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| {
        let decoded = BASE64.decode(credentials.trim().as_bytes()).ok();
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let password = text.and_then(|text| Some(text.split_once(':')?.1.to_owned()));
        password.unwrap_or_default().into()
    })
}

/// How a kind of client sends the key.
type ReadKey = for<'a> fn(&'a Parts, &Services) -> Result<Option<Cow<'a, str>>, Refusal>;

async fn source(parts: &mut Parts, state: &AppState, key: ReadKey) -> Result<Source, Refusal> {
    let ClientIp(ip) = match ClientIp::from_request_parts(parts, state).await {
        Ok(ip) => ip,
        Err(never) => match never {},
    };
    let application = match header(parts, APPLICATION) {
        Some(text) => Some(text.parse().map_err(|_| no_such_id())?),
        None => None,
    };
    let call =
        CheckRequest { kind: Some(KeyKind::Api), application, ip, ..CheckRequest::default() };
    let checked = state.services.checker.check(key(parts, &state.services)?.as_deref(), call).await;
    let admission = match checked.map_err(latchkey_services::Error::from) {
        Ok(admission) => admission,
        Err(error) => {
            limits::refused(parts, &error);
            return Err(error.into());
        }
    };
    limits::admitted(parts, admission.limits);
    latchkey_listener::assign_to_caller(&parts.extensions, admission.key.organization.into());
    let presented =
        AuthenticatedCaller::key(&state.services, &admission.key, &admission.seen, call);
    parts.extensions.insert(presented);
    Ok(Source::of(&state.services, admission.key, application).await?)
}

/// A header's text; empty if it is not ASCII.
fn header(parts: &Parts, name: HeaderName) -> Option<&str> {
    parts.headers.get(name).map(|value| value.to_str().unwrap_or_default())
}
