//! What the programs do differently, as the table of `docs/forward-auth/README.md` has it.

use super::programs::{ProxyProgram, RunningProxy};
use super::wire::{RecordingServer, WireMessage, ask, request, response};
use super::{IDENTITY, upstream_answer, with_every_proxy};

/// Admits everybody but whom the key `cut` names, whose connection closes without an answer.
fn latchkey_answer(asked: &WireMessage) -> Vec<u8> {
    if asked.header("x-api-key") == Some("cut") {
        return Vec::new();
    }
    let headers =
        IDENTITY.map(|name| (name, if name == "x-latchkey-code" { "valid" } else { "none" }));
    response("200 OK", &headers, b"")
}

/// A proxy between a client and a server, and what it asked.
struct ObservedProxy {
    latchkey: RecordingServer,
    _upstream: RecordingServer,
    proxy: RunningProxy,
}

impl ObservedProxy {
    async fn start(program: ProxyProgram) -> Self {
        let latchkey = RecordingServer::start(latchkey_answer);
        let upstream = RecordingServer::start(upstream_answer);
        let address = latchkey.address();
        let proxy = RunningProxy::start(program, &address, "prj_one", &upstream.address()).await;
        latchkey.take();
        Self { latchkey, _upstream: upstream, proxy }
    }

    /// The status of the answer, and what Latchkey was asked.
    async fn asked(
        &self,
        method: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, Vec<WireMessage>) {
        let answer = ask(self.proxy.port, request(method, "/a/b?q=1", headers, body)).await;
        (answer.status(), self.latchkey.take())
    }
}

with_every_proxy! {
    async fn check_has_the_method_and_path_of_the_table(program: ProxyProgram) {
        let proxy = ObservedProxy::start(program).await;
        let headers = [("x-api-key", "any"), ("cookie", "a=b"), ("x-other", "other")];
        let (status, asked) = proxy.asked("POST", &headers, b"hello").await;
        assert_eq!((status, asked.len()), (200, 1));
        let asked = &asked[0];
        let expected = match program {
            ProxyProgram::Nginx | ProxyProgram::Traefik | ProxyProgram::Haproxy => {
                ("GET", "/v1/check/prj_one")
            }
            ProxyProgram::Caddy => ("GET", "/v1/check/prj_one?q=1"),
            ProxyProgram::Envoy => ("POST", "/v1/check/prj_one/a/b?q=1"),
        };
        assert_eq!((asked.method(), asked.target()), expected);
        assert!(asked.first_line.ends_with(" HTTP/1.1"), "{}", asked.first_line);
        assert!(asked.body.is_empty(), "a body goes to the server alone");
        let length = (program == ProxyProgram::Envoy).then_some("0");
        assert_eq!(asked.header("content-length"), length);
        assert_eq!(asked.header("cookie"), None);
        assert_eq!(asked.header("x-other").is_some(), program == ProxyProgram::Caddy);
    }

    async fn key_that_comes_twice_is_as_in_the_table(program: ProxyProgram) {
        let proxy = ObservedProxy::start(program).await;
        let (_, asked) = proxy.asked("GET", &[("x-api-key", "one"), ("x-api-key", "two")], b"").await;
        let keys = asked[0].all("x-api-key");
        match program {
            // 1.23 and later join them, as Envoy does.
            ProxyProgram::Nginx => assert!(keys == ["one"] || keys == ["one, two"], "{keys:?}"),
            ProxyProgram::Envoy => assert_eq!(keys, ["one,two"]),
            _ => assert_eq!(keys, ["one", "two"]),
        }
        let both = [("authorization", "Bearer one"), ("authorization", "Bearer two")];
        let (status, asked) = proxy.asked("GET", &both, b"").await;
        let expected = if program == ProxyProgram::Nginx { (400, 0) } else { (200, 1) };
        assert_eq!((status, asked.len()), expected);
    }

    async fn broken_check_is_repeated_as_in_the_table(program: ProxyProgram) {
        let proxy = ObservedProxy::start(program).await;
        // A connection is open from before, and nothing else was asked over it.
        proxy.asked("GET", &[("x-api-key", "any")], b"").await;
        let (status, asked) = proxy.asked("GET", &[("x-api-key", "cut")], b"").await;
        assert!(status >= 500, "{status}");
        let times = asked.len();
        match program {
            ProxyProgram::Nginx => assert!((1..=2).contains(&times), "{times}"),
            ProxyProgram::Envoy => assert_eq!(times, 1),
            _ => assert_eq!(times, 2),
        }
    }

    async fn connection_header_is_obeyed_as_in_the_table(program: ProxyProgram) {
        let proxy = ObservedProxy::start(program).await;
        let headers = [("x-api-key", "any"), ("connection", "x-api-key")];
        let (_, asked) = proxy.asked("GET", &headers, b"").await;
        let kept = !matches!(program, ProxyProgram::Traefik | ProxyProgram::Envoy);
        assert_eq!(asked[0].header("x-api-key").is_some(), kept);
    }

    async fn http_1_0_client_is_served_as_in_the_table(program: ProxyProgram) {
        let proxy = ObservedProxy::start(program).await;
        let request = b"GET / HTTP/1.0\r\nhost: example.test\r\nx-api-key: any\r\n\r\n".to_vec();
        let expected = if program == ProxyProgram::Envoy { 426 } else { 200 };
        assert_eq!(ask(proxy.proxy.port, request).await.status(), expected);
    }
}
