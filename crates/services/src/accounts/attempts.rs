//! Sign-ins and refreshes as attempts of an address: those that fail are counted, together.
//!
//! A sign-in counts from its beginning, because beginning one costs a row and anybody may; it is
//! given back when it succeeds. So is one that fails by a fault that is not the person's.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use latchkey_domain::window::Window;
use quick_cache::sync::Cache;

use crate::error::Error;
use crate::services::Services;
use latchkey_checker::digest::sha256;
use latchkey_checker::failures::{ADDRESSES, CountedFailure, FailedAttempts};

/// What is known of the attempts of every address.
pub(crate) struct SignIns {
    pub(crate) failed: FailedAttempts,
    /// The sign-ins under way, by the digest of their state. One that is forgotten, because there
    /// are too many, or that another process began, counts until its minute is over.
    open: Cache<Vec<u8>, CountedFailure>,
    /// Wrong codes for local sign-in, of everybody together.
    wrong_codes: Mutex<Window>,
}

impl SignIns {
    pub(crate) fn new() -> Self {
        let failed = FailedAttempts::of("failed or unfinished sign-ins and refreshes");
        Self { failed, open: Cache::new(ADDRESSES), wrong_codes: Mutex::default() }
    }

    /// What there was of wrong codes for local sign-in.
    pub(super) fn wrong_codes(&self) -> MutexGuard<'_, Window> {
        // A window is whole after each of its steps, whatever happened to the thread that held it.
        self.wrong_codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt to sign in. It counts as failed, whatever becomes of it, until it is given back.
pub struct SignInAttempt(CountedFailure);

impl SignInAttempt {
    /// Begins an attempt.
    ///
    /// # Errors
    /// `TooManyFailures`.
    pub(super) fn begin(services: &Services, ip: Option<IpAddr>) -> Result<Self, Error> {
        let counted = services.sign_ins.failed.count(ip, services.clock.monotonic())?;
        Ok(Self(counted))
    }

    /// Keeps the attempt until `state` comes back.
    pub(super) fn keep(self, services: &Services, state: &str) {
        services.sign_ins.open.insert(sha256(state), self.0);
    }

    /// The attempt has succeeded, or failed by no fault of the person.
    pub fn release(self) {
        self.0.release();
    }
}

/// Goes on with the attempt that a state came back for. Without one it is an attempt of its own.
/// From here on it counts as of now, however long the person took.
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
