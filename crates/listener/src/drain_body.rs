//! Reads request bodies to their end when the handler does not.
//!
//! A body that is not read to its end closes the connection without notice. A client that has put
//! the connection back into its pool then fails with its next call. So a short body is read even if
//! its request was refused because of its head.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::body_budget::BodyPermit;

/// A longer body costs its client the connection.
const SHORT: u64 = 64 * 1024;
/// So does one that is slow.
const MOMENT: Duration = Duration::from_millis(500);

/// A request's body. When it is dropped, a short rest is read and forgotten.
pub struct DrainedBody {
    body: Option<Incoming>,
    /// What it takes of the budget for all bodies, if it may take any.
    permit: Option<Arc<BodyPermit>>,
}

impl DrainedBody {
    pub(crate) const fn new(body: Incoming, permit: Option<Arc<BodyPermit>>) -> Self {
        Self { body: Some(body), permit }
    }
}

impl Body for DrainedBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let mut polled = Pin::new(body).poll_frame(context).map_err(axum::BoxError::from);
        if let (Some(permit), Poll::Ready(Some(Ok(frame)))) = (&self.permit, &polled) {
            let length = frame.data_ref().map_or(0, Bytes::len);
            if let Err(none) = permit.acquire(length) {
                polled = Poll::Ready(Some(Err(none.into())));
            }
        }
        // After its end, or an error, there is nothing to read any more.
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for DrainedBody {
    fn drop(&mut self) {
        let is_short = |body: &Incoming| {
            !body.is_end_stream() && body.size_hint().upper().is_some_and(|rest| rest <= SHORT)
        };
        let Some(mut body) = self.body.take().filter(is_short) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let rest = async { while let Some(Ok(_)) = body.frame().await {} };
                // Too slow: the connection ends.
                let _ = tokio::time::timeout(MOMENT, rest).await;
            });
        }
    }
}
