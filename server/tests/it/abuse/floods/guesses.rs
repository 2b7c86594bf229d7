//! Somebody who tries keys, as many as a machine can send.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Attacked, ROOM_KB, status};
use crate::test_app::unknown_key;

/// A debug build needs some milliseconds for each, on both sides.
const GUESSES: usize = if cfg!(debug_assertions) { 20_000 } else { 100_000 };
/// How many a minute are looked up and told that they are unknown.
const A_MINUTE: usize = 60;
const GUESSERS: usize = 20;
/// How many guesses are sent before the first of them is answered.
const AT_ONCE: usize = 50;

/// Reads one answer of several.
async fn answer(stream: &mut BufReader<TcpStream>) -> String {
    let (mut answer, mut length) = (String::new(), 0);
    while !answer.ends_with("\r\n\r\n") {
        let start = answer.len();
        assert_ne!(stream.read_line(&mut answer).await.unwrap(), 0, "cut off: {answer}");
        if let Some(told) = answer[start..].strip_prefix("content-length: ") {
            length = told.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    answer + &String::from_utf8(body).unwrap()
}

/// Tries keys on one connection; how often it was told to wait.
async fn guess(address: String) -> usize {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let mut told_to_wait = 0;
    for _ in 0..GUESSES / GUESSERS / AT_ONCE {
        let keys: Vec<_> = std::iter::repeat_with(unknown_key).take(AT_ONCE).collect();
        let guess = |key| {
            format!(
                "POST /ingest/traces HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\
                 content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
            )
        };
        let guesses: String = keys.iter().map(guess).collect();
        stream.write_all(guesses.as_bytes()).await.unwrap();
        for key in keys {
            let answer = answer(&mut stream).await;
            assert!(!answer.contains(&key), "what was sent is not repeated");
            if status(&answer) == "429" {
                assert!(answer.contains("retry-after: "), "{answer}");
                let why = "Too many unknown or malformed keys from this IP address";
                assert!(answer.contains(why), "{answer}");
                told_to_wait += 1;
            } else {
                assert_eq!(status(&answer), "401", "{answer}");
            }
        }
    }
    told_to_wait
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_guesses_gets_429_and_delays_no_other_call() {
    let attacked = Attacked::start().await;
    let over = AtomicBool::new(false);
    let began = Instant::now();
    let flood = async {
        let guessers = (0..GUESSERS).map(|_| tokio::spawn(guess(attacked.address().to_owned())));
        let told = futures::future::join_all(guessers).await;
        over.store(true, Ordering::Relaxed);
        told.into_iter().map(Result::unwrap).sum::<usize>()
    };
    let honest = async {
        while !over.load(Ordering::Relaxed) {
            attacked.honest_call().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (told_to_wait, ()) = tokio::join!(flood, honest);
    let took = began.elapsed();
    let rate = GUESSES as u128 * 1_000 / took.as_millis();
    eprintln!("{GUESSES} guesses of different keys, {rate} a second");
    let minutes = usize::try_from(took.as_secs() / 60).unwrap() + 1;
    let least = GUESSES - A_MINUTE * minutes;
    assert!(told_to_wait >= least, "{told_to_wait} of {GUESSES} were told to wait, not {least}");
    attacked.survived(ROOM_KB).await;
}
