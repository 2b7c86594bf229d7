//! An upstream's answer, piece by piece and unpacked.
//!
//! Nothing is asked to be compressed, but some servers do it unasked, and clients that did not ask
//! either can't read it.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use axum::body::Bytes;
use axum::http::header::CONTENT_ENCODING;
use futures::TryStreamExt;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::io::StreamReader;
use tokio_util::task::AbortOnDropHandle;

/// What is unpacked at once.
const PIECE: usize = 16 * 1024;
/// How much of a stream is read before it is taken: bytes, beyond one piece, and pieces.
const MOST_AHEAD: usize = 64 * 1024;
const MOST_PIECES_AHEAD: usize = 64;
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

    /// Reads on while what has come is worked on, as far as [`MOST_AHEAD`].
    pub(super) fn read_ahead(mut self) -> ReadAhead {
        let (sender, pieces) = mpsc::channel(MOST_PIECES_AHEAD);
        let room = Arc::new(Semaphore::new(MOST_AHEAD));
        let reading = tokio::spawn(async move {
            loop {
                let piece = self.piece().await;
                let is_last = !matches!(piece, Ok(Some(_)));
                let bytes = piece.as_ref().ok().and_then(Option::as_ref).map_or(0, Bytes::len);
                let takes = u32::try_from(bytes.min(MOST_AHEAD)).unwrap_or(u32::MAX);
                // It is never closed.
                let Ok(room) = Arc::clone(&room).acquire_many_owned(takes).await else { return };
                if sender.send((piece, room)).await.is_err() || is_last {
                    return;
                }
            }
        });
        ReadAhead { pieces, _reading: AbortOnDropHandle::new(reading) }
    }

    async fn piece(&mut self) -> Piece {
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

type Piece = Result<Option<Bytes>, String>;

/// An answer that is read by a task of its own, so that pieces which come in quick succession are
/// taken, and go on, together: the connection alone hands over one at a time.
pub(super) struct ReadAhead {
    /// With what each takes of [`MOST_AHEAD`].
    pieces: mpsc::Receiver<(Piece, OwnedSemaphorePermit)>,
    _reading: AbortOnDropHandle<()>,
}

impl ReadAhead {
    /// What comes next, as [`AnswerBody::next`] has it.
    pub(super) async fn next(&mut self, silence: Duration) -> Result<Option<Bytes>, Broken> {
        match tokio::time::timeout(silence, self.pieces.recv()).await {
            Ok(Some((piece, _))) => piece.map_err(Broken::Failed),
            Ok(None) => Ok(None),
            Err(_) => Err(Broken::Silent),
        }
    }

    /// What has come already; none: the rest has to be waited for.
    pub(super) fn next_if_there(&mut self) -> Option<Result<Option<Bytes>, Broken>> {
        let (piece, _) = self.pieces.try_recv().ok()?;
        Some(piece.map_err(Broken::Failed))
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
