//! Detects the protocol of a connection from its first bytes.
//!
//! hyper waits for these bytes without a timer; its time-outs start only afterwards. A client that
//! sends nothing, or only part of the HTTP/2 preface, would keep its connection for ever. The
//! watchdog closes it while the protocol is still unknown.

use std::io::{Error, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::progress::Progress;

/// The HTTP/2 preface. hyper treats everything else as HTTP/1.1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that inspects its first bytes.
pub(super) struct DetectedStream<S> {
    stream: S,
    progress: Arc<Progress>,
    /// The part of the preface that has not arrived; empty once the protocol is known.
    missing: &'static [u8],
}

impl<S> DetectedStream<S> {
    pub(super) const fn new(stream: S, progress: Arc<Progress>) -> Self {
        Self { stream, progress, missing: PREFACE }
    }

    /// An empty `read` means the end of the stream.
    fn inspect(&mut self, read: &[u8]) {
        let (expected, rest) = self.missing.split_at(read.len().min(self.missing.len()));
        let goes_on = !read.is_empty() && read.starts_with(expected);
        self.missing = if goes_on { rest } else { &[] };
        if !goes_on {
            self.progress.speaks_http1();
        } else if rest.is_empty() {
            self.progress.speaks_http2();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for DetectedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if !self.missing.is_empty() {
            self.inspect(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for DetectedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Protocol;

    fn detect(reads: &[&[u8]]) -> Protocol {
        let progress = Arc::new(Progress::default());
        let mut stream = DetectedStream::new((), Arc::clone(&progress));
        for read in reads {
            if !stream.missing.is_empty() {
                stream.inspect(read);
            }
        }
        progress.protocol()
    }

    #[test]
    fn protocol_is_detected_as_early_as_by_hyper() {
        let (begin, end) = PREFACE.split_at(10);
        for (reads, protocol) in [
            (&[PREFACE][..], Protocol::Http2),
            (&[begin, end], Protocol::Http2),
            (&[begin], Protocol::Unknown),
            (&[b"P", b"O"], Protocol::Http1),
            (&[b"GET / HTTP/1.1\r\nhost: a-longer-head-than-the-preface\r\n"], Protocol::Http1),
            (&[begin, b""], Protocol::Http1),
            (&[], Protocol::Unknown),
        ] {
            assert_eq!(detect(reads), protocol, "{reads:?}");
        }
    }
}
