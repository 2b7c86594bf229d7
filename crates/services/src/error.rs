//! Errors of the services, and the one mapping from them to problem responses.

use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::permission::ServicePermission;
use latchkey_domain::problem::{ErrorCode, FieldError, Problem};
use latchkey_domain::tier::Tier;
use sea_orm::DbErr;

use latchkey_checker::Denial;
use latchkey_checker::failures::TooManyFailures;
use latchkey_store::clock::whole_seconds;

/// Why a service refused a request. Each variant names its HTTP status.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 401: no session, or an ended one.
    #[error("not signed in")]
    Unauthenticated,
    /// 403: the caller's role lacks the permission. The text says who has it.
    #[error("{0}")]
    Forbidden(&'static str),
    /// 403: the service key lacks this permission.
    #[error("the service key lacks {}", .0.as_str())]
    InsufficientScope(ServicePermission),
    /// 403 on local sign-in: the code is wrong.
    #[error("the code of local sign-in is wrong")]
    WrongLocalCode,
    /// 403 on sign-in: this instance admits only invited people.
    #[error("this person was not invited")]
    NotInvited,
    /// 404: the resource does not exist, or the caller has no access to it.
    #[error("not found")]
    NotFound,
    /// 409: another key of the project has this name.
    #[error("the name is taken")]
    NameTaken(String),
    /// 409: the resource's state does not allow the request. The text says why.
    #[error("{0}")]
    Conflict(&'static str),
    /// 409: an organization keeps at least one owner.
    #[error("the last owner can’t go")]
    LastOwner,
    /// 409: a request with this idempotency key has already created this key.
    #[error("this was done before")]
    IdempotencyReplay(KeyId),
    /// 409: a request with this idempotency key has already created a resource, named by its id.
    #[error("{0} was made before")]
    Replay(String),
    /// 422: this idempotency key was used with a different body.
    #[error("the idempotency key was used for something else")]
    IdempotencyMismatch,
    /// The check denied the caller's own service key. The status is the outcome's.
    #[error("the key was refused")]
    Denied(Box<Denial>),
    /// 429: too many attempts from this address failed in the last minute.
    #[error("too many failed attempts")]
    TooManyFailures(TooManyFailures),
    /// 409: the project is at its tier's limit of active keys.
    #[error("the tier's limit is reached")]
    TierLimitReached {
        /// Tier of the organization.
        tier: Tier,
        /// Active keys that the tier allows.
        limit: u32,
        /// Current number of active keys.
        used: u64,
    },
    /// 409: the resource's count is at its limit. The text has the limit, the use and the remedy.
    #[error("{0}")]
    LimitReached(String),
    /// 429: rate limited. The text has the limit, the use and the time to wait.
    #[error("{detail}")]
    TooMany {
        /// Explanation for the caller.
        detail: String,
        /// Time until the next attempt can succeed.
        retry_after: Duration,
    },
    /// 422: the invalid fields, each with a reason.
    #[error("invalid input")]
    Invalid(Vec<FieldError>),
    /// 503: the telemetry queue is full. The caller may retry.
    #[error("too much telemetry is waiting to be stored")]
    QueueFull,
    /// 409: the project's telemetry is at its tier's limit.
    #[error("the project's telemetry is at its limit")]
    TelemetryFull {
        /// Tier of the organization.
        tier: Tier,
        /// Bytes that the tier allows.
        limit: u64,
        /// Bytes in use.
        used: u64,
    },
    /// 503 if the database is unavailable, and the caller may retry; otherwise 500.
    #[error(transparent)]
    Store(#[from] latchkey_store::Error),
    /// 500: signing a token failed.
    #[error("signing failed: {0}")]
    Signing(#[from] jsonwebtoken::errors::Error),
}

impl Error {
    /// 500: stored rows contradict each other or their types.
    pub(crate) const fn corrupt(what: &'static str) -> Self {
        Self::Store(latchkey_store::Error::corrupt(what))
    }

    /// 422 for a single field.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.to_owned(), message: message.into() }])
    }

    /// Seconds until the same request could succeed, if waiting helps.
    pub fn retry_after(&self) -> Option<u64> {
        let wait = match self {
            Self::Denied(denial) => denial.retry_after?,
            Self::TooManyFailures(full) => full.retry_after,
            Self::TooMany { retry_after, .. } => *retry_after,
            _ => return None,
        };
        Some(whole_seconds(wait))
    }

    /// Whether the server is at fault, so that the error must be logged.
    pub const fn is_fault(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Signing(_))
    }
}

impl From<Box<Denial>> for Error {
    fn from(denial: Box<Denial>) -> Self {
        Self::Denied(denial)
    }
}

impl From<TooManyFailures> for Error {
    fn from(full: TooManyFailures) -> Self {
        Self::TooManyFailures(full)
    }
}

impl From<latchkey_checker::Error> for Error {
    fn from(error: latchkey_checker::Error) -> Self {
        match error {
            latchkey_checker::Error::Denied(denial) => Self::Denied(denial),
            latchkey_checker::Error::TooManyFailures(full) => Self::TooManyFailures(full),
        }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Store(error.into())
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::Unauthenticated => Self::new(
                ErrorCode::Unauthenticated,
                "Sign in, or send a valid access token as Authorization: Bearer.",
            ),
            Error::Forbidden(detail) => Self::new(ErrorCode::Forbidden, *detail),
            Error::InsufficientScope(lacking) => Self::new(
                ErrorCode::Forbidden,
                format!("This service key does not have the permission {}.", lacking.as_str()),
            ),
            Error::WrongLocalCode => Self::new(
                ErrorCode::Forbidden,
                "The sign-in code is wrong. Use the link in the server’s log; its code changes at \
                 each start unless LATCHKEY_LOCAL_CODE is set.",
            ),
            Error::NotInvited => Self::new(
                ErrorCode::Forbidden,
                "This GitHub account has no access here. Ask an admin for an invite.",
            ),
            Error::NotFound => Self::new(
                ErrorCode::NotFound,
                "The resource does not exist, or you don’t have access to it.",
            ),
            Error::NameTaken(name) => Self::new(
                ErrorCode::NameTaken,
                format!("This project already has a key named “{name}”."),
            ),
            Error::Conflict(detail) => Self::new(ErrorCode::Conflict, *detail),
            Error::LastOwner => Self::new(
                ErrorCode::LastOwner,
                "An organization must have at least one owner. Make another member an owner first.",
            ),
            Error::IdempotencyReplay(key) => {
                let detail = "A request with this Idempotency-Key has already created a key. Its \
                              secret can’t be shown again; if you lost it, rotate the key.";
                Self { key_id: Some(*key), ..Self::new(ErrorCode::IdempotencyReplay, detail) }
            }
            Error::Replay(made) => Self::new(
                ErrorCode::IdempotencyReplay,
                format!("A request with this Idempotency-Key has already created {made}."),
            ),
            Error::IdempotencyMismatch => Self::new(
                ErrorCode::IdempotencyMismatch,
                "This Idempotency-Key was already used with a different body. Use a new one.",
            ),
            Error::Denied(denial) => (&**denial).into(),
            Error::TooManyFailures(full) => full.into(),
            Error::TierLimitReached { tier, limit, used } => Self::new(
                ErrorCode::TierLimitReached,
                format!(
                    "You’ve used {used} of {limit} keys on {}. Revoke an unused key or upgrade.",
                    tier.label()
                ),
            ),
            Error::TelemetryFull { tier, limit, used } => Self::new(
                ErrorCode::LimitReached,
                format!(
                    "This project’s telemetry uses {} of {} on {}. Wait until the oldest data is \
                     deleted, delete an application, or upgrade.",
                    size(*used),
                    size(*limit),
                    tier.label()
                ),
            ),
            Error::QueueFull => Self::new(
                ErrorCode::Outcome(Outcome::Unavailable),
                "Too much telemetry is waiting to be stored. Try again shortly.",
            ),
            Error::LimitReached(detail) => Self::new(ErrorCode::LimitReached, detail.clone()),
            Error::TooMany { detail, .. } => {
                Self::new(ErrorCode::Outcome(Outcome::RateLimited), detail.clone())
            }
            Error::Invalid(errors) => Self::invalid_fields(errors.clone()),
            Error::Store(latchkey_store::Error::Unavailable(_)) => Self::new(
                ErrorCode::Outcome(Outcome::Unavailable),
                "The database is not available right now. Try again shortly.",
            ),
            Error::Store(_) | Error::Signing(_) => Self::new(
                ErrorCode::Internal,
                "An internal error occurred. The server’s log has the cause under the request ID.",
            ),
        }
    }
}

/// Formats bytes for people: `1.0 GiB`.
fn size(bytes: u64) -> String {
    const GIB: u64 = 1 << 30;
    let tenths = bytes.saturating_mul(10) / GIB;
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}
