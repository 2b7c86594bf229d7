//! The client of the server functions. It sends the access token, and renews it once when the
//! server answers 401.

use futures::channel::oneshot;
use futures::{Sink, Stream, sink, stream};
use http::Method;
use leptos::task;
use serde::de::DeserializeOwned;
use server_fn::client::Client;
use server_fn::error::{FromServerFnError, ServerFnErrorErr};
use server_fn::request::ClientReq;
use server_fn::response::ClientRes;
use server_fn::{Bytes, Decodes};

use super::fetch::{Download, HttpResponse, PostRequest};
use super::session;
use crate::api::{ApiError, ProblemEncoding};

/// Sends server functions with `Authorization: Bearer`.
pub struct Bearer;

/// A request of [`Bearer`]. Server functions here have JSON bodies, so that is all it can carry.
pub struct BearerRequest(PostRequest);

/// An answer to [`Bearer`].
pub struct BearerResponse(HttpResponse);

impl Client<ApiError> for Bearer {
    type Request = BearerRequest;
    type Response = BearerResponse;

    async fn send(request: BearerRequest) -> Result<BearerResponse, ApiError> {
        // Browser futures are not `Send`, but their result is.
        let (done, answer) = oneshot::channel();
        task::spawn_local(async move {
            _ = done.send(deliver(&request.0).await);
        });
        answer.await.unwrap_or(Err(ApiError::Unreachable)).map(BearerResponse)
    }

    async fn open_websocket(
        _path: &str,
    ) -> Result<
        (
            impl Stream<Item = Result<Bytes, Bytes>> + Send + 'static,
            impl Sink<Bytes> + Send + 'static,
        ),
        ApiError,
    > {
        unsupported::<(stream::Empty<_>, sink::Drain<_>)>()
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        task::spawn(future);
    }
}

async fn deliver(request: &PostRequest) -> Result<HttpResponse, ApiError> {
    let answer = with_token(async |token| request.send(Some(&token)).await, |it| it.status).await?;
    match answer.status {
        400..=599 => Err(refused(answer.body)),
        _ => Ok(answer),
    }
}

/// Sends with the token; after a 401, once more with a renewed one. If the session has ended, goes
/// to the login page and never returns.
///
/// # Errors
/// There was no answer. A refusal is one, unless it is about the token.
pub(crate) async fn with_token<A>(
    send: impl AsyncFn(String) -> Result<A, ApiError>,
    status: impl Fn(&A) -> u16,
) -> Result<A, ApiError> {
    let Some(token) = session::token() else {
        return session::redirect_to_login(None).await;
    };
    let mut answer = send(token.clone()).await?;
    if status(&answer) == 401
        && let Some(newer) = session::token().filter(|newer| *newer != token)
    {
        // Another tab has renewed it meanwhile.
        answer = send(newer).await?;
    }
    if status(&answer) == 401 {
        answer = send(session::renew().await?).await?;
    }
    if status(&answer) == 401 {
        return session::redirect_to_login(Some(session::Reason::Expired)).await;
    }
    Ok(answer)
}

/// Loads a JSON resource of the public API, for what has no server function.
///
/// # Errors
/// There was no answer, or a refusal, or the answer is of another version.
pub(crate) async fn get_json<T: DeserializeOwned>(path: &str) -> Result<T, ApiError> {
    let begin = async |token: String| Download::begin(path, &token).await;
    let answer = with_token(begin, Download::status).await?;
    let is_refused = answer.status() >= 400;
    let body = answer.text().await?;
    if is_refused {
        return Err(refused(body));
    }
    serde_json::from_slice(&body).map_err(|_| ApiError::Unreadable)
}

/// The error in the body of a refusal.
pub(crate) fn refused(body: Bytes) -> ApiError {
    ProblemEncoding::decode(body).unwrap_or(ApiError::Unreadable)
}

fn unsupported<T>() -> Result<T, ApiError> {
    let error = ServerFnErrorErr::UnsupportedRequestMethod("only JSON in a POST".to_owned());
    Err(ApiError::from_server_fn_error(error))
}

impl ClientReq<ApiError> for BearerRequest {
    type FormData = ();

    fn try_new_req_bytes(
        path: &str,
        _content_type: &str,
        _accepts: &str,
        body: Bytes,
        _method: Method,
    ) -> Result<Self, ApiError> {
        let body = String::from_utf8(body.into()).map_err(|_| ApiError::Unreadable)?;
        Ok(Self(PostRequest::json(path, body)))
    }

    fn try_new_req_text(
        path: &str,
        _content_type: &str,
        _accepts: &str,
        body: String,
        _method: Method,
    ) -> Result<Self, ApiError> {
        Ok(Self(PostRequest::json(path, body)))
    }

    fn try_new_req_query(_: &str, _: &str, _: &str, _: &str, _: Method) -> Result<Self, ApiError> {
        unsupported()
    }

    fn try_new_req_form_data(
        _: &str,
        _: &str,
        _: &str,
        (): (),
        _: Method,
    ) -> Result<Self, ApiError> {
        unsupported()
    }

    fn try_new_req_multipart(_: &str, _: &str, (): (), _: Method) -> Result<Self, ApiError> {
        unsupported()
    }

    fn try_new_req_streaming(
        _: &str,
        _: &str,
        _: &str,
        _: impl Stream<Item = Bytes> + Send + 'static,
        _: Method,
    ) -> Result<Self, ApiError> {
        unsupported()
    }
}

impl ClientRes<ApiError> for BearerResponse {
    async fn try_into_string(self) -> Result<String, ApiError> {
        String::from_utf8(self.0.body.into()).map_err(|_| ApiError::Unreadable)
    }

    async fn try_into_bytes(self) -> Result<Bytes, ApiError> {
        Ok(self.0.body)
    }

    fn try_into_stream(
        self,
    ) -> Result<impl Stream<Item = Result<Bytes, Bytes>> + Send + Sync + 'static, ApiError> {
        unsupported::<stream::Empty<_>>()
    }

    fn status(&self) -> u16 {
        self.0.status
    }

    fn status_text(&self) -> String {
        String::new()
    }

    fn location(&self) -> String {
        String::new()
    }

    fn has_redirect(&self) -> bool {
        false
    }
}
