//! Uploads of files. They are sent by `XMLHttpRequest`: `fetch` does not say how much is sent.

use std::rc::Rc;

use futures::channel::oneshot;
use leptos::prelude::window;
use leptos::wasm_bindgen::closure::Closure;
use leptos::wasm_bindgen::{JsCast, JsValue};
use server_fn::Bytes;
use web_sys::{File, ProgressEvent, XmlHttpRequest};

use super::bearer::{refused, with_token};
use super::fetch::HttpResponse;
use crate::api::ApiError;

/// A little more than the server waits for a large file over a slow line.
const TIME_LIMIT_MS: u32 = 330_000;

/// A `POST` of a file to this server.
pub(crate) struct Upload {
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    /// Name and value of another header.
    pub(crate) header: Option<(&'static str, String)>,
    pub(crate) file: File,
}

impl Upload {
    /// Sends it. `progress` is told which share is sent, from 0 to 1.
    ///
    /// # Errors
    /// There was no answer, or a refusal.
    pub(crate) async fn send(&self, progress: impl Fn(f64) + 'static) -> Result<Bytes, ApiError> {
        let progress: Rc<dyn Fn(f64)> = Rc::new(progress);
        let send = async |token: String| self.send_as(&token, Rc::clone(&progress)).await;
        let answer = with_token(send, |it: &HttpResponse| it.status).await?;
        if answer.status >= 400 { Err(refused(answer.body)) } else { Ok(answer.body) }
    }

    async fn send_as(
        &self,
        token: &str,
        progress: Rc<dyn Fn(f64)>,
    ) -> Result<HttpResponse, ApiError> {
        let request = XmlHttpRequest::new().map_err(|_| ApiError::Unreadable)?;
        let on_progress = Closure::<dyn Fn(ProgressEvent)>::new(move |event: ProgressEvent| {
            progress(event.loaded() / event.total().max(1.0));
        });
        let (done, ended) = oneshot::channel::<()>();
        let on_end = Closure::<dyn FnMut(ProgressEvent)>::once(move |_: ProgressEvent| {
            _ = done.send(());
        });
        request.set_onloadend(Some(on_end.as_ref().unchecked_ref()));
        let begun = self.begin(&request, token, &on_progress);
        begun.map_err(|_| ApiError::Unreadable)?;
        _ = ended.await;
        answer_of(&request)
    }

    fn begin(
        &self,
        request: &XmlHttpRequest,
        token: &str,
        on_progress: &Closure<dyn Fn(ProgressEvent)>,
    ) -> Result<(), JsValue> {
        request.open_with_async("POST", &self.path, true)?;
        request.set_timeout(TIME_LIMIT_MS);
        request.set_request_header("Accept", "application/json")?;
        request.set_request_header("Authorization", &format!("Bearer {token}"))?;
        request.set_request_header("Content-Type", self.content_type)?;
        if let Some((name, value)) = &self.header {
            request.set_request_header(name, value)?;
        }
        request.upload()?.set_onprogress(Some(on_progress.as_ref().unchecked_ref()));
        request.send_with_opt_blob(Some(&self.file))
    }
}

/// The answer of a request that has ended. Its status is 0 if there was none.
fn answer_of(request: &XmlHttpRequest) -> Result<HttpResponse, ApiError> {
    match request.status() {
        Ok(status) if status > 0 => {
            let text = request.response_text().ok().flatten().unwrap_or_default();
            Ok(HttpResponse { status, body: Bytes::from(text) })
        }
        Ok(_) | Err(_) if window().navigator().on_line() => Err(ApiError::Unreachable),
        Ok(_) | Err(_) => Err(ApiError::Offline),
    }
}
