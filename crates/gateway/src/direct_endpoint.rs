//! The endpoints that most calls go to, which a server may answer without a router.

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;

use super::call;
use super::endpoint::Endpoint;
use super::state::Gateway;

/// An endpoint that most calls go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectEndpoint {
    endpoint: Endpoint,
    path: &'static str,
}

impl DirectEndpoint {
    const ALL: [Self; 5] = [
        Self { endpoint: Endpoint::Chat, path: "/v1/chat/completions" },
        Self { endpoint: Endpoint::Responses, path: "/v1/responses" },
        Self { endpoint: Endpoint::Messages, path: "/v1/messages" },
        Self { endpoint: Endpoint::Embeddings, path: "/v1/embeddings" },
        Self { endpoint: Endpoint::Completions, path: "/v1/completions" },
    ];

    /// The endpoint of a request. None if only a router knows.
    pub fn of<B>(request: &axum::http::Request<B>) -> Option<Self> {
        if request.method() != Method::POST {
            return None;
        }
        let path = request.uri().path();
        Self::ALL.into_iter().find(|direct| direct.path == path)
    }

    /// Where clients find it, without a query.
    pub const fn path(self) -> &'static str {
        self.path
    }

    /// Answers a call as the route does. The response has the states of the key's limits among its
    /// extensions, if the key was checked.
    pub async fn answer(self, gateway: &Gateway, request: Request) -> Response {
        call::respond(gateway, self.endpoint, request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, target: &str) -> Option<&'static str> {
        let request = axum::http::Request::builder().method(method).uri(target).body(()).unwrap();
        DirectEndpoint::of(&request).map(DirectEndpoint::path)
    }

    #[test]
    fn direct_endpoints_have_the_paths_of_their_routes() {
        for DirectEndpoint { endpoint, path } in DirectEndpoint::ALL {
            assert_eq!(path.strip_prefix("/v1"), Some(endpoint.path()));
            assert_eq!(of(Method::POST, path), Some(path));
        }
        assert_eq!(of(Method::POST, "/v1/responses?a=b"), Some("/v1/responses"));
    }

    #[test]
    fn all_other_requests_are_left_to_the_router() {
        for target in ["/v1/responses/", "/v1/responses/compact", "/v1/chat", "/v1/models"] {
            assert_eq!(of(Method::POST, target), None, "{target}");
        }
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE] {
            assert_eq!(of(method, "/v1/responses"), None);
        }
    }
}
