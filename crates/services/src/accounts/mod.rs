//! People: sign-in, sessions and identity.

mod administrator_logins;
mod administrators;
mod attempts;
mod authenticate;
mod device;
mod first_sign_in;
mod jwt_crypto;
mod local;
mod local_code;
mod session_limit;
mod session_state;
mod sessions;
mod sign_in;
mod sign_in_attempt;
mod states;
pub mod tokens;

pub use administrators::{Administrators, InvalidAdministrator};
pub(crate) use attempts::SignIns;
pub use authenticate::{authenticate, confirm, me, require_administrator};
pub use device::Device;
pub use local::sign_in_local;
pub use local_code::LocalCode;
pub(crate) use session_state::{is_active, is_allowed};
pub use sessions::{
    SessionEnd, end_other_sessions, end_own_session, end_session, list_sessions, list_sign_ins,
    purge_expired, refresh,
};
pub use sign_in::{GithubIdentity, sign_in_with_github};
pub use sign_in_attempt::{SignInAttempt, resume_sign_in};
pub use states::{NewState, STATE_LIFETIME, begin_sign_in, consume_state};

/// Tokens of a session that was just started or renewed.
pub struct SessionTokens {
    /// Access token, a JWT.
    pub token: String,
    /// Refresh token for a single use.
    pub refresh_token: String,
    /// Lifetime of the access token.
    pub expires_in: std::time::Duration,
}
