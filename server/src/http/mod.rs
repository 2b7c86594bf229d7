//! What all routes share: who calls, bodies and parameters, refusals, headers, and the completion
//! of the API's description.

pub(crate) mod auth;
pub(crate) mod challenge;
pub(crate) mod client;
pub(crate) mod compress;
pub(crate) mod cors;
pub(crate) mod describe;
pub(crate) mod described;
pub(crate) mod extract;
pub(crate) mod forwarded;
pub(crate) mod idempotency;
pub(crate) mod json;
pub(crate) mod limits;
pub(crate) mod masked;
pub(crate) mod origin;
pub(crate) mod presented;
pub(crate) mod problem;
pub(crate) mod request_id;
pub(crate) mod request_limits;
pub(crate) mod responses;
pub(crate) mod security_headers;
