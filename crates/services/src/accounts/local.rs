//! Signing in as the local developer: on a server that only its own machine reaches, by a code that
//! the server shows when it starts.
//!
//! Whoever else can reach the port, another account of the machine or a page in the browser,
//! doesn't know the code.

use std::fmt;

use latchkey_domain::window::WindowFull;
use subtle::ConstantTimeEq;

use super::Device;
use super::sign_in::{SignInIdentity, sign_in};
use crate::error::Error;
use crate::services::Services;
use latchkey_checker::digest::sha256;
use latchkey_checker::failures::TooManyFailures;

/// How many wrong codes there may be in any 60 seconds, whoever sends them.
pub(super) const WRONG_CODES: u64 = 5;

/// The code of local sign-in.
#[derive(Clone)]
pub struct LocalCode(String);

impl LocalCode {
    /// The code that was chosen.
    pub const fn new(code: String) -> Self {
        Self(code)
    }

    /// The code, to show it to whoever started the server.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is `code`, in a time that tells nothing of it.
    fn is(&self, code: &str) -> bool {
        sha256(&self.0).ct_eq(&sha256(code)).into()
    }
}

impl fmt::Debug for LocalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalCode([redacted])")
    }
}

/// Signs in the local developer by the code. The caller has made sure that the request comes from
/// our own page.
///
/// # Errors
/// `NotFound` where people sign in with GitHub, `WrongLocalCode`, and `TooManyFailures` once five
/// were wrong within a minute, right or not.
pub async fn sign_in_local(
    services: &Services,
    code: &str,
    device: &Device,
) -> Result<String, Error> {
    let right = services.settings.local_code.as_ref().ok_or(Error::NotFound)?;
    guess(services, right, code)?;
    let person = SignInIdentity {
        github_id: None,
        login: "local".to_owned(),
        name: Some("Local developer".to_owned()),
        avatar_url: None,
    };
    sign_in(services, &person, device).await
}

/// Under one lock: of any number of guesses at once, five are looked at.
fn guess(services: &Services, right: &LocalCode, code: &str) -> Result<(), Error> {
    let now = services.clock.monotonic();
    let mut wrong = services.sign_ins.wrong_codes();
    let full = |used, retry_after| TooManyFailures {
        what: "wrong codes for local sign-in",
        used,
        limit: WRONG_CODES,
        retry_after,
    };
    let state = wrong.state(now, WRONG_CODES);
    if state.remaining > 0 && right.is(code) {
        return Ok(());
    }
    match wrong.acquire(now, 1, WRONG_CODES) {
        Ok(_) => Err(Error::WrongLocalCode),
        Err(WindowFull { used, retry_after, .. }) => {
            Err(full(used, retry_after.unwrap_or_default()).into())
        }
    }
}
