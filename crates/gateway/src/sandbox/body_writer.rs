//! Response bodies that are generated while the client reads them.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use latchkey_checker::CallSlot;

/// Approximate size of a chunk. A shorter body is sent at once.
const CHUNK_BYTES: usize = 32 * 1024;

/// A body that is written in small parts.
pub(super) trait BodyWriter: Send + 'static {
    /// Writes the next part. Returns false if there was none.
    fn write(&mut self, to: &mut Vec<u8>) -> bool;
}

/// Responds with what `writer` writes. The call occupies its `slot` until the last chunk is read.
pub(super) fn respond(
    kind: &'static str,
    mut writer: impl BodyWriter,
    slot: Option<CallSlot>,
) -> Response {
    let first = next_chunk(&mut writer);
    let body = if first.len() < CHUNK_BYTES {
        drop(slot);
        Body::from(first)
    } else {
        let rest = futures::stream::unfold((first, writer, slot), async |(next, writer, slot)| {
            let (next, mut writer): (Bytes, _) = (next, writer);
            if next.is_empty() {
                return None;
            }
            // A fast client would read everything at once; let other tasks run in between.
            tokio::task::yield_now().await;
            let after = next_chunk(&mut writer);
            Some((Ok::<_, Infallible>(next), (after, writer, slot)))
        });
        Body::from_stream(rest)
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The next chunk. Empty at the end.
fn next_chunk(writer: &mut impl BodyWriter) -> Bytes {
    let mut out = Vec::with_capacity(CHUNK_BYTES);
    while out.len() < CHUNK_BYTES && writer.write(&mut out) {}
    out.into()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// This many parts of 1,000 bytes.
    struct Thousands(usize);

    impl BodyWriter for Thousands {
        fn write(&mut self, to: &mut Vec<u8>) -> bool {
            if self.0 == 0 {
                return false;
            }
            self.0 -= 1;
            to.extend(std::iter::repeat_n(b'x', 1_000));
            true
        }
    }

    #[tokio::test]
    async fn long_body_is_written_in_chunks() {
        for (parts, frames) in [(0, 0), (1, 1), (31, 1), (33, 1), (34, 2), (1_000, 31)] {
            let mut body = respond("text/plain", Thousands(parts), None).into_body();
            let (mut length, mut seen) = (0, 0);
            while let Some(frame) = body.frame().await {
                let data = frame.unwrap().into_data().unwrap();
                assert!(data.len() < CHUNK_BYTES + 1_000);
                length += data.len();
                seen += 1;
            }
            assert_eq!((length, seen), (parts * 1_000, frames));
        }
    }
}
