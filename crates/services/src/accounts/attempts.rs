//! Failed sign-ins and refreshes, counted together per address.
//!
//! A sign-in counts from its start, because a start costs a row and is open to everyone. It is
//! released on success, and on a failure that is not the person's fault.

use std::sync::{Mutex, MutexGuard, PoisonError};

use latchkey_domain::window::Window;
use quick_cache::sync::Cache;

use latchkey_checker::failures::{ADDRESSES, CountedFailure, FailedAttempts};

/// Sign-in attempts of all addresses.
pub(crate) struct SignIns {
    pub(crate) failed: FailedAttempts,
    /// Sign-ins in progress, by the digest of their state. One that is evicted, or that another
    /// process started, counts until its minute is over.
    pub(super) open: Cache<Vec<u8>, CountedFailure>,
    /// Wrong codes for local sign-in, from all addresses together.
    wrong_codes: Mutex<Window>,
}

impl SignIns {
    pub(crate) fn new() -> Self {
        let failed = FailedAttempts::of("failed or unfinished sign-ins and refreshes");
        Self { failed, open: Cache::new(ADDRESSES), wrong_codes: Mutex::default() }
    }

    pub(super) fn wrong_codes(&self) -> MutexGuard<'_, Window> {
        // Each step leaves the window consistent, so a panic of the lock's holder does no harm.
        self.wrong_codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
