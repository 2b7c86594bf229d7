//! Latchkey's server: the dashboard, the API and the ingest endpoints in one binary.
//!
//! Handlers parse a request, call one function of `latchkey-services` and write the response. What
//! the product does is implemented there.

pub mod assets;
pub mod audit;
pub mod backup;
pub mod cli;
pub mod config;
pub mod config_check;
pub mod connections;
mod fd_limit;
pub mod http;
mod http_client;
mod ingest;
pub mod invocation;
pub mod logging;
mod metrics;
pub mod migrate;
mod oauth;
pub mod otel;
mod pages;
#[doc(hidden)]
pub mod parsers;
pub mod pepper;
pub mod remote;
pub mod restore;
mod router;
mod routes;
pub mod serve;
pub mod service;
mod state;
pub mod system;
pub mod tier;
mod upstreams_reload;

pub use http_client::http_client;
pub use metrics::serve as serve_metrics;
pub use router::{dashboard_openapi, openapi};
pub use service::HttpService;
pub use state::AppState;
