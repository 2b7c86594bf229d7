//! Default limits of the body size and the duration of requests.

use std::time::Duration;

/// Management bodies are small.
pub(crate) const MANAGEMENT_BODY: usize = 1024 * 1024;
/// The limit for routes without credentials, which every connection may use.
pub(crate) const ANYBODYS_BODY: usize = 64 * 1024;
/// No handler takes longer. Clients that send more slowly are disconnected.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
