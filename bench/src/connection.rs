//! A keep-alive connection of HTTP/1.1 that does no more than a bench needs: it sends bytes that were made before,
//! and finds the end of the answer. What it costs itself is small beside what it measures.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stopwatch::Stopwatch;

/// No answer of ours has more.
const MOST_HEADERS: usize = 64;

/// An open connection.
pub struct Connection {
    stream: TcpStream,
    /// What has come and was not read yet.
    unread: Vec<u8>,
}

/// One request and its answer.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    /// The status.
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
    /// Opens it.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a whole request and reads the whole answer.
    ///
    /// # Errors
    /// The connection breaks, or what comes is no answer.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Exchange> {
        let watch = Stopwatch::start();
        self.stream.write_all(request).await?;
        let (status, framing) = self.head().await?;
        if self.unread.is_empty() && !matches!(framing, Framing::Length(0)) {
            self.read().await?;
        }
        let first_byte = watch.elapsed();
        match framing {
            Framing::Length(length) => self.skip(length).await?,
            Framing::Chunked => self.skip_chunks().await?,
        }
        Ok(Exchange { status, first_byte, whole: watch.elapsed() })
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

    async fn skip(&mut self, length: usize) -> anyhow::Result<()> {
        while self.unread.len() < length {
            self.read().await?;
        }
        self.unread.drain(..length);
        Ok(())
    }

    async fn skip_chunks(&mut self) -> anyhow::Result<()> {
        // Where the next chunk begins.
        let mut at = 0;
        loop {
            match httparse::parse_chunk_size(&self.unread[at..]) {
                Ok(httparse::Status::Complete((head, size))) => {
                    at += head + usize::try_from(size)? + 2;
                    while self.unread.len() < at {
                        self.read().await?;
                    }
                    if size == 0 {
                        self.unread.drain(..at);
                        return Ok(());
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

/// The head's length, its status, and how the body ends; none: it is not whole yet.
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

/// The bytes of a POST with a JSON body.
#[must_use]
pub fn post(address: SocketAddr, path: &str, key: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn answered(answers: &'static [&'static [u8]], times: usize) -> Vec<u16> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in answers {
                stream.write_all(answer).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // It stays open: only the answer's own end may end it.
            std::future::pending::<()>().await;
        });
        let mut connection = Connection::open(address).await.unwrap();
        let mut statuses = Vec::new();
        for _ in 0..times {
            statuses.push(connection.exchange(b"x").await.unwrap().status);
        }
        assert!(connection.unread.is_empty());
        statuses
    }

    #[tokio::test]
    async fn answers_end_where_they_say() {
        let plain: &[&[u8]] = &[
            b"HTTP/1.1 200 OK\r\nContent-Le",
            b"ngth: 4\r\n\r\nab",
            b"cdHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        ];
        assert_eq!(answered(plain, 2).await, [200, 404]);
        let chunked: &[&[u8]] = &[
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1",
            b"0\r\n0123456789abcdef\r",
            b"\n0\r\n\r",
            b"\nHTTP/1.1 429 No\r\ncontent-length: 1\r\n\r\nx",
        ];
        assert_eq!(answered(chunked, 2).await, [200, 429]);
    }
}
