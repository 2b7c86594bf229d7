//! Why a check did not admit a call.

use latchkey_domain::problem::{ErrorCode, Problem};
use latchkey_store::clock::whole_seconds;

use crate::failures::TooManyFailures;
use crate::outcome::Denial;
use crate::pepper_rows::{PepperCheckError, PepperError};

/// Why a call was not admitted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key was refused. The HTTP status depends on the outcome.
    #[error("the key was refused")]
    Denied(Box<Denial>),
    /// Too many failed attempts in the last minute, from this address or with this key. HTTP 429.
    #[error("too many failed attempts")]
    TooManyFailures(TooManyFailures),
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

impl Error {
    /// Seconds after which the same call could succeed, if waiting helps.
    pub fn retry_after(&self) -> Option<u64> {
        let wait = match self {
            Self::Denied(denial) => denial.retry_after?,
            Self::TooManyFailures(full) => full.retry_after,
        };
        Some(whole_seconds(wait))
    }
}

impl From<&Denial> for Problem {
    fn from(denial: &Denial) -> Self {
        Self {
            limit: denial.limit.clone(),
            ..Self::new(ErrorCode::Outcome(denial.outcome), denial.detail.clone())
        }
    }
}

impl From<&TooManyFailures> for Problem {
    fn from(full: &TooManyFailures) -> Self {
        Self::new(ErrorCode::TooManyFailures, full.detail())
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::Denied(denial) => (&**denial).into(),
            Error::TooManyFailures(full) => full.into(),
        }
    }
}

/// Why a checker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database returned an error.
    #[error("the database: {0}")]
    Database(#[from] latchkey_store::Error),
    /// This node would refuse good keys.
    #[error(transparent)]
    Pepper(#[from] PepperError),
    /// Redis responds with an error that makes shared limits impossible.
    #[error("REDIS_URL: {0}")]
    Redis(String),
}

impl From<PepperCheckError> for StartError {
    fn from(error: PepperCheckError) -> Self {
        match error {
            PepperCheckError::Database(error) => Self::Database(error),
            PepperCheckError::Pepper(error) => Self::Pepper(error),
        }
    }
}

impl From<sea_orm::DbErr> for StartError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Database(error.into())
    }
}
