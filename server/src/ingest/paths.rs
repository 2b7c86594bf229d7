//! The paths of telemetry endpoints, also with double slashes: clients produce those by joining a
//! base URL that ends in a slash with a path that starts with one.

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Where Langfuse's SDKs send traces.
pub(crate) const LANGFUSE_TRACES: &str = "/api/public/otel/v1/traces";

const PATHS: [&str; 6] =
    ["/ingest/traces", "/ingest/logs", "/v1/traces", "/v1/logs", "/v1/metrics", LANGFUSE_TRACES];

/// The address without double slashes, if it has some and is one of ours without them.
pub(crate) fn without_double_slashes(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if path.len() > 256 || !path.contains("//") {
        return None;
    }
    let mut single = String::with_capacity(path.len());
    single.extend(path.split('/').filter(|part| !part.is_empty()).flat_map(|part| ["/", part]));
    let ours = PATHS.iter().find(|known| **known == single)?;
    let mut parts = uri.clone().into_parts();
    // The query has no meaning here.
    parts.path_and_query = Some(PathAndQuery::from_static(ours));
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_telemetry_lose_their_double_slashes() {
        let long = format!("//{}ingest/traces", "/".repeat(300));
        for (path, expected) in [
            ("//ingest/traces", Some("/ingest/traces")),
            ("/ingest//logs", Some("/ingest/logs")),
            ("//v1//traces/", Some("/v1/traces")),
            ("//api/public/otel/v1/traces", Some("/api/public/otel/v1/traces")),
            ("/ingest/traces", None),
            ("//v1/keys/verify", None),
            ("//", None),
            (long.as_str(), None),
        ] {
            let uri = path.parse::<Uri>().unwrap();
            let normalized = without_double_slashes(&uri);
            assert_eq!(normalized.as_ref().map(Uri::path), expected, "{path}");
        }
    }
}
