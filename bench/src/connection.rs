//! A minimal keep-alive HTTP/1.1 connection: it sends prepared bytes and finds the end of the
//! response. Its own cost is small beside what it measures.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stopwatch::Stopwatch;

/// Maximum number of response headers. Our responses have fewer.
const MOST_HEADERS: usize = 64;

/// An open HTTP/1.1 connection to the server.
pub struct Connection {
    stream: TcpStream,
    /// Received bytes that are not parsed yet.
    unread: Vec<u8>,
}

/// Status and times of a request and its response.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    /// HTTP status of the response.
    pub status: u16,
    /// From the first byte sent to the first byte of the body.
    pub first_byte: Duration,
    /// From the first byte sent to the last byte of the body.
    pub whole: Duration,
}

/// How a body ends.
#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
}

impl Connection {
    /// Opens a connection.
    ///
    /// # Errors
    /// Nothing listens at `address`.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and reads the whole response.
    ///
    /// # Errors
    /// The connection breaks, or the response is not valid HTTP.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Exchange> {
        Ok(self.exchange_and_look(request, |_| ()).await?.0)
    }

    /// As [`Self::exchange`], and passes the raw body to `look`: a chunked body is still chunked.
    ///
    /// # Errors
    /// The connection breaks, or the response is not valid HTTP.
    pub async fn exchange_and_look<T>(
        &mut self,
        request: &[u8],
        look: impl FnOnce(&[u8]) -> T,
    ) -> anyhow::Result<(Exchange, T)> {
        let watch = Stopwatch::start();
        self.stream.write_all(request).await?;
        let (status, framing) = self.head().await?;
        if self.unread.is_empty() && !matches!(framing, Framing::Length(0)) {
            self.read().await?;
        }
        let first_byte = watch.elapsed();
        let length = match framing {
            Framing::Length(length) => self.whole(length).await?,
            Framing::Chunked => self.whole_chunks().await?,
        };
        let exchange = Exchange { status, first_byte, whole: watch.elapsed() };
        let seen = look(&self.unread[..length]);
        self.unread.drain(..length);
        Ok((exchange, seen))
    }

    async fn head(&mut self) -> anyhow::Result<(u16, Framing)> {
        loop {
            if let Some((length, status, framing)) = parse(&self.unread)? {
                self.unread.drain(..length);
                return Ok((status, framing));
            }
            self.read().await?;
        }
    }

    /// Reads a whole body and returns its length.
    async fn whole(&mut self, length: usize) -> anyhow::Result<usize> {
        while self.unread.len() < length {
            self.read().await?;
        }
        Ok(length)
    }

    async fn whole_chunks(&mut self) -> anyhow::Result<usize> {
        // Start of the next chunk.
        let mut at = 0;
        loop {
            match httparse::parse_chunk_size(&self.unread[at..]) {
                Ok(httparse::Status::Complete((head, size))) => {
                    at = self.whole(at + head + usize::try_from(size)? + 2).await?;
                    if size == 0 {
                        return Ok(at);
                    }
                }
                Ok(httparse::Status::Partial) => self.read().await?,
                Err(_) => bail!("what comes is no chunk"),
            }
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.unread).await? == 0 {
            bail!("the server has closed the connection");
        }
        Ok(())
    }
}

/// Length of the head, status, and framing of the body; `None` if the head is incomplete.
fn parse(bytes: &[u8]) -> anyhow::Result<Option<(usize, u16, Framing)>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(bytes)? else { return Ok(None) };
    let value = |name: &str| {
        let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    let framing = match value("content-length") {
        Some(length) => Framing::Length(length.parse()?),
        None if value("transfer-encoding").is_some() => Framing::Chunked,
        None => Framing::Length(0),
    };
    Ok(Some((length, head.code.unwrap_or_default(), framing)))
}

/// A POST request with a JSON body.
#[must_use]
pub fn post(address: SocketAddr, path: &str, key: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A GET request.
#[must_use]
pub fn get(address: SocketAddr, path: &str, key: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\r\n")
        .into_bytes()
}

/// A GET request whose key is in `x-api-key`.
#[must_use]
pub fn get_with_api_key(address: SocketAddr, path: &str, key: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nx-api-key: {key}\r\n\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn answered(answers: &'static [&'static [u8]], times: usize) -> Vec<(u16, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in answers {
                stream.write_all(answer).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // Keep the connection open: only the response's own framing may end it.
            std::future::pending::<()>().await;
        });
        let mut connection = Connection::open(address).await.unwrap();
        let mut seen = Vec::new();
        for _ in 0..times {
            let look = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
            let (exchange, body) = connection.exchange_and_look(b"x", look).await.unwrap();
            seen.push((exchange.status, body));
        }
        assert!(connection.unread.is_empty());
        seen
    }

    #[tokio::test]
    async fn responses_end_where_their_framing_says() {
        let plain: &[&[u8]] = &[
            b"HTTP/1.1 200 OK\r\nContent-Le",
            b"ngth: 4\r\n\r\nab",
            b"cdHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        ];
        assert_eq!(answered(plain, 2).await, [(200, "abcd".into()), (404, String::new())]);
        let chunked: &[&[u8]] = &[
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1",
            b"0\r\n0123456789abcdef\r",
            b"\n0\r\n\r",
            b"\nHTTP/1.1 429 No\r\ncontent-length: 1\r\n\r\nx",
        ];
        let body = "3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";
        assert_eq!(answered(chunked, 2).await, [(200, body.into()), (429, "x".into())]);
    }
}
