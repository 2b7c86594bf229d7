//! An upstream's answer, piece by piece and unpacked.
//!
//! Nothing is asked to be compressed, but some servers do it unasked, and clients that did not ask
//! either can't read it.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use axum::body::Bytes;
use axum::http::header::CONTENT_ENCODING;
use futures::TryStreamExt;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;

/// What is unpacked at once.
const PIECE: usize = 16 * 1024;
/// What is logged of a cause, in bytes.
const LONGEST_CAUSE: usize = 500;

/// The body of an answer.
pub(super) enum AnswerBody {
    Plain(reqwest::Response),
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
    pub(super) fn of(answer: reqwest::Response) -> Self {
        let encoding =
            answer.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().to_vec());
        let Some(encoding) = encoding else { return Self::Plain(answer) };
        let bytes = |answer: reqwest::Response| {
            StreamReader::new(answer.bytes_stream().map_err(io::Error::other))
        };
        match encoding.to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Self::Packed(Box::pin(GzipDecoder::new(bytes(answer)))),
            b"deflate" => Self::Packed(Box::pin(ZlibDecoder::new(bytes(answer)))),
            b"br" => Self::Packed(Box::pin(BrotliDecoder::new(bytes(answer)))),
            b"zstd" => Self::Packed(Box::pin(ZstdDecoder::new(bytes(answer)))),
            _ => Self::Plain(answer),
        }
    }

    /// What comes next; none: the answer is whole.
    pub(super) async fn next(&mut self, silence: Duration) -> Result<Option<Bytes>, Broken> {
        match tokio::time::timeout(silence, self.piece()).await {
            Ok(piece) => piece.map_err(Broken::Failed),
            Err(_) => Err(Broken::Silent),
        }
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, String> {
        match self {
            Self::Plain(answer) => {
                answer.chunk().await.map_err(|error| cause(&error.without_url()))
            }
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
