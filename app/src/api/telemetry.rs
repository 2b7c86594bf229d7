//! Traces and logs that applications sent.

use latchkey_domain::api::{IngestedLog, IngestedTrace, LogFilter, Page, TraceFilter};
use latchkey_domain::id::ApplicationId;
#[cfg(feature = "ssr")]
use latchkey_services::telemetry;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::server_function::server_function;

server_function! {
    #[endpoint("traces/list", summary = "List the traces of an application", refuses = [NotFound])]
    pub async fn list_traces(
        /// Application that the call is about.
        application_id: ApplicationId,
        /// Which of them; absent: all.
        filter: Option<TraceFilter>,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    ) -> Page<IngestedTrace> {
        let (services, actor) = caller().await?;
        let filter = filter.unwrap_or_default();
        Ok(telemetry::list_traces(&services, &actor, application_id, &filter, page(cursor)).await?)
    }
}

server_function! {
    #[endpoint("logs/list", summary = "List the logs of an application", refuses = [NotFound])]
    pub async fn list_logs(
        /// Application that the call is about.
        application_id: ApplicationId,
        /// Which of them; absent: all.
        filter: Option<LogFilter>,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    ) -> Page<IngestedLog> {
        let (services, actor) = caller().await?;
        let filter = filter.unwrap_or_default();
        Ok(telemetry::list_logs(&services, &actor, application_id, &filter, page(cursor)).await?)
    }
}
