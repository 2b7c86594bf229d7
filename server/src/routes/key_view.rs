//! `GET /v1/key`: a key as its holder sees it.

use axum::extract::State;
use axum::http::HeaderMap;
use latchkey_domain::api::KeyView;
use latchkey_services::{Services, key_view};

use crate::http::auth::presented_key;
use crate::http::client::ClientIp;
use crate::http::problem::Refusal;
use crate::http::responses::refusals;

refusals! {
    /// The key is not valid, or was looked at too often.
    KeyNotShown {
        400: "`malformed`: there are two different keys",
        401: "`missing_key`, `malformed_key`, `unknown_key`, `revoked_key`, `expired_key`, `disabled_key`",
        403: "`ip_not_allowed`",
        429: "`rate_limited`: more than 60 of these requests per minute with one key on one node; or `too_many_failures` in place of `malformed_key` and `unknown_key`, after 60 such failures per minute from one IP address. See `Retry-After`",
        503: "`unavailable`: the key cannot be checked. See `Retry-After`",
    }
}

/// Get the key that is sent
///
/// For whoever holds a key of any kind: what it is, and where its limits stand. Counts as no
/// request of the key. Limited to 60 requests per minute and key, on each node. `reserved` tokens
/// and, without Redis, the states of the limits per minute are those of the node that answers.
#[utoipa::path(
    get,
    path = "/v1/key",
    operation_id = "get_own_key",
    tag = "Keys",
    responses(
        (status = 200, description = "The key, without its secret and its metadata", body = KeyView),
        KeyNotShown,
    ),
    security(("key" = []), ("bearer_key" = [])),
)]
pub(crate) async fn get(
    State(services): State<Services>,
    ClientIp(ip): ClientIp,
    headers: HeaderMap,
) -> Result<axum::Json<KeyView>, Refusal> {
    let secret = presented_key(&headers, &services)?;
    Ok(axum::Json(key_view(&services, secret, ip).await?))
}
