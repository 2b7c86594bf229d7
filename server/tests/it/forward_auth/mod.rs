//! Forward authentication with the real proxies, by the recipes of `docs/forward-auth`.
//!
//! Each promise is tried with every program (`scripts/bootstrap.sh proxies`). What they do
//! differently is in [`differences`], as the table in the docs has it.

mod differences;
mod failing;
mod programs;
mod wire;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::test_app::{Backend, Session, TestApp, key_path, text, unknown_key};
use programs::{ProxyProgram, RunningProxy};
use wire::{
    RecordingServer, UPGRADE, WireMessage, ask, first_of_stream, request, response, upgrade,
};

/// Runs each test with every program.
macro_rules! with_every_proxy {
    ($(async fn $name:ident($program:ident: ProxyProgram) $body:block)*) => {$(
        async fn $name($program: $crate::forward_auth::programs::ProxyProgram) $body

        mod $name {
            use $crate::forward_auth::programs::ProxyProgram;

            #[tokio::test(flavor = "multi_thread")]
            async fn nginx() {
                super::$name(ProxyProgram::Nginx).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn caddy() {
                super::$name(ProxyProgram::Caddy).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn traefik() {
                super::$name(ProxyProgram::Traefik).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn haproxy() {
                super::$name(ProxyProgram::Haproxy).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn envoy() {
                super::$name(ProxyProgram::Envoy).await;
            }
        }
    )*};
}
use with_every_proxy;

/// The headers that say who calls.
const IDENTITY: [&str; 8] = [
    "x-latchkey-code",
    "x-latchkey-key-id",
    "x-latchkey-key-name",
    "x-latchkey-project-id",
    "x-latchkey-application-id",
    "x-latchkey-environment",
    "x-latchkey-external-id",
    "x-latchkey-scopes",
];

/// What the protected server answers: `/own/429` with that status and headers of its own, `/stream`
/// with a stream that begins and does not end.
fn upstream_answer(asked: &WireMessage) -> Vec<u8> {
    if asked.header("upgrade").is_some() {
        let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        return head.as_bytes().to_vec();
    }
    if asked.target() == "/stream" {
        let begun = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                     transfer-encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n";
        return begun.as_bytes().to_vec();
    }
    let own = [("x-upstream", "yes"), ("retry-after", "99"), ("www-authenticate", "Own")];
    let body: &[u8] = if asked.method() == "HEAD" { b"" } else { b"hello" };
    match asked.target().strip_prefix("/own/") {
        Some(status) => response(&format!("{status} Own"), &own, body),
        None => response("200 OK", &own[..1], body),
    }
}

/// A server that a proxy protects, by a Latchkey with one person.
struct ProtectedServer {
    app: TestApp,
    ada: Session,
    upstream: RecordingServer,
    proxy: RunningProxy,
}

impl ProtectedServer {
    async fn start(program: ProxyProgram) -> Self {
        Self::with(program, &[]).await
    }

    async fn with(program: ProxyProgram, arguments: &[&str]) -> Self {
        let app = TestApp::with(Backend::Sqlite, arguments).await;
        let ada = app.pro("ada").await;
        let upstream = RecordingServer::start(upstream_answer);
        let latchkey = app.base.trim_start_matches("http://").to_owned();
        let proxy =
            RunningProxy::start(program, &latchkey, &ada.project, &upstream.address()).await;
        Self { app, ada, upstream, proxy }
    }

    /// Makes a key; its secret.
    async fn key(&self, body: &Value) -> String {
        text(&self.app.create(&self.ada, body).await["key"])
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> WireMessage {
        ask(self.proxy.port, request(method, path, headers, b"")).await
    }

    /// The one request that reached the protected server.
    fn reached(&self) -> WireMessage {
        let mut seen = self.upstream.take();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }
}

/// Checks a refusal as Latchkey gives it.
fn refused(answer: &WireMessage, status: u16, code: &str, has_body: bool) {
    assert_eq!(answer.status(), status, "{answer:?}");
    assert_eq!(answer.all("x-latchkey-code"), [code], "{answer:?}");
    assert_eq!(answer.all("www-authenticate").len(), usize::from(status == 401), "{answer:?}");
    if status == 429 {
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=61).contains(&wait), "{wait}");
        assert_eq!(answer.all("x-ratelimit-limit-requests"), ["1"]);
        assert_eq!(answer.all("x-ratelimit-remaining-requests"), ["0"]);
    }
    if has_body {
        assert_eq!(answer.all("content-type"), ["application/problem+json"]);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((&body["status"], &body["code"]), (&json!(status), &json!(code)));
    }
}

with_every_proxy! {
    async fn refusal_reaches_the_client(program: ProxyProgram) {
        let server = ProtectedServer::start(program).await;
        let revoked = server.app.create(&server.ada, &json!({"name": "Revoked"})).await;
        let id = text(&revoked["api_key"]["id"]);
        assert!(server.app.revoke(&server.ada, &id).await.status().is_success());
        let limited = server.key(&json!({"name": "Limited", "rpm": 1})).await;
        let first = server.ask("GET", "/", &[("x-api-key", &limited)]).await;
        assert_eq!(first.status(), 200, "{first:?}");
        server.reached();
        let disabled = server.key(&json!({"name": "Disabled", "disabled": true})).await;
        let refusals = [
            (text(&revoked["key"]), 401, "revoked_key"),
            (disabled, 401, "disabled_key"),
            (unknown_key(), 401, "unknown_key"),
            ("nonsense".to_owned(), 401, "malformed_key"),
            (limited, 429, "rate_limited"),
        ];
        for (key, status, code) in &refusals {
            let key: [(&str, &str); 1] = [("x-api-key", key)];
            for method in ["GET", "OPTIONS", "DELETE", "HEAD"] {
                let answer = server.ask(method, "/a?b=c", &key).await;
                refused(&answer, *status, code, method != "HEAD");
            }
            let body = vec![b'b'; 300_000];
            let posted = ask(server.proxy.port, request("POST", "/", &key, &body)).await;
            refused(&posted, *status, code, true);
            let upgraded = server.ask("GET", "/socket", &[&key[..], &UPGRADE].concat()).await;
            refused(&upgraded, *status, code, true);
        }
        refused(&server.ask("GET", "/", &[]).await, 401, "missing_key", true);
        assert_eq!(server.upstream.take().len(), 0, "nothing passes");
    }

    async fn request_with_a_good_key_arrives_whole(program: ProxyProgram) {
        let server = ProtectedServer::start(program).await;
        let key = server.key(&json!({"name": "Good"})).await;
        let bearer = format!("Bearer {key}");
        for (name, value) in [("x-api-key", &key), ("authorization", &bearer)] {
            for method in ["GET", "HEAD", "OPTIONS", "DELETE"] {
                let answer = server.ask(method, "/a/b?q=1&r=%2f", &[(name, value)]).await;
                assert_eq!(answer.status(), 200, "{answer:?}");
                assert_eq!(answer.header("x-upstream"), Some("yes"));
                assert_eq!(answer.body.is_empty(), method == "HEAD");
                let reached = server.reached();
                assert_eq!((reached.method(), reached.target()), (method, "/a/b?q=1&r=%2f"));
                let keys = [reached.header("x-api-key"), reached.header("authorization")];
                assert_eq!(keys, [None, None], "the key stays with the proxy");
            }
        }
        let key = [("x-api-key", key.as_str()), ("content-type", "text/plain")];
        let body = vec![b'b'; 300_000];
        let posted = ask(server.proxy.port, request("POST", "/post", &key, &body)).await;
        assert_eq!((posted.status(), posted.body.as_slice()), (200, &b"hello"[..]));
        assert!(server.reached().body == body, "the body is another");
        let chunked = [&key[..], &[("transfer-encoding", "chunked")]].concat();
        let mut chunked = request("POST", "/post", &chunked, b"");
        chunked.extend_from_slice(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
        assert_eq!(ask(server.proxy.port, chunked).await.status(), 200);
        assert_eq!(server.reached().body, b"hello world");
        let expects = [&key[..], &[("expect", "100-continue")]].concat();
        let posted = ask(server.proxy.port, request("POST", "/post", &expects, b"hello")).await;
        assert_eq!(posted.status(), 200);
        assert_eq!(server.reached().body, b"hello");
    }

    async fn web_socket_passes_with_a_good_key(program: ProxyProgram) {
        let server = ProtectedServer::start(program).await;
        let key = server.key(&json!({"name": "Good"})).await;
        let (answer, echo) = upgrade(server.proxy.port, &[("x-api-key", &key)]).await;
        assert_eq!((answer.status(), echo.as_slice()), (101, &b"ping"[..]), "{answer:?}");
        assert_eq!(server.reached().header("x-latchkey-code"), Some("valid"));
    }

    async fn stream_reaches_the_client_as_it_comes(program: ProxyProgram) {
        let server = ProtectedServer::start(program).await;
        let key = server.key(&json!({"name": "Good"})).await;
        let asked = request("GET", "/stream", &[("x-api-key", &key)], b"");
        let first = first_of_stream(server.proxy.port, asked).await.expect("nothing comes");
        assert!(String::from_utf8_lossy(&first).contains("data: 1"), "{first:?}");
    }

    async fn refusal_of_the_server_itself_is_left_alone(program: ProxyProgram) {
        let server = ProtectedServer::start(program).await;
        let key = server.key(&json!({"name": "Good"})).await;
        for status in [401, 403, 429, 500, 503] {
            let path = format!("/own/{status}");
            let answer = server.ask("GET", &path, &[("x-api-key", &key)]).await;
            assert_eq!((answer.status(), answer.body.as_slice()), (status, &b"hello"[..]));
            assert_eq!(answer.all("retry-after"), ["99"]);
            assert_eq!(answer.all("www-authenticate"), ["Own"]);
        }
    }

    async fn identity_is_never_the_clients(program: ProxyProgram) {
        let server = ProtectedServer::start(program).await;
        let body = json!({"name": "Good", "external_id": "user_1", "scopes": ["orders:read"]});
        let made = server.app.create(&server.ada, &body).await;
        let secret = text(&made["key"]);
        let mut names: Vec<String> = IDENTITY.map(str::to_owned).to_vec();
        names.extend(IDENTITY.map(|name| name.replace('-', "_")));
        names.extend(IDENTITY.map(|name| name.replacen('-', "_", 2)));
        names.extend(IDENTITY.map(|name| name.replace('-', ".")));
        names.extend(IDENTITY.map(str::to_uppercase));
        let mut headers = vec![("x-api-key", secret.as_str())];
        headers.extend(names.iter().map(|name| (name.as_str(), "forged")));
        let answer = server.ask("GET", "/", &headers).await;
        assert_eq!(answer.status(), 200, "{answer:?}");
        let reached = server.reached();
        assert!(!reached.headers.iter().any(|(_, value)| value.contains("forged")), "{reached:?}");
        for name in IDENTITY {
            assert_eq!(reached.all(name).len(), 1, "{name}: {reached:?}");
        }
        assert_eq!(reached.header("x-latchkey-key-id"), made["api_key"]["id"].as_str());
        assert_eq!(reached.header("x-latchkey-external-id"), Some("user_1"));
        assert_eq!(reached.header("x-latchkey-scopes"), Some("orders:read"));
        assert_eq!(reached.header("x-latchkey-code"), Some("valid"));
        assert_eq!(reached.header("x-latchkey-application-id"), Some("none"));
        // A client that claims something and has no key says nothing to the server either.
        refused(&server.ask("GET", "/", &headers[1..]).await, 401, "missing_key", true);
        assert_eq!(server.upstream.take().len(), 0);
    }

    async fn identity_is_never_removed_by_the_client(program: ProxyProgram) {
        let server = ProtectedServer::start(program).await;
        let key = server.key(&json!({"name": "Good"})).await;
        let names = IDENTITY.join(", ");
        let both = format!("upgrade, {names}");
        let only = [("x-api-key", key.as_str()), ("connection", names.as_str())];
        let upgrade = [("x-api-key", key.as_str()), ("connection", both.as_str())];
        let upgrade = [&upgrade[..], &UPGRADE[1..]].concat();
        for headers in [&only[..], &upgrade[..]] {
            server.ask("GET", "/", headers).await;
            let reached = server.reached();
            for name in IDENTITY {
                assert_eq!(reached.all(name).len(), 1, "{name}: {reached:?}");
            }
        }
    }

    async fn scopes_are_asked_for_by_the_proxy(program: ProxyProgram) {
        let server = ProtectedServer::start(program).await;
        let body = json!({"name": "Reads", "scopes": ["orders:*"]});
        let reads = server.key(&body).await;
        let none = server.key(&json!({"name": "None"})).await;
        let allowed = server.ask("GET", "/orders/1", &[("x-api-key", &reads)]).await;
        assert_eq!(allowed.status(), 200, "{allowed:?}");
        let elsewhere = [("x-api-key", none.as_str()), ("x-latchkey-scopes", "other:thing")];
        let elsewhere = server.ask("GET", "/", &elsewhere).await;
        assert_eq!(elsewhere.status(), 200, "a client asks for nothing: {elsewhere:?}");
        server.upstream.take();
        for forged in ["", "orders:read", "none"] {
            let headers = [("x-api-key", none.as_str()), ("x-latchkey-scopes", forged)];
            let answer = server.ask("GET", "/orders/1", &headers).await;
            refused(&answer, 403, "insufficient_scope", true);
        }
        assert_eq!(server.upstream.take().len(), 0);
    }

    async fn path_written_otherwise_asks_the_same_scopes(program: ProxyProgram) {
        let server = ProtectedServer::start(program).await;
        let key = server.key(&json!({"name": "None"})).await;
        for path in [
            "/x/../orders/1",
            "//orders/1",
            "/%6frders/1",
            "/x/%2e%2e/orders/1",
            "/orders%2f1",
            "/x/..%2forders/1",
            "/x/..\\orders/1",
        ] {
            let answer = server.ask("GET", path, &[("x-api-key", &key)]).await;
            assert!([400, 403].contains(&answer.status()), "{path}: {answer:?}");
        }
        assert_eq!(server.upstream.take().len(), 0);
        // A place without scopes is passed on as the proxy has read it.
        for path in ["/orders/../x", "/orders/%2e%2e/x", "/orders//..//x", "/orders/..%2fx"] {
            server.ask("GET", path, &[("x-api-key", &key)]).await;
            let reached = server.upstream.take();
            assert!(reached.iter().all(|one| one.target() == "/x"), "{path}: {reached:?}");
        }
    }

    async fn sixty_four_long_scopes_fit(program: ProxyProgram) {
        let server = ProtectedServer::start(program).await;
        let scopes: Vec<String> = (10..74).map(|one| format!("{one}{}", "x".repeat(98))).collect();
        let key = server.key(&json!({"name": "Long", "scopes": scopes})).await;
        let answer = server.ask("GET", "/", &[("x-api-key", &key)]).await;
        assert_eq!(answer.status(), 200, "{answer:?}");
        let reached = server.reached();
        let got = reached.header("x-latchkey-scopes").unwrap().split(' ');
        let got: BTreeSet<String> = got.map(str::to_owned).collect();
        let wanted: BTreeSet<String> = scopes.into_iter().collect();
        assert_eq!(got, wanted);
    }

    async fn client_cannot_claim_an_address(program: ProxyProgram) {
        let trusted = "--latchkey-trusted-proxies=127.0.0.0/8";
        let server = ProtectedServer::with(program, &[trusted]).await;
        let body = json!({"name": "Elsewhere", "allowed_cidrs": ["198.51.100.0/24"]});
        let key = server.key(&body).await;
        let claims = [
            ("x-api-key", key.as_str()),
            ("x-forwarded-for", "198.51.100.7"),
            ("x-real-ip", "198.51.100.7"),
            ("forwarded", "for=198.51.100.7"),
        ];
        refused(&server.ask("GET", "/", &claims).await, 403, "ip_not_allowed", true);
        assert_eq!(server.upstream.take().len(), 0);
    }

    async fn each_request_counts_once(program: ProxyProgram) {
        let server = ProtectedServer::start(program).await;
        let made = server.app.create(&server.ada, &json!({"name": "Three", "rpm": 3})).await;
        let key = text(&made["key"]);
        for _ in 0..3 {
            let posted = request("POST", "/", &[("x-api-key", &key)], b"hello");
            assert_eq!(ask(server.proxy.port, posted).await.status(), 200);
        }
        assert_eq!(server.ask("GET", "/", &[("x-api-key", &key)]).await.status(), 429);
        assert_eq!(server.upstream.take().len(), 3);
        // A change holds for the next request: no proxy keeps an answer.
        let more = json!({"rpm": 5, "disabled": true});
        let path = key_path(&made);
        let changed = server.app.send(reqwest::Method::PATCH, &path, &server.ada, &more).await;
        assert_eq!(changed.status(), 200);
        let answer = server.ask("GET", "/", &[("x-api-key", &key)]).await;
        refused(&answer, 401, "disabled_key", true);
    }
}
