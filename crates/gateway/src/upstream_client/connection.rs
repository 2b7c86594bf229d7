//! A connection to an upstream. It makes progress only while it is polled.

use std::task::{Context, Waker};

use axum::body::Bytes;
use axum::http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::{Read, Write};

/// The transport of a connection: TCP or TLS, possibly through a proxy.
pub(super) trait Transport: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Transport for T {}

type Driver = http1::Connection<Box<dyn Transport>, Full<Bytes>>;

/// An HTTP/1.1 connection.
pub(super) struct Connection {
    requests: SendRequest<Full<Bytes>>,
    /// None once the connection is closed.
    driver: Option<Box<Driver>>,
}

impl Connection {
    /// Starts HTTP on an established transport.
    pub(super) async fn over(transport: Box<dyn Transport>) -> hyper::Result<Self> {
        let (requests, driver) = http1::handshake(transport).await?;
        Ok(Self { requests, driver: Some(Box::new(driver)) })
    }

    /// Sends and receives as much as possible. Wakes the task when more is possible.
    ///
    /// # Errors
    /// Errors of the connection are reported by the response that it was to bring.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && std::pin::Pin::new(driver.as_mut()).poll(context).is_ready()
        {
            self.driver = None;
        }
    }

    /// Like [`Self::drive`], without registering a waker.
    pub(super) fn drive_now(&mut self) {
        self.drive(&mut Context::from_waker(Waker::noop()));
    }

    /// Whether it is open and ready for a request.
    pub(super) fn is_idle(&mut self) -> bool {
        self.drive_now();
        self.driver.is_some() && self.requests.is_ready()
    }

    /// Queues a request, which is sent while the connection is driven.
    pub(super) fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + use<> {
        self.requests.send_request(request)
    }
}
