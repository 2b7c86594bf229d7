//! How many files, connections among them, the process may have open at once, and who may have how
//! many of them.
//!
//! A call at the gateway holds two: its client's connection and one to an upstream. Both come out
//! of the same limit, so that calls in progress never leave none to accept a connection with.

use std::sync::OnceLock;

/// As many are asked of the system; it may allow fewer.
const WANTED: u64 = 65_536;
/// For the database, the log and what else is no connection of a call.
const RESERVED: u64 = 512;
/// Assumed limit if the system does not report one. POSIX guarantees only 20, but no supported
/// system has less than this.
const USUAL: u64 = 256;

/// Who may have how many open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    pub(crate) clients: usize,
    /// Calls in progress to upstreams, each with a connection.
    pub(crate) calls: usize,
    /// Connections to upstreams that wait for the next call.
    pub(crate) idle: usize,
}

impl Shares {
    /// Of a limit of so many files.
    fn of(limit: u64) -> Self {
        let available = limit.saturating_sub(RESERVED).max(limit / 2);
        let available = usize::try_from(available).unwrap_or(usize::MAX);
        let (calls, idle) = (available / 3, available / 6);
        Self { clients: available - calls - idle, calls, idle }
    }
}

/// Raises the limit as far as the system lets it, and says how it is shared.
pub(crate) fn shares() -> Shares {
    static SHARES: OnceLock<Shares> = OnceLock::new();
    *SHARES.get_or_init(|| {
        let limit = rlimit::increase_nofile_limit(WANTED).unwrap_or_else(|error| {
            tracing::warn!(%error, "Failed to raise the limit of open files");
            USUAL
        });
        Shares::of(limit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_never_take_the_files_that_connections_need() {
        for limit in [64, 256, 400, 1_024, 4_096, WANTED] {
            let Shares { clients, calls, idle } = Shares::of(limit);
            let all = u64::try_from(clients + calls + idle).unwrap();
            assert!(all <= limit.saturating_sub(RESERVED).max(limit / 2), "{limit}");
            assert!(clients >= calls && calls > 0 && idle > 0, "{limit}");
        }
        assert!(Shares::of(WANTED).clients > 20_000);
    }
}
