//! Body of an upstream response: chunk by chunk, decompressed.
//!
//! The gateway does not ask for compression, but some servers compress anyway. Clients that did not
//! ask for it could not read the body.

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use axum::body::Bytes;
use axum::http::header::CONTENT_ENCODING;
use futures::{Stream, TryStreamExt};
use tokio::io::AsyncRead;
use tokio::time::{Instant, Sleep};
use tokio_util::io::{StreamReader, poll_read_buf};

use super::upstream_client::{ResponseStream, UpstreamResponse};

/// Size of a decompressed chunk.
const DECODE_CHUNK_BYTES: usize = 16 * 1024;
/// Maximum length of an error's cause in the log.
const MAX_CAUSE_BYTES: usize = 500;

/// What administrators are told of a stream that lacks its end.
pub(super) const CUT_STREAM: &str = "The stream ended without its last event.";

/// A response body, decompressed if necessary.
pub(super) struct ResponseBody {
    source: BodySource,
    idle: IdleTimer,
}

enum BodySource {
    Plain(ResponseStream),
    Compressed(Pin<Box<dyn AsyncRead + Send>>),
}

/// Why a body ended early.
#[derive(Debug)]
pub(super) enum BodyError {
    /// No bytes arrived within the idle time-out.
    IdleTimeout,
    /// The connection broke, or decompression failed.
    Failed(String),
}

impl BodyError {
    /// For administrators, without hosts and credentials.
    pub(super) const fn message(&self) -> &'static str {
        match self {
            Self::IdleTimeout => "The answer paused for too long.",
            Self::Failed(_) => "The answer broke off.",
        }
    }
}

impl ResponseBody {
    /// Wraps the body of a response.
    pub(super) fn decode(response: UpstreamResponse) -> Self {
        let UpstreamResponse { headers, body, .. } = response;
        let source = match headers.get(CONTENT_ENCODING) {
            Some(encoding) => BodySource::decoded(body, encoding.as_bytes()),
            None => BodySource::Plain(body),
        };
        Self { source, idle: IdleTimer::default() }
    }

    /// Waits for the next chunk. None at the end of the body.
    pub(super) async fn next(
        &mut self,
        idle_timeout: Duration,
    ) -> Result<Option<Bytes>, BodyError> {
        self.idle.stop();
        poll_fn(|context| self.poll_next(idle_timeout, context)).await
    }

    fn poll_next(
        &mut self,
        idle_timeout: Duration,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, BodyError>> {
        if let Poll::Ready(chunk) = self.source.poll_next(context) {
            return Poll::Ready(chunk.map_err(BodyError::Failed));
        }
        self.idle.poll_elapsed(idle_timeout, context).map(|()| Err(BodyError::IdleTimeout))
    }

    /// Returns the next chunk if it has already arrived. The outer None means that it has not.
    pub(super) fn next_if_ready(&mut self) -> Option<Result<Option<Bytes>, BodyError>> {
        match self.source.poll_now() {
            Poll::Ready(chunk) => Some(chunk.map_err(BodyError::Failed)),
            Poll::Pending => None,
        }
    }
}

impl BodySource {
    fn decoded(body: ResponseStream, encoding: &[u8]) -> Self {
        let reader = |body: ResponseStream| StreamReader::new(body.map_err(io::Error::other));
        match encoding.to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Self::Compressed(Box::pin(GzipDecoder::new(reader(body)))),
            b"deflate" => Self::Compressed(Box::pin(ZlibDecoder::new(reader(body)))),
            b"br" => Self::Compressed(Box::pin(BrotliDecoder::new(reader(body)))),
            b"zstd" => Self::Compressed(Box::pin(ZstdDecoder::new(reader(body)))),
            _ => Self::Plain(body),
        }
    }

    /// Returns what has already arrived. If pending, no waker was registered.
    fn poll_now(&mut self) -> Poll<ChunkResult> {
        match self {
            Self::Plain(body) => body.poll_now().map(into_chunk),
            Self::Compressed(reader) => {
                poll_decoded(reader.as_mut(), &mut Context::from_waker(Waker::noop()))
            }
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<ChunkResult> {
        match self {
            Self::Plain(body) => Pin::new(body).poll_next(context).map(into_chunk),
            Self::Compressed(reader) => poll_decoded(reader.as_mut(), context),
        }
    }
}

fn poll_decoded(
    reader: Pin<&mut (dyn AsyncRead + Send)>,
    context: &mut Context<'_>,
) -> Poll<ChunkResult> {
    let mut chunk = Vec::with_capacity(DECODE_CHUNK_BYTES);
    Poll::Ready(match ready!(poll_read_buf(reader, context, &mut chunk)) {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(chunk.into())),
        Err(error) => Err(cause(&error)),
    })
}

/// The time-out between two chunks, with one timer for the whole body. To set a timer takes a lock
/// that all streams share, so it fires at the deadline of an earlier wait and is only then set to
/// that of the current one.
#[derive(Default)]
struct IdleTimer {
    /// When the current wait is over. None until it has begun.
    deadline: Option<Instant>,
    /// None until something was waited for.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    /// Ends the current wait.
    const fn stop(&mut self) {
        self.deadline = None;
    }

    /// Begins a wait or goes on with it. Ready when it has taken `limit`.
    fn poll_elapsed(&mut self, limit: Duration, context: &mut Context<'_>) -> Poll<()> {
        // Told by the clock of the timer. What is never polled sets no timer.
        let begin = || tokio::time::sleep(limit).deadline();
        let deadline = *self.deadline.get_or_insert_with(begin);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        loop {
            ready!(sleep.as_mut().poll(context));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

type ChunkResult = Result<Option<Bytes>, String>;

fn into_chunk(chunk: Option<hyper::Result<Bytes>>) -> ChunkResult {
    chunk.transpose().map_err(|error| cause(&error))
}

/// An error with its chain of causes on one line of bounded length.
pub(super) fn cause(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    if let Some((end, _)) = text.char_indices().find(|(at, _)| *at >= MAX_CAUSE_BYTES) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn idle_timer_counts_from_the_last_chunk() {
        let mut timer = IdleTimer::default();
        for _ in 0..3 {
            timer.stop();
            let elapsed = poll_fn(|context| timer.poll_elapsed(LIMIT, context));
            assert!(timeout(Duration::from_secs(9), elapsed).await.is_err());
        }
        timer.stop();
        let elapsed = poll_fn(|context| timer.poll_elapsed(LIMIT, context));
        assert!(timeout(Duration::from_secs(11), elapsed).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn idle_timer_fires_in_the_first_wait() {
        let mut timer = IdleTimer::default();
        let elapsed = poll_fn(|context| timer.poll_elapsed(LIMIT, context));
        assert!(timeout(Duration::from_secs(11), elapsed).await.is_ok());
    }
}
