//! The LLM gateway: an OpenAI-compatible API in front of any upstream that speaks it. Each call is
//! checked against the limits of its key.
//!
//! ```text
//! key -> body -> model -> reserve (rates, budgets) -> upstream -> stream through -> settle
//! ```
//! A call reserves what it may cost before it is forwarded, and settles once the actual cost is
//! known. If the client disconnects early, it is charged for what had been received until then.

mod accounting;
mod anthropic_models;
mod api_format;
mod attempt;
mod audience;
mod background_call;
mod base64_vectors;
mod body;
mod call;
mod candidates;
mod client_ip;
mod config;
mod conversation;
mod counting;
mod credentials;
mod direct_endpoint;
mod endpoint;
mod error;
mod estimate;
mod exchange;
mod fields;
mod forward;
mod health;
mod in_flight;
mod json_reader;
mod max_tokens;
mod media;
mod messages;
mod model_span;
mod models;
mod openapi;
#[doc(hidden)]
pub mod parsers;
mod paths;
mod previous_response;
mod references;
mod registry;
mod request_headers;
mod response_body;
mod response_context;
mod response_kind;
mod response_proxy;
mod responses;
mod restricted_fields;
mod routes;
mod sandbox;
mod sse_proxy;
mod state;
mod thinking;
mod tokenizer;
mod unmatched;
mod upstream_client;
mod upstream_endpoint;
mod upstream_error;
mod upstream_status;
mod upstreams;

pub use api_format::ApiFormat;
pub use audience::Audience;
pub use client_ip::ClientIp;
pub use config::{
    CapField, EndpointGroup, GatewayConfig, Model, Tokenizer, Upstream, UpstreamKind,
};
pub use direct_endpoint::DirectEndpoint;
pub use error::unavailable;
pub use health::{HealthStatus, UpstreamHealth};
pub use paths::{encode_model_id, strip_repeated_v1};
pub use routes::routes;
pub use state::Gateway;
pub use unmatched::UnmatchedRequest;

/// Maximum size of a request body.
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Maximum size of a request body for Responses and Messages, whose clients send whole
/// conversations with pictures, and of a form with a recording.
pub const MAX_LARGE_BODY_BYTES: usize = 32 * 1024 * 1024;

/// Maximum size of all texts of a form together, without its files.
pub const MAX_FORM_TEXT_BYTES: usize = 1024 * 1024;
