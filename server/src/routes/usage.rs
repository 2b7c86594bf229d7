//! What keys are used for, as JSON and as CSV.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use latchkey_domain::api::ApiKey;
use latchkey_domain::api::Project;
use latchkey_domain::api::{GroupedUsage, ProjectUsageFilter, Usage, UsageGrouping};
use latchkey_domain::attribute::{ExternalId, Tag};
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::Environment;
use latchkey_domain::usage::UsageRange;
use latchkey_services::{KeyRef, Services, usage};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

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

/// Format of a usage report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum UsageFormat {
    #[default]
    Json,
    Csv,
}

/// Format of a usage report.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FormatParams {
    /// `csv` returns the buckets, or the groups, as CSV. Defaults to `json`.
    #[param(value_type = Option<UsageFormat>, inline)]
    format: Option<String>,
}

impl FormatParams {
    fn format(self) -> Result<UsageFormat, Refusal> {
        Ok(one_of("format", self.format, "Use json or csv.")?.unwrap_or_default())
    }
}

/// What usage is grouped by.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GroupParams {
    /// Sum up by this instead of by time. With `model`, filters by `external_id` and `tag` are
    /// rejected.
    #[param(value_type = Option<UsageGrouping>)]
    group_by: Option<String>,
}

impl GroupParams {
    fn group_by(self) -> Result<Option<UsageGrouping>, Refusal> {
        one_of("group_by", self.group_by, "Use key, model, application, external_id or tag.")
    }
}

/// Usage of a project: by time, or with `group_by` by group.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ProjectUsage {
    ByTime(Box<Usage>),
    ByGroup(GroupedUsage),
}

fn csv_response(text: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"usage.csv\""),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

fn by_time(usage: Usage, format: UsageFormat) -> Response {
    match format {
        UsageFormat::Json => axum::Json(ProjectUsage::ByTime(Box::new(usage))).into_response(),
        UsageFormat::Csv => csv_response(usage::buckets_as_csv(&usage)),
    }
}

fn by_group(usage: GroupedUsage, format: UsageFormat) -> Response {
    match format {
        UsageFormat::Json => axum::Json(ProjectUsage::ByGroup(usage)).into_response(),
        UsageFormat::Csv => csv_response(usage::groups_as_csv(&usage)),
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
    params(("keyId" = KeyId, Path), RangeParams, FormatParams),
    responses(
        (status = 200, description = "Usage up to now", content((Usage = "application/json"), (String = "text/csv"))),
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
    Params(format): Params<FormatParams>,
) -> Result<Response, Refusal> {
    let (range, format) = (params.range()?, format.format()?);
    Ok(by_time(usage::of_key(&services, &actor, id, range).await?, format))
}

/// Get the usage of an inference key
#[utoipa::path(
    get,
    path = "/v1/inference/keys/{keyId}/usage",
    operation_id = "get_inference_key_usage",
    tag = "Usage",
    params(("keyId" = KeyId, Path), RangeParams, FormatParams),
    responses(
        (status = 200, description = "Usage up to now", content((Usage = "application/json"), (String = "text/csv"))),
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
    Params(format): Params<FormatParams>,
) -> Result<Response, Refusal> {
    let (range, format) = (params.range()?, format.format()?);
    let key = KeyRef::inference(id);
    Ok(by_time(usage::of_key(&services, &actor, key, range).await?, format))
}

/// Get the usage of a project
///
/// Aggregates all keys of the project but service keys; `budgets` are those of the project. With
/// `group_by`, returns the 1,000 groups with most requests, by what keys have now: a key with
/// several tags counts under each of them. Requests that have no such group, for `model` those
/// without a model that the gateway has found, are one group without a name. In CSV, cells that a
/// spreadsheet would interpret as a formula are prefixed with an apostrophe.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/usage",
    operation_id = "get_project_usage",
    tag = "Usage",
    params(("id" = ProjectId, Path), RangeParams, GroupParams, UsageParams, FormatParams),
    responses(
        (status = 200, description = "Usage up to now", content((ProjectUsage = "application/json"), (String = "text/csv"))),
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
    Params(group): Params<GroupParams>,
    Params(of): Params<UsageParams>,
    Params(format): Params<FormatParams>,
) -> Result<Response, Refusal> {
    let (range, filter, format) = (params.range()?, of.filter()?, format.format()?);
    let Some(group_by) = group.group_by()? else {
        let usage = usage::of_project(&services, &actor, id, &filter, range).await?;
        return Ok(by_time(usage, format));
    };
    let usage = usage::of_project_by(&services, &actor, id, &filter, range, group_by).await?;
    Ok(by_group(usage, format))
}
