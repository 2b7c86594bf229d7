//! Floods against the binary itself: its memory stays bounded, honest callers are answered, refusals say why.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "what honest callers wait is timed by a real clock")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use latchkey_domain::key::Environment;
use latchkey_domain::secret::{KeyPrefix, SecretKey};
use latchkey_server::edge::SystemRandom;
use latchkey_services::random::Random;
use reqwest::Client;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::{Process, client, sign_in};
use crate::world::traces;

const GUESSES: usize = 20_000;
const GUESSERS: usize = 20;
const SLOW: usize = 10_000;
const GIBIBYTE: usize = 1 << 30;
/// What a client that is there and does nothing may take.
const KB_PER_CONNECTION: u64 = 48;
/// What a flood may take beside, whatever its size.
const ROOM_KB: u64 = 64 * 1024;
/// Large bodies that stop before their end, half as many again as there is room for.
const STOPPED: usize = 400;
/// The room for large bodies, and what buffers that grow take beside.
const LARGE_ROOM_KB: u64 = (256 + 256) * 1024;
/// On a machine that is busy with the flood and with other tests.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server that is attacked, and an honest caller.
struct Attacked {
    process: Process,
    client: Client,
    key: String,
    _folder: TempDir,
}

impl Attacked {
    async fn start() -> Self {
        let (folder, client) = (tempfile::tempdir().unwrap(), client());
        let process = Process::start(&folder, &client).await;
        let (jwt, application) = sign_in(&client, &process.base).await;
        let path = format!("{}/apikey?ApplicationId={application}", process.base);
        let key: String =
            client.post(&path).bearer_auth(&jwt).send().await.unwrap().json().await.unwrap();
        let attacked = Self { process, client, key, _folder: folder };
        attacked.honest_call().await;
        attacked
    }

    fn address(&self) -> &str {
        self.process.base.trim_start_matches("http://")
    }

    /// Somebody with a good key, on a new connection.
    async fn honest_call(&self) {
        let began = Instant::now();
        let client = client();
        let call = client.post(format!("{}/ingest/traces", self.process.base));
        let answer = call.header("x-api-key", &self.key).json(&traces(1)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(began.elapsed() < PATIENCE, "an honest caller waits {:?}", began.elapsed());
    }

    /// Ends it as an operator does.
    fn stop(self) {
        drop(self.client);
        self.process.signal("-TERM");
        assert_eq!(self.process.wait(), Some(0));
    }
}

/// A key that is none of this server's, with a checksum that is right.
fn unknown_key() -> String {
    let fill = |buffer: &mut [u8]| SystemRandom.fill(buffer);
    SecretKey::generate(&KeyPrefix::default(), Environment::Live, fill).expose().to_owned()
}

/// Sends and returns what comes first; empty: the server has closed.
async fn answer(stream: &mut TcpStream, request: &[u8]) -> String {
    if stream.write_all(request).await.is_err() {
        return String::new();
    }
    let mut answer = vec![0; 4_096];
    let length = stream.read(&mut answer).await.unwrap_or_default();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_guesses_is_told_to_wait_and_holds_up_nobody() {
    let attacked = Attacked::start().await;
    let before = attacked.process.peak_memory();
    let over = Arc::new(AtomicBool::new(false));
    let guesser = async || {
        let mut stream = TcpStream::connect(attacked.address()).await.unwrap();
        let mut refused = 0;
        for _ in 0..GUESSES / GUESSERS {
            let key = unknown_key();
            let guess = format!(
                "POST /ingest/traces HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\
                 content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
            );
            let answer = answer(&mut stream, guess.as_bytes()).await;
            let status = answer.get(9..12).unwrap_or_default();
            assert!(["401", "429"].contains(&status), "{answer}");
            if status == "429" {
                assert!(answer.contains("retry-after: "), "{answer}");
                assert!(
                    answer.contains("Too many unknown or malformed keys from this address"),
                    "{answer}"
                );
                refused += 1;
            }
            assert!(!answer.contains(&key), "what was sent is not repeated");
        }
        refused
    };
    let flood = async {
        let refused = futures::future::join_all((0..GUESSERS).map(|_| guesser())).await;
        over.store(true, Ordering::Relaxed);
        refused.into_iter().sum::<usize>()
    };
    let honest = async {
        while !over.load(Ordering::Relaxed) {
            attacked.honest_call().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (refused, ()) = tokio::join!(flood, honest);
    assert!(refused >= GUESSES - 200, "{refused} of {GUESSES} were told to wait");
    let more = attacked.process.peak_memory() - before;
    assert!(more < ROOM_KB, "{} MiB more", more / 1024);
    attacked.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_slow_connections_take_little_and_hold_up_nobody() {
    let room = rlimit::increase_nofile_limit(32_768).unwrap();
    assert!(room > SLOW as u64 + 1_000, "the test needs more open files than {room}: ulimit -n");
    let attacked = Attacked::start().await;
    let before = attacked.process.peak_memory();
    let mut slow = Vec::with_capacity(SLOW);
    for _ in 0..SLOW {
        let mut stream = TcpStream::connect(attacked.address()).await.unwrap();
        stream.write_all(b"POST /ingest/traces HTTP/1.1\r\nhost: x\r\nx-api-key: ").await.unwrap();
        slow.push(stream);
    }
    attacked.honest_call().await;
    // A byte now and then, which keeps nothing alive.
    for stream in &mut slow {
        stream.write_all(b"l").await.unwrap();
    }
    attacked.honest_call().await;
    let more = attacked.process.peak_memory() - before;
    println!("{more} kB for {SLOW} connections");
    assert!(more / (SLOW as u64) < KB_PER_CONNECTION, "{more} kB for {SLOW} connections");
    drop(slow);
    attacked.honest_call().await;
    attacked.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_gibibyte_is_refused_long_before_its_end() {
    let attacked = Attacked::start().await;
    let before = attacked.process.peak_memory();
    let announced = format!("content-length: {GIBIBYTE}\r\n\r\n");
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    // One chunk, which a server may be told is as long as anything.
    let start_of_chunk = format!("{GIBIBYTE:x}\r\n");
    for path in ["/ingest/traces", "/v1/logs", "/v1/chat/completions", "/refresh"] {
        for (framing, start) in [(announced.as_str(), ""), (chunked, start_of_chunk.as_str())] {
            let key = &attacked.key;
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nauthorization: Bearer {key}\r\n\
                 content-type: application/json\r\n{framing}{start}"
            );
            let stream = TcpStream::connect(attacked.address()).await.unwrap();
            let (mut read, mut write) = stream.into_split();
            let sender = tokio::spawn(async move {
                if write.write_all(head.as_bytes()).await.is_err() {
                    return 0;
                }
                let part = vec![b' '; 1 << 16];
                let mut sent = 0;
                while sent < GIBIBYTE && write.write_all(&part).await.is_ok() {
                    sent += part.len();
                }
                sent
            });
            let mut answer = vec![0; 4_096];
            let length = read.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]);
            let status = answer.get(9..12).unwrap_or_default();
            assert_eq!(status, "413", "{path}: {answer}");
            drop(read);
            let sent = sender.await.unwrap();
            assert!(sent < GIBIBYTE / 8, "{path}: {sent} bytes were taken");
            attacked.honest_call().await;
        }
    }
    let more = attacked.process.peak_memory() - before;
    assert!(more < ROOM_KB, "{} MiB more", more / 1024);
    attacked.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_that_stop_before_their_end_share_one_room() {
    let attacked = Attacked::start().await;
    let before = attacked.process.peak_memory();
    // Nobody is asked for a key here, and a body may be a MiB long.
    let head = format!(
        "POST /refresh HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        1_000_000
    );
    let almost = vec![b' '; 999_000];
    let mut waiting = Vec::new();
    for _ in 0..STOPPED {
        let mut stream = TcpStream::connect(attacked.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // Whoever is refused is cut off.
        let _ = stream.write_all(&almost).await;
        waiting.push(stream);
    }
    let mut refused = 0;
    for stream in &mut waiting {
        let mut answer = vec![0; 4_096];
        let answered = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut answer));
        if let Ok(Ok(length)) = answered.await {
            let answer = String::from_utf8_lossy(&answer[..length]);
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert!(answer.contains("retry-after: "), "{answer}");
            refused += 1;
        }
    }
    assert!(refused > STOPPED / 4, "{refused} of {STOPPED} were refused");
    attacked.honest_call().await;
    let more = attacked.process.peak_memory() - before;
    assert!(more < LARGE_ROOM_KB, "{} MiB more", more / 1024);
    drop(waiting);
    let large = traces(7_000);
    assert!(large.to_string().len() > 1_000_000);
    let call = attacked.client.post(format!("{}/ingest/traces", attacked.process.base));
    let answer = call.header("x-api-key", &attacked.key).json(&large).send().await.unwrap();
    assert_eq!(answer.status(), 200, "there is room again");
    attacked.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_of_any_size_are_refused_and_take_little() {
    let attacked = Attacked::start().await;
    let before = attacked.process.peak_memory();
    let one = format!("x-long: {}\r\n", "a".repeat(64 * 1024));
    let many = "x-short: aaaaaaaaaaaa\r\n".repeat(4_000);
    let path = "a".repeat(70_000);
    for _ in 0..50 {
        for head in [
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{one}\r\n"),
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n"),
            format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n"),
        ] {
            let mut stream = TcpStream::connect(attacked.address()).await.unwrap();
            let answer = answer(&mut stream, head.as_bytes()).await;
            let status = answer.get(9..12).unwrap_or_default();
            // Closed without a word where the client was still sending.
            assert!(["431", "414", ""].contains(&status), "{answer}");
        }
    }
    attacked.honest_call().await;
    let more = attacked.process.peak_memory() - before;
    assert!(more < ROOM_KB, "{} MiB more", more / 1024);
    attacked.stop();
}
