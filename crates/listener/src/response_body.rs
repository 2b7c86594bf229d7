//! A response body that records how much of it the client has not read.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Buf, Frame, SizeHint};

use super::progress::{StreamGuard, WaitingBytes};

/// A body and the request that it belongs to.
pub(super) struct TrackedBody {
    body: Body,
    stream: StreamGuard,
}

impl TrackedBody {
    pub(super) const fn new(body: Body, stream: StreamGuard) -> Self {
        Self { body, stream }
    }
}

impl hyper::body::Body for TrackedBody {
    type Data = BodyChunk;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<BodyChunk>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let part = |bytes: Bytes| BodyChunk { waiting: self.stream.hand_over(bytes.len()), bytes };
        polled.map_ok(|frame| frame.map_data(part))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A chunk of a response that hyper holds until the socket has taken it.
pub(super) struct BodyChunk {
    bytes: Bytes,
    waiting: WaitingBytes,
}

impl Buf for BodyChunk {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.waiting.take(count);
    }
}
