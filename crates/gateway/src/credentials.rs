//! Reads the key from a request's headers.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use latchkey_domain::credentials;

use super::api_format::ApiFormat;
use super::error::GatewayError;

/// The key in `Authorization: Bearer`; for Anthropic's clients the one in `x-api-key` counts as
/// well. Other clients send there a second credential, which is used only if it alone has the
/// format of our keys; of two others, the one that is no JWT or else looks like an imported key.
///
/// # Errors
/// 400: both headers contain keys of ours, and they differ.
pub(super) fn presented_key(
    headers: &HeaderMap,
    format: ApiFormat,
    is_imported: impl Fn(&str) -> bool,
) -> Result<Option<&str>, GatewayError> {
    let token = bearer(headers);
    if token.is_none() && format == ApiFormat::OpenAi {
        return Ok(None);
    }
    let other = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    credentials::counting_imported(token, other, is_imported)
        .map_err(|two| GatewayError::new(StatusCode::BAD_REQUEST, "malformed", two.to_string()))
}

/// The token in the `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    credentials::bearer(headers.get(AUTHORIZATION)?.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "lk_live_000000000000000000000000000000004cjNQE";

    fn key(format: ApiFormat, headers: &[(&'static str, &str)]) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| {
            (axum::http::HeaderName::from_static(name), value.parse().unwrap())
        });
        presented_key(&headers.collect(), format, |_| false).unwrap().map(str::to_owned)
    }

    #[test]
    fn key_of_anthropics_clients_may_be_in_either_header() {
        let of_ours = Some(KEY.to_owned());
        let (bearer, other) = (format!("Bearer {KEY}"), "sk-ant-other");
        let both = [("authorization", bearer.as_str()), ("x-api-key", other)];
        for format in [ApiFormat::OpenAi, ApiFormat::Anthropic] {
            assert_eq!(key(format, &both), of_ours);
            assert_eq!(key(format, &both[..1]), of_ours);
            let swapped = [("authorization", "Bearer sk-ant-other"), ("x-api-key", KEY)];
            assert_eq!(key(format, &swapped), of_ours);
            assert_eq!(key(format, &[]), None);
        }
        assert_eq!(key(ApiFormat::Anthropic, &[("x-api-key", KEY)]), of_ours);
        assert_eq!(key(ApiFormat::OpenAi, &[("x-api-key", KEY)]), None);
    }
}
