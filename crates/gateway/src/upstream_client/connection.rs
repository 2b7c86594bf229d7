//! A connection to an upstream, which does nothing unless it is polled.

use std::task::{Context, Waker};

use axum::body::Bytes;
use axum::http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::{Read, Write};

/// What a connection goes through: TCP, or TLS over it, or either through a proxy.
pub(super) trait Transport: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Transport for T {}

type Driver = http1::Connection<Box<dyn Transport>, Full<Bytes>>;

/// A connection of HTTP/1.1.
pub(super) struct Connection {
    requests: SendRequest<Full<Bytes>>,
    /// None: it is closed.
    driver: Option<Box<Driver>>,
}

impl Connection {
    /// Begins to speak HTTP over a connection that was made.
    pub(super) async fn over(transport: Box<dyn Transport>) -> hyper::Result<Self> {
        let (requests, driver) = http1::handshake(transport).await?;
        Ok(Self { requests, driver: Some(Box::new(driver)) })
    }

    /// Writes what is to be written and reads what has come, as far as somebody takes it. Who calls
    /// is woken when there is more.
    ///
    /// # Errors
    /// Those of the connection are told by the answer that it was to bring.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && std::pin::Pin::new(driver.as_mut()).poll(context).is_ready()
        {
            self.driver = None;
        }
    }

    /// The same with what has come already: nobody is woken.
    pub(super) fn drive_now(&mut self) {
        self.drive(&mut Context::from_waker(Waker::noop()));
    }

    /// Whether it waits for a request. One that the other side has closed does not.
    pub(super) fn is_idle(&mut self) -> bool {
        self.drive_now();
        self.driver.is_some() && self.requests.is_ready()
    }

    /// Hands it a request, which it sends while it is driven.
    pub(super) fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + use<> {
        self.requests.send_request(request)
    }
}
