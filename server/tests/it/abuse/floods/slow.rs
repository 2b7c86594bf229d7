//! Clients that connect and then do next to nothing.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Attacked;

const SLOW: usize = 10_000;
/// What a client that is there and does nothing may take.
const KB_PER_CONNECTION: u64 = 48;
/// How long the head of a request may take (`crates/listener/src/timeouts.rs`).
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);
/// By how much later whoever takes longer is cut off, on a machine that is busy with ten thousand
/// of them.
const MOMENT: Duration = Duration::from_secs(10);
/// How often one of them sends a byte.
const NOW_AND_THEN: Duration = Duration::from_secs(8);
/// What they have sent: part of a head, nothing at all, part of the preface of HTTP/2.
const STARTS: [&str; 3] =
    ["POST /ingest/traces HTTP/1.1\r\nhost: x\r\nx-api-key: ", "", "PRI * HTTP/2.0\r\n"];

/// Whether the server has closed the connection, within what is left until `end`.
async fn is_cut_off(mut stream: TcpStream, end: Instant) -> bool {
    let mut answer = Vec::new();
    let read = tokio::time::timeout_at(end.into(), stream.read_to_end(&mut answer));
    // It may be told why, or be reset for the last byte that it sent.
    read.await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_slow_connections_are_closed_and_block_nobody() {
    let room = rlimit::increase_nofile_limit(32_768).unwrap();
    assert!(room > SLOW as u64 + 1_000, "the test needs more open files than {room}: ulimit -n");
    let attacked = Attacked::start().await;
    let mut slow = Vec::with_capacity(SLOW);
    for start in STARTS.iter().cycle().take(SLOW) {
        let mut stream = TcpStream::connect(attacked.address()).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let opened = Instant::now();
    attacked.honest_call().await;
    // A byte now and then keeps nothing alive.
    while opened.elapsed() + NOW_AND_THEN < HEAD_TIMEOUT {
        tokio::time::sleep(NOW_AND_THEN).await;
        for stream in slow.iter_mut().step_by(STARTS.len()) {
            // Whoever came first may be cut off by now.
            let _ = stream.write_all(b"l").await;
        }
        attacked.honest_call().await;
    }
    let took = attacked.took();
    eprintln!("{took} kB for {SLOW} connections");
    assert!(took / (SLOW as u64) < KB_PER_CONNECTION, "{took} kB for {SLOW} connections");
    let mut kept = [0; STARTS.len()];
    for (number, stream) in slow.into_iter().enumerate() {
        let was_cut_off = is_cut_off(stream, opened + HEAD_TIMEOUT + MOMENT).await;
        kept[number % STARTS.len()] += usize::from(!was_cut_off);
    }
    assert_eq!(kept, [0; STARTS.len()], "of those that sent {STARTS:?}");
    attacked.survived(SLOW as u64 * KB_PER_CONNECTION).await;
}
