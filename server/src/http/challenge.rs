//! The credentials that each route accepts, for the `WWW-Authenticate` of a 401 (RFC 9110) and for
//! the error text if none were sent. Both must name the header that the route reads.

use latchkey_domain::permission::ServicePermission;

/// The credentials that a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// A key in `x-api-key`.
    ApiKey,
    /// A key in `x-api-key`, or as a bearer token.
    ApiKeyOrBearer,
    /// The same, or a key as the password of HTTP's basic authentication.
    Password,
    /// A bearer token: an access token or a key.
    Bearer,
}

impl Credentials {
    /// What the route at a path takes.
    pub(crate) fn of(path: &str) -> Self {
        // SDKs put a slash too many before it.
        let path = path.trim_start_matches('/');
        if path == "ingest" || path.starts_with("ingest/") {
            return Self::ApiKey;
        }
        match path {
            "v1/traces"
            | "v1/logs"
            | "v1/metrics"
            | "v1/key"
            | "v1/messages"
            | "v1/messages/count_tokens" => Self::ApiKeyOrBearer,
            path if path.starts_with("v1/check/") => Self::ApiKeyOrBearer,
            path if path.starts_with("api/public/otel/") => Self::Password,
            _ => Self::Bearer,
        }
    }

    pub(crate) const fn challenge(self) -> &'static str {
        match self {
            Self::ApiKey => "ApiKey realm=\"latchkey\"",
            Self::ApiKeyOrBearer => "ApiKey realm=\"latchkey\", Bearer realm=\"latchkey\"",
            Self::Password => {
                "Basic realm=\"latchkey\", ApiKey realm=\"latchkey\", Bearer realm=\"latchkey\""
            }
            Self::Bearer => "Bearer realm=\"latchkey\"",
        }
    }

    /// The same in words, for who sent no key.
    pub(crate) const fn no_key(self) -> &'static str {
        match self {
            Self::ApiKey => "No API key was sent. Send it in the x-api-key header.",
            Self::ApiKeyOrBearer => {
                "No API key was sent. Send it in the x-api-key header, or as Authorization: Bearer."
            }
            Self::Password => {
                "No API key was sent. Send it as the password of Authorization: Basic."
            }
            Self::Bearer => "No API key was sent. Send it as Authorization: Bearer.",
        }
    }
}

/// The challenge to a service key that lacks a permission (RFC 6750, section 3.1).
pub(crate) const fn insufficient_scope(lacking: ServicePermission) -> &'static str {
    macro_rules! challenge {
        ($scope:literal) => {
            concat!(
                "Bearer realm=\"latchkey\", error=\"insufficient_scope\", scope=\"",
                $scope,
                "\""
            )
        };
    }
    match lacking {
        ServicePermission::KeysRead => challenge!("keys:read"),
        ServicePermission::KeysWrite => challenge!("keys:write"),
        ServicePermission::KeysVerify => challenge!("keys:verify"),
        ServicePermission::UsageRead => challenge!("usage:read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_name_what_the_route_takes() {
        for (path, auth) in [
            ("/ingest/traces", Credentials::ApiKey),
            ("//ingest/logs", Credentials::ApiKey),
            ("/v1/traces", Credentials::ApiKeyOrBearer),
            ("/v1/logs", Credentials::ApiKeyOrBearer),
            ("/v1/key", Credentials::ApiKeyOrBearer),
            ("/v1/check/prj_x", Credentials::ApiKeyOrBearer),
            ("/v1/check/app_x/v1/keys", Credentials::ApiKeyOrBearer),
            ("/v1/messages", Credentials::ApiKeyOrBearer),
            ("/v1/messages/count_tokens", Credentials::ApiKeyOrBearer),
            ("/api/public/otel/v1/traces", Credentials::Password),
            ("/v1/applications/app_x/traces", Credentials::Bearer),
            ("/v1/keys/verify", Credentials::Bearer),
            ("/v1/chat/completions", Credentials::Bearer),
            ("/api/me", Credentials::Bearer),
        ] {
            assert_eq!(Credentials::of(path), auth, "{path}");
        }
    }

    #[test]
    fn scopes_are_the_permissions_own_names() {
        for permission in ServicePermission::ALL {
            let challenge = insufficient_scope(permission);
            assert!(challenge.ends_with(&format!("scope=\"{}\"", permission.as_str())));
        }
    }
}
