//! How many files, connections among them, the process may have open at once.

/// As many are asked of the system; it may allow fewer.
const WANTED: u64 = 32_768;
/// For the database, the log, calls to upstreams and what else is no client's connection.
const RESERVED: u64 = 512;
/// What the system allows at least, if it does not say (POSIX has no less than 20; nobody has less than this).
const USUAL: u64 = 256;

/// Raises the limit as far as the system lets it, and says how many connections fit below it.
pub(crate) fn room_for_connections() -> usize {
    let limit = rlimit::increase_nofile_limit(WANTED).unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit of open files could not be raised");
        USUAL
    });
    let room = limit.saturating_sub(RESERVED).max(limit / 2);
    usize::try_from(room).unwrap_or(usize::MAX)
}
