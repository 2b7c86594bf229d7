//! A thin layer over the browser's `fetch`: POST requests with a time limit, and downloads.

use std::time::Duration;

use js_sys::{Array, Reflect, Uint8Array};
use leptos::prelude::{set_timeout_with_handle, window};
use leptos::wasm_bindgen::{JsCast, JsValue};
use server_fn::Bytes;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, AbortSignal, Blob, DomException, Headers, ReadableStreamDefaultReader,
    Request, RequestInit, Response,
};

use crate::api::ApiError;

const TIME_LIMIT_MS: u32 = 10_000;

/// What the browser calls a request that took too long.
const TIME_OUT: &str = "TimeoutError";

/// A `POST` to this server.
pub(crate) struct PostRequest {
    path: String,
    body: Option<String>,
}

pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl PostRequest {
    /// One with a JSON body.
    pub(crate) fn json(path: &str, body: String) -> Self {
        Self { path: path.to_owned(), body: Some(body) }
    }

    /// One without a body.
    pub(crate) fn empty(path: &str) -> Self {
        Self { path: path.to_owned(), body: None }
    }

    /// Sends it, with `token` as bearer token.
    ///
    /// # Errors
    /// There was no answer, or none within ten seconds. A refusal is an answer.
    pub(crate) async fn send(&self, token: Option<&str>) -> Result<HttpResponse, ApiError> {
        let response: Response = match self.request(token) {
            Ok(request) => run(window().fetch_with_request(&request)).await?.unchecked_into(),
            Err(_) => return Err(ApiError::Unreadable),
        };
        let status = response.status();
        let text = response.text().map_err(|error| failure(&error))?;
        let body = run(text).await?.as_string().unwrap_or_default();
        Ok(HttpResponse { status, body: Bytes::from(body) })
    }

    fn request(&self, token: Option<&str>) -> Result<Request, JsValue> {
        let headers = headers("application/json", token)?;
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

/// A download. Its response must start within ten seconds; the body may take as long as it takes.
pub(crate) struct Download(Response);

impl Download {
    /// Starts it, with `token` as bearer token.
    ///
    /// # Errors
    /// There was no answer in time. A refusal is an answer.
    pub(crate) async fn begin(path: &str, token: &str) -> Result<Self, ApiError> {
        let limit = AbortController::new().map_err(|_| ApiError::Unreadable)?;
        let request = || {
            let options = RequestInit::new();
            options.set_signal(Some(&limit.signal()));
            let headers = headers("*/*", Some(token))?;
            options.set_headers(&headers);
            Request::new_with_str_and_init(path, &options)
        };
        let request = request().map_err(|_| ApiError::Unreadable)?;
        let late = {
            let limit = limit.clone();
            let why = DomException::new_with_message_and_name("", TIME_OUT);
            let stop = move || limit.abort_with_reason(&why.map_or(JsValue::NULL, Into::into));
            set_timeout_with_handle(stop, Duration::from_millis(TIME_LIMIT_MS.into()))
        };
        let response = run(window().fetch_with_request(&request)).await;
        if let Ok(late) = late {
            late.clear();
        }
        Ok(Self(response?.unchecked_into()))
    }

    pub(crate) fn status(&self) -> u16 {
        self.0.status()
    }

    /// All of it as text, for a refusal.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn text(self) -> Result<Bytes, ApiError> {
        let text = run(self.0.text().map_err(|error| failure(&error))?).await?;
        Ok(Bytes::from(text.as_string().unwrap_or_default()))
    }

    /// All of it as a file. `look` sees each part as it arrives; only the browser keeps them.
    ///
    /// # Errors
    /// The connection broke: there is no half of a file.
    pub(crate) async fn file(self, mut look: impl FnMut(&[u8])) -> Result<Blob, ApiError> {
        let parts = Array::new();
        if let Some(body) = self.0.body() {
            let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
            while let Some(part) = next_part(&reader).await? {
                look(&part.to_vec());
                parts.push(&part);
            }
        }
        Blob::new_with_u8_array_sequence(&parts).map_err(|_| ApiError::Unreadable)
    }
}

/// What the reader has next; nothing at the end.
async fn next_part(reader: &ReadableStreamDefaultReader) -> Result<Option<Uint8Array>, ApiError> {
    let read = run(reader.read()).await?;
    let value = Reflect::get(&read, &"value".into()).unwrap_or_default();
    Ok(value.dyn_into().ok())
}

fn headers(accept: &str, token: Option<&str>) -> Result<Headers, JsValue> {
    let headers = Headers::new()?;
    headers.set("Accept", accept)?;
    if let Some(token) = token {
        headers.set("Authorization", &format!("Bearer {token}"))?;
    }
    Ok(headers)
}

async fn run(promise: js_sys::Promise) -> Result<JsValue, ApiError> {
    JsFuture::from(promise).await.map_err(|error| failure(&error))
}

fn failure(error: &JsValue) -> ApiError {
    if error.dyn_ref::<DomException>().is_some_and(|error| error.name() == TIME_OUT) {
        ApiError::TimedOut
    } else if window().navigator().on_line() {
        ApiError::Unreachable
    } else {
        ApiError::Offline
    }
}
