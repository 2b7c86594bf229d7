//! People: how they sign in, stay signed in, and who they are.

mod administrators;
mod attempts;
mod authenticate;
mod first_sign_in;
mod jwt_crypto;
mod local;
mod replaced;
mod sessions;
mod sign_in;
mod states;
pub mod tokens;

pub use administrators::{Administrators, InvalidAdministrator};
pub(crate) use attempts::SignIns;
pub use attempts::{SignInAttempt, resume_sign_in};
pub(crate) use authenticate::standing;
pub use authenticate::{authenticate, confirm, me};
pub use local::{LocalCode, sign_in_local};
pub(crate) use sessions::who_may_sign_in;
pub use sessions::{
    SessionEnd, end_other_sessions, end_own_session, end_session, list_sessions, list_sign_ins,
    purge_expired, refresh,
};
pub use sign_in::{Device, GithubIdentity, sign_in_with_github};
pub use states::{NewState, STATE_LIFETIME, begin_sign_in, take_state};

/// A session as it was just begun or renewed.
pub struct Renewed {
    /// The access token, a JWT.
    pub token: String,
    /// The refresh token, good once.
    pub refresh_token: String,
    /// How long the access token is good.
    pub expires_in: std::time::Duration,
}
