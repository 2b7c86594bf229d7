//! Exit codes and errors: one line that says what to do, and no secret in it.

use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::{answer, canned, finish, latchkey};
use crate::ports::free_port;
use crate::test_app::{Backend, TestApp, unknown_key};

/// The ID of no key.
const NO_KEY: &str = "key_01h455vb4pex5vsknk084sn02q";

#[tokio::test(flavor = "multi_thread")]
async fn refusals_exit_with_their_codes() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let viewer = app.join(&who, "bob", "viewer").await;
    let create = ["keys", "create", "--project", &who.project, "--name"];
    let named = |name: &'static str| [&create[..], &[name]].concat();
    assert_eq!(app.done(&who, &named("a")).await.code, Some(0));
    for (session, command, code, told) in [
        (&who, vec!["keys", "show", NO_KEY], 3, ""),
        (&viewer, named("b"), 4, ""),
        (&who, named("a"), 1, "name"),
        (&who, [named("b"), vec!["--rpm", "0"]].concat(), 1, "rpm"),
        (&who, [named("b"), vec!["--budget", "tokens:5:year"]].concat(), 1, "budgets"),
    ] {
        let refused = app.latchkey(session, &command).await;
        assert_eq!(refused.code, Some(code), "{command:?}: {refused:?}");
        assert!(refused.error().contains(told), "{refused:?}");
        assert_eq!(refused.stdout, "", "{command:?}");
    }
    assert_eq!(app.latchkey(&who, &named("b")).await.code, Some(0));
    let limited = app.latchkey(&who, &named("c")).await;
    assert_eq!(limited.code, Some(5), "{limited:?}");
    assert!(limited.error().to_lowercase().contains("upgrade"), "{limited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_or_bad_token_is_not_allowed() {
    let app = TestApp::on(Backend::Sqlite).await;
    let bad = unknown_key();
    for (token, told) in [("", "LATCHKEY_TOKEN"), (bad.as_str(), "")] {
        let mut command = latchkey(&app.base, token);
        command.args(["keys", "show", NO_KEY]);
        let refused = finish(command, "").await;
        assert_eq!(refused.code, Some(4), "{refused:?}");
        assert!(refused.error().contains(told), "{refused:?}");
        assert!(!refused.stderr.contains(&bad), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_masks_secrets_in_the_wrong_place() {
    let secret = unknown_key();
    for arguments in [
        vec!["keys", "show", &secret],
        vec!["keys", "list", "--project", &secret],
        vec!["check", "-", &secret],
        vec!["keys", "show", NO_KEY, "--token", &secret],
        vec!["keys"],
        vec!["keys", "create"],
    ] {
        let mut command = latchkey("http://127.0.0.1:1", "");
        command.args(&arguments);
        let refused = finish(command, "").await;
        assert_eq!(refused.code, Some(2), "{arguments:?}: {refused:?}");
        assert!(!refused.stderr.contains(&secret), "{refused:?}");
        assert_eq!(refused.stdout, "");
    }
    let mut command = latchkey("http://user:hunter2@127.0.0.1:1", "x");
    command.args(["keys", "show", NO_KEY]);
    let refused = finish(command, "").await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.error().contains("LATCHKEY_URL"), "{refused:?}");
    assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_server_exits_with_6() {
    let base = format!("http://127.0.0.1:{}", free_port());
    // A proxy of the environment is no way to this machine.
    let mut command = latchkey(&base, "some-token");
    command.env("HTTP_PROXY", "http://127.0.0.1:1").args(["keys", "show", NO_KEY]);
    let refused = finish(command, "").await;
    assert_eq!(refused.code, Some(6), "{refused:?}");
    let error = refused.error();
    assert!(error.contains(&base) && error.contains("refused"), "{error}");
    let gateway = answer("502 Bad Gateway", "text/html", "<html>bad gateway</html>");
    let (base, _) = canned(gateway).await;
    let mut command = latchkey(&base, "some-token");
    command.args(["keys", "show", NO_KEY]);
    let refused = finish(command, "").await;
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.error().contains("502"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_that_nobody_vouches_for_is_refused() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    let mut command = latchkey(&format!("https://localhost:{port}"), "some-token");
    command.args(["keys", "show", NO_KEY]);
    let refused = finish(command, "").await;
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.error().contains("certificate"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redirect_is_not_followed_with_the_token() {
    let (elsewhere, mut asked_elsewhere) = canned(answer("200 OK", "text/plain", "")).await;
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {elsewhere}/v1/x?y=z\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n"
    );
    let (base, mut asked) = canned(redirect).await;
    let mut command = latchkey(&base, "some-token");
    command.args(["keys", "show", NO_KEY]);
    let refused = finish(command, "").await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.error().contains(&elsewhere), "{refused:?}");
    let head = asked.recv().await.unwrap().to_lowercase();
    assert!(head.contains("authorization: bearer some-token"), "{head}");
    let nothing = tokio::time::timeout(Duration::from_millis(200), asked_elsewhere.recv()).await;
    assert!(nothing.is_err(), "nobody is asked elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_others_are_told_apart() {
    for (status, media_type, body) in [
        ("200 OK", "text/html", "<html>Welcome to the hotel</html>"),
        ("404 Not Found", "text/html", "<html>nginx</html>"),
        ("200 OK", "application/json", "[1, 2"),
        ("500 Internal Server Error", "application/json", r#"{"oops": true}"#),
    ] {
        let (base, _) = canned(answer(status, media_type, body)).await;
        let mut command = latchkey(&base, "some-token");
        command.args(["keys", "show", NO_KEY]);
        let refused = finish(command, "").await;
        assert_eq!(refused.code, Some(1), "{status}: {refused:?}");
        assert!(refused.error().contains("LATCHKEY_URL"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn detail_of_the_server_becomes_one_harmless_line() {
    let secret = unknown_key();
    let problem = json!({
        "code": "conflict",
        "detail": format!("First.\nSecond:\u{1b}[2J {secret}"),
    });
    let conflict = answer("409 Conflict", "application/problem+json", &problem.to_string());
    let (base, _) = canned(conflict).await;
    let mut command = latchkey(&base, "some-token");
    command.args(["keys", "rotate", NO_KEY]);
    let refused = finish(command, "").await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let error = refused.error();
    assert!(error.starts_with("First. Second:[2J "), "{error}");
    assert!(!error.contains(&secret) && error.contains("..."), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_errors_are_one_line_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = latchkey("", "");
    command.args(["audit", "verify", "--latchkey-data-dir"]).arg(folder.path().join("none"));
    let failed = finish(command, "").await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    let errors: Vec<_> = failed.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{failed:?}");
    assert_eq!(failed.stderr.lines().last(), errors.first().copied());
    assert!(!failed.stderr.contains("Caused by"), "{failed:?}");
}
