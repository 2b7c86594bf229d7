//! Bodies that nobody wants to read any more.
//!
//! A body that is not read to its end ends the connection, unannounced, and a client that has put
//! it back into its pool meets that with its next call. So what is short is read to its end even if
//! its request was refused by its head alone.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::room::Share;

/// A longer body costs its client the connection.
const SHORT: u64 = 64 * 1024;
/// So does one that is slow.
const MOMENT: Duration = Duration::from_millis(500);

/// A request's body. When it is dropped, a short rest is read and forgotten.
pub struct LetGo {
    body: Option<Incoming>,
    /// Of the room for all bodies, if it may take any.
    share: Option<Arc<Share>>,
}

impl LetGo {
    pub(crate) const fn new(body: Incoming, share: Option<Arc<Share>>) -> Self {
        Self { body: Some(body), share }
    }
}

impl Body for LetGo {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let mut polled = Pin::new(body).poll_frame(context).map_err(axum::BoxError::from);
        if let (Some(share), Poll::Ready(Some(Ok(frame)))) = (&self.share, &polled) {
            let length = frame.data_ref().map_or(0, Bytes::len);
            if let Err(none) = share.take(length) {
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

impl Drop for LetGo {
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
