//! Reads request bodies to their end when the handler does not.
//!
//! hyper closes the connection, without notice, if a body is not read to its end. A client that has
//! returned the connection to its pool then fails on its next call. A short body is therefore read
//! even if its request was refused because of its head.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::body_budget::BodyPermit;

/// Maximum rest of a body that is drained, in bytes. A longer one closes the connection.
const SHORT: u64 = 64 * 1024;
/// Time limit of draining. A slower body closes the connection.
const MOMENT: Duration = Duration::from_millis(500);

/// A request body that drains a short rest when it is dropped.
pub struct DrainedBody {
    body: Option<Incoming>,
    /// The body's permit; `None` if it fits into the free allowance.
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
        // Nothing is left to read after the end or an error.
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
                // On a time-out the connection closes.
                let _ = tokio::time::timeout(MOMENT, rest).await;
            });
        }
    }
}
