//! Limits that nodes share through a Redis that speaks TLS (`rediss://`), as hosted ones do.
#![expect(clippy::disallowed_methods, reason = "what a process says is waited for by a real clock")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use crate::consistency::shared_limits::Redis;
use crate::ports::free_port;
use crate::process::edge::free_address;
use crate::process::{Process, client, command, log_file};

/// A Redis with a certificate for `localhost` that nobody has signed but itself.
async fn redis(folder: &TempDir) -> Redis {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let port = free_port();
    let arguments = [
        ("--port", "0".to_owned()),
        ("--tls-port", port.to_string()),
        ("--tls-cert-file", certificate.display().to_string()),
        ("--tls-key-file", key.display().to_string()),
        ("--tls-auth-clients", "no".to_owned()),
    ];
    let arguments = arguments.iter().flat_map(|(name, value)| [*name, value.as_str()]);
    Redis::start_with(port, arguments).await
}

/// Starts a node that is to share its limits, and waits until `latchkey_redis_limiter_up` is as
/// wanted.
async fn node(redis: &Redis, folder: &TempDir, trusts: bool, wanted: &str) -> Process {
    let (client, metrics) = (client(), free_address());
    let mut command = command(folder);
    command.arg(format!("--latchkey-metrics-listen={metrics}"));
    command.arg(format!("--redis-url=rediss://localhost:{}", redis.port));
    if trusts {
        command.env("SSL_CERT_FILE", folder.path().join("cert.pem"));
    }
    let process = Process::start_command(command, folder, &client).await;
    let began = Instant::now();
    loop {
        let answer = client.get(format!("http://{metrics}/metrics")).send().await.unwrap();
        let text = answer.text().await.unwrap();
        if text.lines().any(|line| line == format!("latchkey_redis_limiter_up {wanted}")) {
            return process;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "not {wanted}:\n{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn limits_are_shared_when_redis_certificate_is_trusted() {
    let folder = TempDir::new().unwrap();
    let redis = redis(&folder).await;
    let process = node(&redis, &folder, true, "1").await;
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}

#[tokio::test]
async fn redis_is_unavailable_when_certificate_is_not_trusted() {
    let folder = TempDir::new().unwrap();
    let redis = redis(&folder).await;
    let _process = node(&redis, &folder, false, "0").await;
    let began = Instant::now();
    while !std::fs::read_to_string(log_file(&folder)).unwrap().contains("certificate") {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing is said of the certificate");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn start_fails_when_redis_url_disables_certificate_checks() {
    let folder = TempDir::new().unwrap();
    let mut command = command(&folder);
    command.arg("--redis-url=rediss://:a-password@localhost:1/#insecure").stderr(Stdio::piped());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("REDIS_URL") && told.contains("SSL_CERT_FILE"), "{told}");
    assert!(!told.contains("a-password"), "{told}");
}
