//! A Latchkey that is away, silent, or answers what it never would: nothing passes.
#![expect(clippy::disallowed_methods, reason = "how long a proxy waits is seen over real time")]

use std::time::{Duration, Instant};

use super::programs::{ProxyProgram, RunningProxy};
use super::wire::{RecordingServer, WireMessage, ask, request, response};
use super::{upstream_answer, with_every_proxy};
use crate::ports::free_port;

/// Longer than the five seconds of the recipes, on a machine that is busy.
const LONGEST_WAIT: Duration = Duration::from_secs(9);

/// Asks as several kinds of requests do; the answers, none of which came from the server.
async fn asked(program: ProxyProgram, latchkey: &str, methods: &[&str]) -> Vec<WireMessage> {
    let upstream = RecordingServer::start(upstream_answer);
    let proxy = RunningProxy::start(program, latchkey, "prj_none", &upstream.address()).await;
    let mut answers = Vec::new();
    for method in methods {
        let body: &[u8] = if *method == "POST" { b"hello" } else { b"" };
        let asked = request(method, "/", &[("x-api-key", "lk_live_any")], body);
        answers.push(ask(proxy.port, asked).await);
    }
    assert_eq!(upstream.take().len(), 0, "{}", proxy.log());
    answers
}

fn no_answer(program: ProxyProgram, silent: bool) -> u16 {
    match (program, silent) {
        (ProxyProgram::Traefik, true) => 504,
        (ProxyProgram::Traefik, false) => 502,
        _ => 503,
    }
}

/// What nobody would call an answer to a check.
fn odd_answer(asked: &WireMessage) -> Vec<u8> {
    match asked.header("x-api-key") {
        Some("found") => response("302 Found", &[("location", "http://127.0.0.1:1/")], b""),
        Some("missing") => response("404 Not Found", &[], b"nothing"),
        Some("broken") => response("500 Internal Server Error", &[], b"broken"),
        Some("nonsense") => b"nonsense\r\n\r\n".to_vec(),
        _ => Vec::new(),
    }
}

fn unavailable(_: &WireMessage) -> Vec<u8> {
    let body = br#"{"title":"Unavailable","status":503,"code":"unavailable"}"#;
    let headers = [
        ("retry-after", "1"),
        ("x-latchkey-code", "unavailable"),
        ("content-type", "application/problem+json"),
    ];
    response("503 Service Unavailable", &headers, body)
}

with_every_proxy! {
    async fn nothing_passes_while_latchkey_is_away(program: ProxyProgram) {
        let nobody = format!("127.0.0.1:{}", free_port());
        for answer in asked(program, &nobody, &["GET", "HEAD", "POST", "OPTIONS"]).await {
            assert_eq!(answer.status(), no_answer(program, false), "{answer:?}");
            if answer.status() == 503 {
                assert_eq!(answer.all("retry-after"), ["1"], "{answer:?}");
            }
        }
    }

    async fn nothing_passes_while_latchkey_is_silent(program: ProxyProgram) {
        // Connections are made, and nobody takes them.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let latchkey = silent.local_addr().unwrap().to_string();
        let upstream = RecordingServer::start(upstream_answer);
        let proxy = RunningProxy::start(program, &latchkey, "prj_none", &upstream.address()).await;
        let began = Instant::now();
        let asked = request("POST", "/", &[("x-api-key", "lk_live_any")], b"hello");
        let answer = ask(proxy.port, asked).await;
        let waited = began.elapsed();
        assert!(waited < LONGEST_WAIT, "{waited:?}");
        assert_eq!(answer.status(), no_answer(program, true), "{answer:?}");
        assert_eq!(upstream.take().len(), 0);
    }

    async fn unavailable_reaches_the_client(program: ProxyProgram) {
        let latchkey = RecordingServer::start(unavailable);
        for answer in asked(program, &latchkey.address(), &["GET", "POST"]).await {
            assert_eq!(answer.status(), 503, "{answer:?}");
            assert_eq!(answer.all("retry-after"), ["1"]);
            assert_eq!(answer.all("x-latchkey-code"), ["unavailable"]);
            assert_eq!(answer.all("content-type"), ["application/problem+json"]);
        }
    }

    async fn nothing_passes_on_an_odd_answer(program: ProxyProgram) {
        let latchkey = RecordingServer::start(odd_answer);
        let upstream = RecordingServer::start(upstream_answer);
        let address = latchkey.address();
        let proxy = RunningProxy::start(program, &address, "prj_none", &upstream.address()).await;
        for odd in ["found", "missing", "broken", "nonsense", "closed"] {
            let answer = ask(proxy.port, request("GET", "/", &[("x-api-key", odd)], b"")).await;
            assert!(answer.status() >= 300, "{odd}: {answer:?}");
            assert_eq!(upstream.take().len(), 0, "{odd}");
        }
    }
}
