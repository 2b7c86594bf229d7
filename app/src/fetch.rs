//! `fetch`, as little of it as the pages need.

use leptos::prelude::window;
use leptos::wasm_bindgen::{JsCast, JsValue};
use server_fn::Bytes;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, DomException, Headers, Request, RequestInit, Response};

use crate::api::ApiError;

const TIME_LIMIT_MS: u32 = 10_000;

/// A `POST` to this server.
pub(crate) struct Outgoing {
    path: String,
    body: Option<String>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Outgoing {
    /// One with a JSON body.
    pub(crate) fn json(path: &str, body: String) -> Self {
        Self { path: path.to_owned(), body: Some(body) }
    }

    /// One without a body.
    pub(crate) fn empty(path: &str) -> Self {
        Self { path: path.to_owned(), body: None }
    }

    /// Sends it, with `token` as Bearer.
    ///
    /// # Errors
    /// There was no answer, or none within ten seconds. A refusal is an answer.
    pub(crate) async fn send(&self, token: Option<&str>) -> Result<Answer, ApiError> {
        let response: Response = match self.request(token) {
            Ok(request) => run(window().fetch_with_request(&request)).await?.unchecked_into(),
            Err(_) => return Err(ApiError::Unreadable),
        };
        let status = response.status();
        let text = response.text().map_err(|error| failure(&error))?;
        let body = run(text).await?.as_string().unwrap_or_default();
        Ok(Answer { status, body: Bytes::from(body) })
    }

    fn request(&self, token: Option<&str>) -> Result<Request, JsValue> {
        let headers = Headers::new()?;
        headers.set("Accept", "application/json")?;
        if let Some(token) = token {
            headers.set("Authorization", &format!("Bearer {token}"))?;
        }
        let options = RequestInit::new();
        options.set_method("POST");
        options.set_signal(Some(&AbortSignal::timeout_with_u32(TIME_LIMIT_MS)));
        if let Some(body) = &self.body {
            headers.set("Content-Type", "application/json")?;
            options.set_body(&JsValue::from_str(body));
        }
        options.set_headers(&headers);
        Request::new_with_str_and_init(&self.path, &options)
    }
}

async fn run(promise: js_sys::Promise) -> Result<JsValue, ApiError> {
    JsFuture::from(promise).await.map_err(|error| failure(&error))
}

fn failure(error: &JsValue) -> ApiError {
    if error.dyn_ref::<DomException>().is_some_and(|error| error.name() == "TimeoutError") {
        ApiError::TimedOut
    } else if window().navigator().on_line() {
        ApiError::Unreachable
    } else {
        ApiError::Offline
    }
}
