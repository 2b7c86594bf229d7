//! What keys are used for.

use axum::extract::State;
use latchkey_domain::api::ApiKey;
use latchkey_domain::api::Project;
use latchkey_domain::api::{ProjectUsageFilter, Usage};
use latchkey_domain::attribute::{ExternalId, Tag};
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::Environment;
use latchkey_domain::usage::UsageRange;
use latchkey_services::{KeyRef, Services, usage};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::auth::Caller;
use crate::http::extract::{Params, PathId, one_of, parsed};
use crate::http::problem::Refusal;
use crate::http::responses::{Invalid, NoCaller, NotFound, refusals};

refusals! {
    /// People of every role may.
    MayNotReadUsage {
        403: "`forbidden`: the service key lacks `usage:read`",
    }

    /// A key of another kind is not found here.
    NoInferenceKey {
        404: "`not_found`: the key does not exist, belongs to another tenant or is not an inference key",
    }
}

/// Time range of a usage report.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RangeParams {
    /// Time range, in buckets of 2 minutes, 30 minutes, 4 hours or 1 day. Defaults to `24h`.
    #[param(value_type = Option<UsageRange>)]
    range: Option<String>,
}

impl RangeParams {
    fn range(self) -> Result<UsageRange, Refusal> {
        Ok(one_of("range", self.range, "Use 1h, 24h, 7d or 30d.")?.unwrap_or_default())
    }
}

/// Filter for a usage report.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageParams {
    /// Only usage of keys of this environment. Defaults to both.
    #[param(value_type = Option<Environment>)]
    environment: Option<String>,
    /// Only usage of keys that have this external ID now.
    #[param(value_type = Option<ExternalId>)]
    external_id: Option<String>,
    /// Only usage of keys that have this tag now.
    #[param(value_type = Option<Tag>)]
    tag: Option<String>,
}

impl UsageParams {
    fn filter(self) -> Result<ProjectUsageFilter, Refusal> {
        Ok(ProjectUsageFilter {
            environment: one_of("environment", self.environment, "Use live or test.")?,
            external_id: parsed("external_id", self.external_id)?,
            tag: parsed("tag", self.tag)?,
        })
    }
}

/// Get the usage of a key
#[utoipa::path(
    get,
    path = "/v1/keys/{keyId}/usage",
    operation_id = "get_key_usage",
    tag = "Usage",
    params(("keyId" = KeyId, Path), RangeParams),
    responses(
        (status = 200, description = "Usage up to now", body = Usage),
        NoCaller,
        MayNotReadUsage,
        NotFound<ApiKey>,
        Invalid,
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn of_key(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<KeyId>,
    Params(params): Params<RangeParams>,
) -> Result<axum::Json<Usage>, Refusal> {
    Ok(axum::Json(usage::of_key(&services, &actor, id, params.range()?).await?))
}

/// Get the usage of an inference key
#[utoipa::path(
    get,
    path = "/v1/inference/keys/{keyId}/usage",
    operation_id = "get_inference_key_usage",
    tag = "Usage",
    params(("keyId" = KeyId, Path), RangeParams),
    responses(
        (status = 200, description = "Usage up to now", body = Usage),
        NoCaller,
        MayNotReadUsage,
        NoInferenceKey,
        Invalid,
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn of_inference_key(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<KeyId>,
    Params(params): Params<RangeParams>,
) -> Result<axum::Json<Usage>, Refusal> {
    let key = KeyRef::inference(id);
    Ok(axum::Json(usage::of_key(&services, &actor, key, params.range()?).await?))
}

/// Get the usage of a project
///
/// Aggregates all keys of the project. `budget` is always null because budgets belong to keys.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/usage",
    operation_id = "get_project_usage",
    tag = "Usage",
    params(("id" = ProjectId, Path), RangeParams, UsageParams),
    responses(
        (status = 200, description = "Usage up to now", body = Usage),
        NoCaller,
        MayNotReadUsage,
        NotFound<Project>,
        Invalid,
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn of_project(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<ProjectId>,
    Params(params): Params<RangeParams>,
    Params(of): Params<UsageParams>,
) -> Result<axum::Json<Usage>, Refusal> {
    let (range, filter) = (params.range()?, of.filter()?);
    Ok(axum::Json(usage::of_project(&services, &actor, id, &filter, range).await?))
}
