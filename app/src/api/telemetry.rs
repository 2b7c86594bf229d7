//! What applications sent in.

use latchkey_domain::api::{IngestedLog, IngestedTrace, LogFilter, Page, TraceFilter};
use latchkey_domain::id::ApplicationId;
#[cfg(feature = "ssr")]
use latchkey_services::telemetry;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::{ApiError, Body};
use crate::data::bearer::Bearer;

/// The traces of an application, newest first.
///
/// # Errors
/// See [`ApiError`]; `not_found` for an application that the person can't see.
#[server(prefix = "/api", endpoint = "traces/list", input = Body, output = Body, client = Bearer)]
pub async fn list_traces(
    /// Application that the call is about.
    application_id: ApplicationId,
    /// Which of them; absent: all.
    filter: Option<TraceFilter>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
) -> Result<Page<IngestedTrace>, ApiError> {
    let (services, actor) = caller().await?;
    let filter = filter.unwrap_or_default();
    Ok(telemetry::list_traces(&services, &actor, application_id, &filter, page(cursor)).await?)
}

/// The logs of an application, newest first.
///
/// # Errors
/// See [`ApiError`]; `not_found` for an application that the person can't see.
#[server(prefix = "/api", endpoint = "logs/list", input = Body, output = Body, client = Bearer)]
pub async fn list_logs(
    /// Application that the call is about.
    application_id: ApplicationId,
    /// Which of them; absent: all.
    filter: Option<LogFilter>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
) -> Result<Page<IngestedLog>, ApiError> {
    let (services, actor) = caller().await?;
    let filter = filter.unwrap_or_default();
    Ok(telemetry::list_logs(&services, &actor, application_id, &filter, page(cursor)).await?)
}
