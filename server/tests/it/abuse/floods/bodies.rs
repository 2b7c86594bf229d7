//! Bodies without end, and bodies that stop before theirs.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Attacked, ROOM_KB, status};
use crate::test_app::traces;

const GIBIBYTE: usize = 1 << 30;
/// Large bodies that stop before their end, half as many again as there is room for.
const STOPPED: usize = 400;
/// The room for large bodies, and what buffers that grow take beside.
const LARGE_ROOM_KB: u64 = (256 + 256) * 1024;

/// Sends a body of a gibibyte after this; the answer, and how much was taken until it came.
async fn flood(address: &str, head: String) -> (String, usize) {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
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
    drop(read);
    (String::from_utf8_lossy(&answer[..length]).into_owned(), sender.await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_gibibyte_is_refused_long_before_its_end() {
    let attacked = Attacked::start().await;
    let announced = format!("content-length: {GIBIBYTE}\r\n\r\n");
    // One chunk, which a server may be told is as long as anything.
    let chunked = format!("transfer-encoding: chunked\r\n\r\n{GIBIBYTE:x}\r\n");
    let create = format!("/v1/projects/{}/keys", attacked.project);
    let (key, jwt) = (&attacked.key, &attacked.jwt);
    // The gateway refuses a key of another kind before it looks at the body.
    let inference = attacked.inference_key().await;
    for (path, key, bearer) in [
        ("/ingest/traces", key, key),
        ("/v1/logs", key, key),
        // Two different keys would be refused for that.
        ("/v1/chat/completions", &inference, &inference),
        ("/refresh", key, key),
        ("/v1/keys/verify", key, jwt),
        (&create, key, jwt),
    ] {
        for framing in [&announced, &chunked] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nauthorization: Bearer {bearer}\r\n\
                 content-type: application/json\r\n{framing}"
            );
            let (answer, sent) = flood(attacked.address(), head).await;
            assert_eq!(status(&answer), "413", "{path}: {answer}");
            assert!(sent < GIBIBYTE / 8, "{path}: {sent} bytes were taken");
            attacked.honest_call().await;
        }
    }
    attacked.survived(ROOM_KB).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_that_stop_before_their_end_share_one_room() {
    let attacked = Attacked::start().await;
    let head = format!(
        "POST /ingest/traces HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: application/json\r\n\
         content-length: 1000000\r\n\r\n",
        attacked.key
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
    // Strangers take nothing of the room.
    let strangers = "POST /refresh HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                     content-length: 70000\r\n\r\n";
    let mut stranger = TcpStream::connect(attacked.address()).await.unwrap();
    stranger.write_all(strangers.as_bytes()).await.unwrap();
    // Whoever is refused is cut off.
    let _ = stranger.write_all(&vec![b' '; 70_000]).await;
    let mut answer = vec![0; 4_096];
    let length = stranger.read(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer[..length]).starts_with("HTTP/1.1 413 "));
    drop(waiting);
    let large = traces(7_000);
    assert!(large.to_string().len() > 1_000_000);
    let call = attacked.client.post(format!("{}/ingest/traces", attacked.process.base));
    let answer = call.header("x-api-key", &attacked.key).json(&large).send().await.unwrap();
    assert_eq!(answer.status(), 200, "there is room again");
    attacked.survived(LARGE_ROOM_KB).await;
}
