//! Failed sign-ins and refreshes, counted together per address.
//!
//! A sign-in counts from its start, because a start costs a row and is open to everyone. It is
//! released on success, and on a failure that is not the person's fault.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use latchkey_domain::window::Window;
use quick_cache::sync::Cache;

use crate::error::Error;
use crate::services::Services;
use latchkey_checker::digest::sha256;
use latchkey_checker::failures::{ADDRESSES, CountedFailure, FailedAttempts};

/// Sign-in attempts of all addresses.
pub(crate) struct SignIns {
    pub(crate) failed: FailedAttempts,
    /// Sign-ins in progress, by the digest of their state. One that is evicted, or that another
    /// process started, counts until its minute is over.
    open: Cache<Vec<u8>, CountedFailure>,
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

/// A sign-in attempt. It counts as failed until it is released.
pub struct SignInAttempt(CountedFailure);

impl SignInAttempt {
    /// Starts an attempt.
    ///
    /// # Errors
    /// `TooManyFailures`.
    pub(super) fn begin(services: &Services, ip: Option<IpAddr>) -> Result<Self, Error> {
        let counted = services.sign_ins.failed.count(ip, services.clock.monotonic())?;
        Ok(Self(counted))
    }

    /// Stores the attempt until the callback returns with `state`.
    pub(super) fn keep(self, services: &Services, state: &str) {
        services.sign_ins.open.insert(sha256(state), self.0);
    }

    /// Stops counting the attempt as failed: it succeeded, or failed through no fault of the
    /// person.
    pub fn release(self) {
        self.0.release();
    }
}

/// Resumes the attempt that belongs to `state`, or starts a new one if there is none. A resumed
/// attempt counts from now, however long the person took.
///
/// # Errors
/// `TooManyFailures`.
pub fn resume_sign_in(
    services: &Services,
    state: Option<&str>,
    ip: Option<IpAddr>,
) -> Result<SignInAttempt, Error> {
    let open = state.and_then(|state| services.sign_ins.open.remove(&sha256(state)));
    if let Some((_, counted)) = open {
        counted.release();
    }
    SignInAttempt::begin(services, ip)
}
