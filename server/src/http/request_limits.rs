//! How large a body may be, and how long a request may take, where no route has limits of its own.

use std::time::Duration;

/// Management bodies are small.
pub(crate) const MANAGEMENT_BODY: usize = 1024 * 1024;
/// The same where nobody is asked who they are: what is free to each connection.
pub(crate) const ANYBODYS_BODY: usize = 64 * 1024;
/// No handler of ours takes longer; whoever sends slower is cut off.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
