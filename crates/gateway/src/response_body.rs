//! Body of an upstream response: chunk by chunk, decompressed.
//!
//! The gateway does not ask for compression, but some servers compress anyway. Clients that did not
//! ask for it could not read the body.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use axum::body::Bytes;
use axum::http::header::CONTENT_ENCODING;
use futures::{FutureExt, StreamExt, TryStreamExt};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;

use super::upstream_client::{ResponseStream, UpstreamResponse};

/// Size of a decompressed chunk.
const DECODE_CHUNK_BYTES: usize = 16 * 1024;
/// Maximum length of an error's cause in the log.
const MAX_CAUSE_BYTES: usize = 500;

/// What administrators are told of a stream that lacks its end.
pub(super) const CUT_STREAM: &str = "The stream ended without its last event.";

/// A response body, decompressed if necessary.
pub(super) enum ResponseBody {
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
        let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Self::Plain(body) };
        let reader = |body: ResponseStream| StreamReader::new(body.map_err(io::Error::other));
        match encoding.as_bytes().to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Self::Compressed(Box::pin(GzipDecoder::new(reader(body)))),
            b"deflate" => Self::Compressed(Box::pin(ZlibDecoder::new(reader(body)))),
            b"br" => Self::Compressed(Box::pin(BrotliDecoder::new(reader(body)))),
            b"zstd" => Self::Compressed(Box::pin(ZstdDecoder::new(reader(body)))),
            _ => Self::Plain(body),
        }
    }

    /// Waits for the next chunk. None at the end of the body.
    pub(super) async fn next(
        &mut self,
        idle_timeout: Duration,
    ) -> Result<Option<Bytes>, BodyError> {
        match tokio::time::timeout(idle_timeout, self.chunk()).await {
            Ok(chunk) => chunk.map_err(BodyError::Failed),
            Err(_) => Err(BodyError::IdleTimeout),
        }
    }

    /// Returns the next chunk if it has already arrived. The outer None means that it has not.
    pub(super) fn next_if_ready(&mut self) -> Option<Result<Option<Bytes>, BodyError>> {
        let chunk = match self {
            Self::Plain(body) => match body.poll_now() {
                Poll::Ready(chunk) => into_chunk(chunk),
                Poll::Pending => return None,
            },
            Self::Compressed(_) => self.chunk().now_or_never()?,
        };
        Some(chunk.map_err(BodyError::Failed))
    }

    async fn chunk(&mut self) -> ChunkResult {
        match self {
            Self::Plain(body) => into_chunk(body.next().await),
            Self::Compressed(reader) => {
                let mut chunk = Vec::with_capacity(DECODE_CHUNK_BYTES);
                match reader.read_buf(&mut chunk).await {
                    Ok(0) => Ok(None),
                    Ok(_) => Ok(Some(chunk.into())),
                    Err(error) => Err(cause(&error)),
                }
            }
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
