//! The upstreams of the gateway, for administrators of the instance.

use latchkey_domain::api::UpstreamReport;

#[cfg(feature = "ssr")]
use super::caller::caller;
use super::server_function::server_function;

server_function! {
    #[endpoint("upstreams/list", summary = "List the upstreams of this node", refuses = [Forbidden])]
    pub async fn list_upstreams() -> Vec<UpstreamReport> {
        let (_, actor) = caller().await?;
        latchkey_services::accounts::require_administrator(&actor)?;
        let reports = leptos::prelude::expect_context::<crate::context::UpstreamReports>();
        Ok((reports.0)())
    }
}
