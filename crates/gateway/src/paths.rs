//! Corrects paths that clients build in other ways: some append `/v1/…` to a base URL that
//! already ends in `/v1`, and some do not encode the `/` in the ID of a model.

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// The URI with one `/v1` instead of two, if it begins with two.
#[inline]
pub fn strip_repeated_v1(uri: &Uri) -> Option<Uri> {
    let once = uri.path_and_query()?.as_str().strip_prefix("/v1")?;
    if !once.starts_with("/v1/") {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(once.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

const MODELS: &str = "/v1/models/";

/// The URI of a model with each `/` in its ID encoded, if there is one.
#[inline]
pub fn encode_model_id(uri: &Uri) -> Option<Uri> {
    let id = uri.path().strip_prefix(MODELS).filter(|id| id.contains('/'))?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("{MODELS}{}{query}", id.replace('/', "%2F"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_v1_is_stripped_once() {
        for (sent, expected) in [
            ("/v1/v1/models", Some("/v1/models")),
            ("/v1/v1/keys?limit=1", Some("/v1/keys?limit=1")),
            ("http://127.0.0.1/v1/v1/models", Some("http://127.0.0.1/v1/models")),
            ("/v1/v1/v1/models", Some("/v1/v1/models")),
            ("/v1/models", None),
            ("/v1/v1", None),
            ("/v1/v10/models", None),
            ("/v1v1/models", None),
        ] {
            let stripped = strip_repeated_v1(&sent.parse().unwrap());
            assert_eq!(stripped.map(|uri| uri.to_string()).as_deref(), expected, "{sent}");
        }
    }

    #[test]
    fn slash_in_the_id_of_a_model_is_encoded() {
        for (sent, expected) in [
            ("/v1/models/a/b", Some("/v1/models/a%2Fb")),
            ("/v1/models/a/b/c?x=/", Some("/v1/models/a%2Fb%2Fc?x=/")),
            ("http://127.0.0.1/v1/models/a/b", Some("http://127.0.0.1/v1/models/a%2Fb")),
            ("/v1/models/a%2Fb", None),
            ("/v1/models/a", None),
            ("/v1/models", None),
            ("/v1/keys/a/b", None),
        ] {
            let encoded = encode_model_id(&sent.parse().unwrap());
            assert_eq!(encoded.map(|uri| uri.to_string()).as_deref(), expected, "{sent}");
        }
    }
}
