//! `GET /v1/upstreams`: how the upstreams have done, for administrators of the instance.

use axum::extract::State;
use latchkey_domain::api::UpstreamList;
use latchkey_gateway::Gateway;
use latchkey_services::accounts;

use crate::http::auth::Caller;
use crate::http::problem::Refusal;
use crate::http::responses::{Unauthenticated, refusals};

refusals! {
    /// The caller does not administer the instance.
    IsNotAdministrator {
        403: "`forbidden`: only administrators of this instance can see its upstreams",
    }
}

/// List upstreams
///
/// Returns the gateway’s upstreams and how they have done on this node since it started. For
/// administrators of the instance only.
#[utoipa::path(
    get,
    path = "/v1/upstreams",
    operation_id = "list_upstreams",
    tag = "Operation",
    responses(
        (status = 200, description = "Upstreams in the order of the file", body = UpstreamList),
        Unauthenticated,
        IsNotAdministrator,
    ),
    security(("user" = [])),
)]
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    Caller(actor): Caller,
) -> Result<axum::Json<UpstreamList>, Refusal> {
    accounts::require_administrator(&actor)?;
    Ok(axum::Json(UpstreamList { data: gateway.upstream_reports() }))
}
