//! One sign-in attempt, which counts as failed until it is released.

use std::net::IpAddr;

use crate::error::Error;
use crate::services::Services;
use latchkey_checker::digest::sha256;
use latchkey_checker::failures::CountedFailure;

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
