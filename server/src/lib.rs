//! Latchkey's server: the dashboard, the API and the ingest endpoints in one binary.
//!
//! Handlers parse a request, call one function of `latchkey-services` and write its answer; what
//! the product does stands there, not here.

pub mod assets;
pub mod audit;
pub mod cli;
pub mod config;
pub mod connections;
pub mod edge;
pub mod front;
mod gateway;
pub mod http;
mod ingest;
pub mod logging;
mod metrics;
mod oauth;
mod open_files;
mod outbound;
mod pages;
#[doc(hidden)]
pub mod parsers;
mod router;
pub mod serve;
mod state;

pub use front::Front;
pub use metrics::serve as serve_metrics;
pub use outbound::http_client;
pub use router::{dashboard_openapi, openapi};
pub use state::AppState;
