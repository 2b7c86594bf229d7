//! An upstream's answer, piece by piece and unpacked.
//!
//! Nothing is asked to be compressed, but some servers do it unasked, and clients that did not ask
//! either can't read it.

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

use super::upstream_client::{AnswerStream, UpstreamAnswer};

/// What is unpacked at once.
const PIECE: usize = 16 * 1024;
/// What is logged of a cause, in bytes.
const LONGEST_CAUSE: usize = 500;

/// The body of an answer.
pub(super) enum AnswerBody {
    Plain(AnswerStream),
    Packed(Pin<Box<dyn AsyncRead + Send>>),
}

/// Why an answer did not go on.
#[derive(Debug)]
pub(super) enum Broken {
    /// Nothing came in time.
    Silent,
    /// The connection broke, or what came can't be unpacked.
    Failed(String),
}

impl AnswerBody {
    /// Takes an answer's body.
    pub(super) fn of(answer: UpstreamAnswer) -> Self {
        let UpstreamAnswer { headers, body, .. } = answer;
        let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Self::Plain(body) };
        let bytes = |body: AnswerStream| StreamReader::new(body.map_err(io::Error::other));
        match encoding.as_bytes().to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Self::Packed(Box::pin(GzipDecoder::new(bytes(body)))),
            b"deflate" => Self::Packed(Box::pin(ZlibDecoder::new(bytes(body)))),
            b"br" => Self::Packed(Box::pin(BrotliDecoder::new(bytes(body)))),
            b"zstd" => Self::Packed(Box::pin(ZstdDecoder::new(bytes(body)))),
            _ => Self::Plain(body),
        }
    }

    /// What comes next; none: the answer is whole.
    pub(super) async fn next(&mut self, silence: Duration) -> Result<Option<Bytes>, Broken> {
        match tokio::time::timeout(silence, self.piece()).await {
            Ok(piece) => piece.map_err(Broken::Failed),
            Err(_) => Err(Broken::Silent),
        }
    }

    /// What has come already; none: the rest has to be waited for.
    pub(super) fn next_if_there(&mut self) -> Option<Result<Option<Bytes>, Broken>> {
        let piece = match self {
            Self::Plain(body) => match body.poll_now() {
                Poll::Ready(piece) => told(piece),
                Poll::Pending => return None,
            },
            Self::Packed(_) => self.piece().now_or_never()?,
        };
        Some(piece.map_err(Broken::Failed))
    }

    async fn piece(&mut self) -> Piece {
        match self {
            Self::Plain(body) => told(body.next().await),
            Self::Packed(reader) => {
                let mut piece = Vec::with_capacity(PIECE);
                match reader.read_buf(&mut piece).await {
                    Ok(0) => Ok(None),
                    Ok(_) => Ok(Some(piece.into())),
                    Err(error) => Err(cause(&error)),
                }
            }
        }
    }
}

type Piece = Result<Option<Bytes>, String>;

fn told(piece: Option<hyper::Result<Bytes>>) -> Piece {
    piece.transpose().map_err(|error| cause(&error))
}

/// An error with what it was caused by, in one bounded line.
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
    if let Some((end, _)) = text.char_indices().find(|(at, _)| *at >= LONGEST_CAUSE) {
        text.truncate(end);
    }
    text
}
