//! The headers of a request that go on to the upstream, and those of its answer that go back.
//!
//! Nothing else passes in either direction: neither credentials nor cookies, and no encoding that
//! the gateway could not read. Clients send a session in one of several headers; upstreams use it
//! for their caches, and it is not logged.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use latchkey_domain::secret::{MalformedSecret, PresentedKey};

/// Versions and variants of the API, ids of the request and of its session.
const TO_UPSTREAM: [&str; 12] = [
    "anthropic-version",
    "anthropic-beta",
    "openai-beta",
    "x-client-request-id",
    "x-codex-turn-state",
    "x-codex-turn-metadata",
    "x-codex-window-id",
    "session-id",
    "session_id",
    "thread-id",
    "x-session-affinity",
    "x-claude-code-session-id",
];

/// What a client sends again with its next request.
const TO_CLIENT: HeaderName = HeaderName::from_static("x-codex-turn-state");

/// The headers of one request that its upstream gets.
#[derive(Debug, Clone, Default)]
pub(super) struct PassedHeaders(Vec<(HeaderName, HeaderValue)>);

impl PassedHeaders {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        // Most clients send none of them. To look up each would take longer than to see that.
        if !headers.keys().any(|name| TO_UPSTREAM.contains(&name.as_str())) {
            return Self::default();
        }
        let all = TO_UPSTREAM.into_iter().flat_map(move |name| {
            let values = headers.get_all(name).into_iter().filter(|value| !is_key(value));
            values.map(move |value| (HeaderName::from_static(name), value.clone()))
        });
        Self(all.collect())
    }

    /// Adds those by which the upstream goes on with a trace of ours.
    pub(super) fn add_trace(&mut self, headers: Vec<(HeaderName, HeaderValue)>) {
        self.0.extend(headers);
    }

    /// Adds them to the upstream's request.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.append(name, value.clone());
        }
    }
}

/// A key of ours in the wrong header does not leave the server.
fn is_key(value: &HeaderValue) -> bool {
    let is_ours = |text| !matches!(PresentedKey::parse(text), Err(MalformedSecret::Form));
    value.to_str().is_ok_and(is_ours)
}

/// The header of an upstream's answer that its client gets, besides the content type.
pub(super) fn returned(headers: &HeaderMap) -> Option<(HeaderName, HeaderValue)> {
    Some((TO_CLIENT, headers.get(TO_CLIENT)?.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_known_headers_go_to_the_upstream() {
        let sent = headers(&[
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "a"),
            ("anthropic-beta", "b,c"),
            ("x-client-request-id", "7"),
            ("session-id", "lk_live_000000000000000000000000000000004cjNQE"),
            ("authorization", "Bearer x"),
            ("x-api-key", "x"),
            ("cookie", "a=b"),
            ("accept-encoding", "zstd"),
            ("x-request-id", "7"),
            ("user-agent", "x"),
        ]);
        let mut passed = HeaderMap::new();
        PassedHeaders::of(&sent).write(&mut passed);
        let wanted = headers(&[
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "a"),
            ("anthropic-beta", "b,c"),
            ("x-client-request-id", "7"),
        ]);
        assert_eq!(passed, wanted);
    }

    #[test]
    fn each_known_header_passes_alone() {
        for name in TO_UPSTREAM {
            let sent = headers(&[("user-agent", "x"), (name, "7")]);
            let mut passed = HeaderMap::new();
            PassedHeaders::of(&sent).write(&mut passed);
            assert_eq!(passed, headers(&[(name, "7")]));
        }
    }

    #[test]
    fn only_the_state_of_a_turn_goes_back() {
        let told = headers(&[("x-codex-turn-state", "t"), ("openai-model", "m"), ("server", "x")]);
        let (name, value) = returned(&told).unwrap();
        assert_eq!((name.as_str(), value.as_bytes()), ("x-codex-turn-state", b"t".as_slice()));
        assert_eq!(returned(&HeaderMap::new()), None);
    }
}
