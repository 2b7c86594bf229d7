//! HTTP as bytes: a client, and servers that keep what reached them.
//!
//! A client library would hide what these tests are about: lines that come twice, what stands
//! before an upgrade, who closes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than any recipe waits.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A request or a response as it was sent; names of headers in lower case.
#[derive(Clone, Debug)]
pub(super) struct WireMessage {
    pub(super) first_line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl WireMessage {
    fn parse(head: &[u8]) -> Self {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let first_line = lines.next().unwrap_or_default().to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_lowercase(), value.trim().to_owned()))
        };
        Self { first_line, headers: lines.filter_map(header).collect(), body: Vec::new() }
    }

    /// The values of all lines of a header.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(of, _)| of == name);
        lines.map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub(super) fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// What is asked for, of a request.
    pub(super) fn target(&self) -> &str {
        self.first_line.split(' ').nth(1).unwrap_or_default()
    }

    pub(super) fn method(&self) -> &str {
        self.first_line.split(' ').next().unwrap_or_default()
    }
}

/// A request with its `Host`, and the length of its body if it has one.
pub(super) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    message(&format!("{method} {path} HTTP/1.1\r\nhost: example.test"), headers, body)
}

/// A response, with its length.
pub(super) fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let first = format!("HTTP/1.1 {status}");
    if body.is_empty() {
        return message(&first, &[headers, &[("content-length", length.as_str())]].concat(), body);
    }
    message(&first, headers, body)
}

fn message(first: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let lines = headers.iter().flat_map(|(name, value)| [*name, ": ", *value, "\r\n"]);
    let lines: String = lines.collect();
    let length =
        if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let mut bytes = format!("{first}\r\n{lines}{length}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Reads some more; whether there was more.
fn fill(stream: &mut TcpStream, rest: &mut Vec<u8>) -> bool {
    let mut buffer = vec![0; 65_536];
    match stream.read(&mut buffer) {
        Ok(0) | Err(_) => false,
        Ok(count) => {
            rest.extend_from_slice(&buffer[..count]);
            true
        }
    }
}

/// Reads a head; none if the peer closes before its end.
fn read_head(stream: &mut TcpStream, rest: &mut Vec<u8>) -> Option<WireMessage> {
    loop {
        let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(end) = end {
            let head: Vec<u8> = rest.drain(..end + 4).collect();
            return Some(WireMessage::parse(&head[..end]));
        }
        if !fill(stream, rest) {
            return None;
        }
    }
}

/// Reads a body as its head says.
fn read_body(stream: &mut TcpStream, rest: &mut Vec<u8>, head: &WireMessage) -> Vec<u8> {
    if head.header("transfer-encoding").is_some() {
        return read_chunks(stream, rest);
    }
    let length = head.header("content-length").and_then(|length| length.parse().ok());
    let length: usize = length.unwrap_or(0);
    while rest.len() < length && fill(stream, rest) {}
    rest.drain(..length.min(rest.len())).collect()
}

fn read_chunks(stream: &mut TcpStream, rest: &mut Vec<u8>) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|bytes| bytes == b"\r\n");
        let Some(line) = line else {
            if fill(stream, rest) {
                continue;
            }
            return body;
        };
        let size = std::str::from_utf8(&rest[..line]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok()).unwrap_or(0);
        let (begin, end) = (line + 2, line + 2 + size);
        while rest.len() < end + 2 {
            if !fill(stream, rest) {
                return body;
            }
        }
        body.extend_from_slice(&rest[begin..end]);
        rest.drain(..end + 2);
        if size == 0 {
            return body;
        }
    }
}

fn connect(port: u16, timeout: Duration) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(timeout)).unwrap();
    stream
}

/// The answer to a request, as it was sent; none within that time if it is `None`.
pub(super) async fn try_ask(port: u16, request: Vec<u8>, timeout: Duration) -> Option<WireMessage> {
    let answer = move || -> Option<WireMessage> {
        let mut stream = connect(port, timeout);
        // Whoever refuses may close before it has read the body.
        let _ = stream.write_all(&request);
        let mut rest = Vec::new();
        loop {
            let mut answer = read_head(&mut stream, &mut rest)?;
            if answer.status() == 100 {
                continue;
            }
            if !request.starts_with(b"HEAD ") {
                answer.body = read_body(&mut stream, &mut rest, &answer);
            }
            return Some(answer);
        }
    };
    tokio::task::spawn_blocking(answer).await.unwrap()
}

pub(super) async fn ask(port: u16, request: Vec<u8>) -> WireMessage {
    try_ask(port, request, ANSWER_TIMEOUT).await.expect("an answer")
}

/// The beginning of the body of an answer that goes on; none if nothing of it comes.
pub(super) async fn first_of_stream(port: u16, request: Vec<u8>) -> Option<Vec<u8>> {
    let beginning = move || -> Option<Vec<u8>> {
        let mut stream = connect(port, Duration::from_secs(5));
        stream.write_all(&request).ok()?;
        let mut rest = Vec::new();
        read_head(&mut stream, &mut rest)?;
        while rest.is_empty() {
            if !fill(&mut stream, &mut rest) {
                return None;
            }
        }
        Some(rest)
    };
    tokio::task::spawn_blocking(beginning).await.unwrap()
}

/// What makes a request one to upgrade to WebSocket.
pub(super) const UPGRADE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Upgrades and sends some bytes; the response, and what came back after it.
pub(super) async fn upgrade(port: u16, headers: &[(&str, &str)]) -> (WireMessage, Vec<u8>) {
    let request = request("GET", "/socket", &[headers, &UPGRADE].concat(), b"");
    let answer = move || {
        let mut stream = connect(port, ANSWER_TIMEOUT);
        stream.write_all(&request).unwrap();
        let mut rest = Vec::new();
        let answer = read_head(&mut stream, &mut rest).expect("an answer");
        if answer.status() == 101 {
            stream.write_all(b"ping").unwrap();
            while rest.len() < 4 && fill(&mut stream, &mut rest) {}
        }
        (answer, rest)
    };
    tokio::task::spawn_blocking(answer).await.unwrap()
}

/// What a server answers; an empty answer closes the connection.
type Answer = fn(&WireMessage) -> Vec<u8>;

/// A server that keeps each request that reached it. After a 101 it sends back what it gets.
pub(super) struct RecordingServer {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<WireMessage>>>,
}

impl RecordingServer {
    pub(super) fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let noted = Arc::clone(&noted);
                std::thread::spawn(move || serve(stream, &noted, answer));
            }
        });
        Self { port, seen }
    }

    /// What has reached it since the last call.
    pub(super) fn take(&self) -> Vec<WireMessage> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<WireMessage>>, answer: Answer) {
    let mut rest = Vec::new();
    while let Some(mut request) = read_head(&mut stream, &mut rest) {
        if request.header("expect").is_some() {
            let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        request.body = read_body(&mut stream, &mut rest, &request);
        let upgrades = request.header("upgrade").is_some();
        let answer = answer(&request);
        seen.lock().unwrap().push(request);
        if answer.is_empty() || stream.write_all(&answer).is_err() {
            return;
        }
        if upgrades {
            while fill(&mut stream, &mut rest) {
                let _ = stream.write_all(&rest);
                rest.clear();
            }
            return;
        }
    }
}
