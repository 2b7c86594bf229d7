//! A call of the API, before it is sent. It can be sent twice.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Body, Method};

use crate::terminal::show_progress;

/// How long a usual call may take.
const USUAL_TIMEOUT: Duration = Duration::from_mins(1);
/// Bytes of an upload that are sent at a time.
const CHUNK: usize = 64 * 1024;
const MEBIBYTE: usize = 1024 * 1024;

/// Who the call is from.
pub(crate) enum Credential {
    /// The holder of `LATCHKEY_TOKEN`.
    Token,
    /// The holder of this key.
    Key(HeaderValue),
}

/// A call of the API.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) credential: Credential,
    /// Until the whole answer has arrived.
    pub(crate) timeout: Duration,
    payload: Option<Bytes>,
    shows_progress: bool,
}

impl Request {
    /// A call by the holder of the token.
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            credential: Credential::Token,
            timeout: USUAL_TIMEOUT,
            payload: None,
            shows_progress: false,
        }
    }

    pub(crate) fn query(mut self, query: &[(&'static str, String)]) -> Self {
        self.query.extend_from_slice(query);
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn by(mut self, credential: Credential) -> Self {
        self.credential = credential;
        self
    }

    pub(crate) fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Gives it a body of this media type.
    pub(crate) fn payload(self, media_type: &'static str, payload: impl Into<Bytes>) -> Self {
        let mut request = self.header(CONTENT_TYPE, HeaderValue::from_static(media_type));
        request.payload = Some(payload.into());
        request
    }

    /// Gives it a body in JSON. What the command line's values become can always be written.
    pub(crate) fn json(self, value: &impl serde::Serialize) -> Self {
        self.payload("application/json", serde_json::to_vec(value).unwrap_or_default())
    }

    /// Shows on standard error how much of the body has been sent.
    pub(crate) fn with_progress(mut self) -> Self {
        // A stream does not know its length.
        if let Some(payload) = &self.payload {
            self.headers.push((CONTENT_LENGTH, HeaderValue::from(payload.len())));
            self.shows_progress = true;
        }
        self
    }

    /// The body, as often as it is needed.
    pub(crate) fn body(&self) -> Option<Body> {
        let payload = self.payload.clone()?;
        Some(if self.shows_progress { watched(payload) } else { Body::from(payload) })
    }
}

/// The body as a stream that tells how far it is.
fn watched(payload: Bytes) -> Body {
    let total = payload.len();
    let mut told = None;
    let chunks = (0..total).step_by(CHUNK).map(move |start| {
        let end = total.min(start + CHUNK);
        let percent = end.saturating_mul(100) / total.max(1);
        if told != Some(percent) {
            let size = total.div_ceil(MEBIBYTE);
            show_progress(&format!("Sending {size} MiB: {percent} %"));
            told = Some(percent);
        }
        Ok::<_, Infallible>(payload.slice(start..end))
    });
    Body::wrap_stream(futures::stream::iter(chunks))
}
