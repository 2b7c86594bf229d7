//! `Idempotency-Key`: 1 to 255 visible characters, for creates and rotations.

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::request::Parts;
use latchkey_domain::problem::Problem;
use latchkey_services::keys::Idempotency;
use serde::Serialize;

use super::problem::Refusal;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_CHARACTERS: usize = 255;

/// The key of a request, if it has one, and the path that it is for.
pub(crate) struct IdempotencyKey(Option<(String, String)>);

impl IdempotencyKey {
    /// The idempotency key together with the parsed body.
    pub(crate) fn of(self, request: &impl Serialize) -> Option<Idempotency> {
        self.0.map(|(key, path)| Idempotency::new(key, path, request))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let fits = (1..=MAX_CHARACTERS).contains(&value.len())
            && value.as_bytes().iter().all(u8::is_ascii_graphic)
            && values.next().is_none();
        let key = value.to_str().ok().filter(|_| fits);
        let key = key.ok_or_else(|| {
            Problem::invalid(
                "Idempotency-Key",
                "Send one key of 1 to 255 visible ASCII \
                                                 characters.",
            )
        })?;
        let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
        Ok(Self(Some((key.to_owned(), path))))
    }
}
