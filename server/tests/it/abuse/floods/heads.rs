//! Heads that are larger than any honest one.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Attacked, ROOM_KB};

/// How often each is sent.
const TIMES: usize = 50;

/// The first line of the answer to a head; none: the server closed while the client was still
/// sending.
async fn first_line(address: &str, head: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Whoever is refused before the end of what it sends may be cut off.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap().lines().next().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_of_any_size_are_refused_and_take_little() {
    let attacked = Attacked::start().await;
    let one = format!("x-long: {}\r\n", "a".repeat(64 * 1024));
    let many = "x-short: aaaaaaaaaaaa\r\n".repeat(4_000);
    let path = "a".repeat(70_000);
    for head in [
        format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{one}\r\n"),
        format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n"),
        format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n"),
    ] {
        let mut told = 0;
        for _ in 0..TIMES {
            if let Some(line) = first_line(attacked.address(), &head).await {
                assert_eq!(line, "HTTP/1.1 431 Request Header Fields Too Large");
                told += 1;
            }
        }
        assert!(told >= TIMES / 2, "told {told} of {TIMES} times: {}", &head[..32]);
    }
    attacked.survived(ROOM_KB).await;
}
