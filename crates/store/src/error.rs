//! Errors of the database, sorted by what helps: to try again, or to read the log.

use std::fmt::Display;

use latchkey_domain::column::ImpossibleValue;
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::{DbErr, RuntimeErr};

/// Why the database did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not answer, or is too busy: the same call may succeed later. HTTP 503.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] DbErr),
    /// It refused a statement. HTTP 500.
    #[error("database error: {0}")]
    Database(#[source] DbErr),
    /// A column holds a value that this product never writes. HTTP 500.
    #[error("the database holds an impossible {0}")]
    Corrupt(&'static str),
}

impl Error {
    /// `Unavailable`, with a reason for the log.
    pub fn unavailable(reason: impl Display) -> Self {
        Self::Unavailable(DbErr::Conn(RuntimeErr::Internal(reason.to_string())))
    }

    /// Whether the database gave the transaction up in favor of another one, so that repeating it
    /// is likely to succeed: a serialization failure or a deadlock of PostgreSQL.
    pub fn is_transaction_conflict(&self) -> bool {
        let (Self::Unavailable(error) | Self::Database(error)) = self else { return false };
        let (DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
        else {
            return false;
        };
        let code = cause.as_database_error().and_then(DatabaseError::code);
        matches!(code.as_deref(), Some("40001" | "40P01"))
    }

    /// Whether a row with the same key was there already.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Database(error) if is_unique_violation(error))
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if let DbErr::TryIntoErr { source, .. } = &error
            && let Some(ImpossibleValue(what)) = source.downcast_ref()
        {
            return Self::Corrupt(what);
        }
        let unreachable = match &error {
            DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => true,
            DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => is_outage(cause),
            _ => false,
        };
        if unreachable { Self::Unavailable(error) } else { Self::Database(error) }
    }
}

/// Whether a row stood where another with the same key was to be inserted.
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
}

/// Whether the database was away or too busy, rather than asked for something wrong.
fn is_outage(error: &sea_orm::sqlx::Error) -> bool {
    use sea_orm::sqlx::Error as Sqlx;
    match error {
        Sqlx::Io(_)
        | Sqlx::Tls(_)
        | Sqlx::Protocol(_)
        | Sqlx::PoolTimedOut
        | Sqlx::PoolClosed
        | Sqlx::BeginFailed
        | Sqlx::WorkerCrashed => true,
        Sqlx::Database(cause) => cause.code().is_some_and(|code| means_outage(&code)),
        _ => false,
    }
}

/// Whether a database's code says so: SQLite's are numbers of up to four digits
/// (<https://www.sqlite.org/rescode.html>), PostgreSQL's have five characters
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn means_outage(code: &str) -> bool {
    /// Busy, locked, input or output failed, the disk is full, the file can't be opened.
    const SQLITE: [u16; 5] = [5, 6, 10, 13, 14];
    /// A former primary that takes no more writes, a transaction that failed before, one that was
    /// idle or took too long, two that were in each other's way (more than once), a lock that was
    /// waited for too long.
    const POSTGRES: [&str; 7] = ["25006", "25P02", "25P03", "25P04", "40001", "40P01", "55P03"];
    match code.parse::<u16>() {
        // The low byte is the kind of error, the high byte says more.
        Ok(number) if code.len() < 5 => SQLITE.contains(&(number & 0xff)),
        _ => {
            // A connection that broke, too little of something (a full disk too), an operator's
            // intervention (shutting down, starting up, a time limit of statements or sessions), a
            // file that can't be read or written.
            ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class))
                || POSTGRES.contains(&code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_from_a_wrong_statement() {
        // Busy, its snapshot, a full disk, a write that failed; then PostgreSQL's.
        for code in ["5", "517", "13", "778", "57P01", "53100", "53300", "58030", "08006", "25006"]
        {
            assert!(means_outage(code), "{code}");
        }
        // Limits that an administrator sets: of locks, statements, sessions, transactions; two in
        // each other's way.
        for code in ["55P03", "57014", "57P05", "25P02", "25P03", "25P04", "40001", "40P01"] {
            assert!(means_outage(code), "{code}");
        }
        // A constraint, its unique kind, a wrong statement; then PostgreSQL's.
        for code in ["19", "2067", "1", "23505", "42P01", "22021", ""] {
            assert!(!means_outage(code), "{code}");
        }
    }
}
