//! Local sign-in: on a server that only its own machine can reach, the developer signs in with a
//! code that the server shows at startup.
//!
//! The code keeps out others who can reach the port: another account of the machine, or a page in
//! the browser.

use latchkey_domain::window::WindowFull;

use super::device::Device;
use super::local_code::LocalCode;
use super::sign_in::{SignInIdentity, sign_in};
use crate::error::Error;
use crate::services::Services;
use latchkey_checker::failures::{FROM_ADDRESS, TooManyFailures};

/// Limit of wrong codes in any 60 seconds, from all addresses together.
pub(super) const WRONG_CODES: u64 = 5;

/// Signs in the local developer with the code. The caller has checked that the request comes from a
/// page of this origin.
///
/// # Errors
/// `NotFound` where people sign in with GitHub; `WrongLocalCode`; `TooManyFailures` for any code
/// after five wrong ones within a minute.
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

/// Holds the lock throughout, so that of any number of concurrent guesses at most five are
/// compared.
fn guess(services: &Services, right: &LocalCode, code: &str) -> Result<(), Error> {
    let now = services.clock.monotonic();
    let mut wrong = services.sign_ins.wrong_codes();
    let full = |used, retry_after| TooManyFailures {
        what: "wrong codes for local sign-in",
        of: FROM_ADDRESS,
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
