//! The gateway: OpenAI's protocol in front of any upstream that speaks it, with the limits of the
//! key enforced.
//!
//! ```text
//! key ─► body ─► model ─► reserve (rpm, tpm, budget) ─► upstream ─► stream through ─► settle
//! ```
//! A call holds what it may cost from before it is forwarded until it is known what it did cost;
//! whoever goes away midway pays for what had come until then.

mod accounting;
mod answer;
mod answering;
mod audience;
mod base64_vectors;
mod body;
mod call;
mod caps;
mod client_ip;
mod config;
mod describe;
mod elsewhere;
mod endpoint;
mod error;
mod estimate;
mod fields;
mod forward;
mod in_flight;
mod json_reader;
mod line;
mod models;
#[doc(hidden)]
pub mod parsers;
mod passage;
mod paths;
mod presented;
mod reach;
mod routes;
mod sandbox;
mod state;
mod stream;
mod tokenizer;
mod unserved;
mod upstream;
mod upstream_client;
mod upstream_error;

pub use audience::Audience;
pub use client_ip::ClientIp;
pub use config::{CapField, GatewayConfig, Model, Tokenizer, Upstream};
pub use error::unavailable;
pub use paths::without_second_version;
pub use reach::{Reach, UpstreamReach};
pub use routes::routes;
pub use state::Gateway;
pub use unserved::Unserved;

/// The largest body of a call.
pub const LARGEST_BODY: usize = 10 * 1024 * 1024;
