//! Database errors, grouped by remedy: retry, or read the log.

use std::fmt::Display;
use std::sync::Arc;

use latchkey_domain::column::ImpossibleValue;
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::{DbErr, RuntimeErr};

/// Why a database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database does not respond or is too busy. The same call may succeed later. HTTP 503.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] DbErr),
    /// The database rejected a statement. HTTP 500.
    #[error("database error: {0}")]
    Database(#[source] DbErr),
    /// A column holds a value that this product never writes. HTTP 500.
    #[error("the database holds an impossible {0}")]
    Corrupt(&'static str),
}

impl Error {
    /// `Corrupt` for rows that contradict each other, which the type of a column can't detect.
    pub const fn corrupt(what: &'static str) -> Self {
        Self::Corrupt(what)
    }

    /// `Unavailable`, with a reason for the log.
    pub fn unavailable(reason: impl Display) -> Self {
        Self::Unavailable(DbErr::Conn(RuntimeErr::Internal(reason.to_string())))
    }

    /// Whether PostgreSQL rolled the transaction back in favor of another one (a serialization
    /// failure or a deadlock), so that a retry is likely to succeed.
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

    /// Whether a row with the same key already existed.
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

/// Whether an insert failed because a row with the same key already existed.
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
}

/// Whether the database was unreachable or too busy, rather than given a bad statement.
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
        Sqlx::Database(cause) => cause.code().is_some_and(|code| is_outage_code(&code)),
        _ => false,
    }
}

/// Whether an error code means an outage. SQLite's codes are numbers of up to four digits
/// (<https://www.sqlite.org/rescode.html>), PostgreSQL's have five characters
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn is_outage_code(code: &str) -> bool {
    /// Busy, locked, I/O error, disk full, file can't be opened.
    const SQLITE: [u16; 5] = [5, 6, 10, 13, 14];
    /// In this order: writes refused by a former primary, a transaction that already failed, an
    /// idle transaction's time-out, a transaction's time-out, a serialization failure, a deadlock,
    /// a lock time-out.
    const POSTGRES: [&str; 7] = ["25006", "25P02", "25P03", "25P04", "40001", "40P01", "55P03"];
    match code.parse::<u16>() {
        // The low byte is the kind of error, the high byte the detail.
        Ok(number) if code.len() < 5 => SQLITE.contains(&(number & 0xff)),
        _ => {
            // By class: connection failure, insufficient resources (a full disk too), operator
            // intervention (shutdown, startup, time limits of statements or sessions), I/O error.
            ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class))
                || POSTGRES.contains(&code)
        }
    }
}

/// An error of a statement that bypasses SeaORM.
pub(crate) fn from_sqlx(error: sea_orm::sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outage_is_distinguished_from_bad_statement() {
        // SQLite: busy, busy snapshot, disk full, failed write. Then PostgreSQL's.
        for code in ["5", "517", "13", "778", "57P01", "53100", "53300", "58030", "08006", "25006"]
        {
            assert!(is_outage_code(code), "{code}");
        }
        // Limits set by an administrator, of locks, statements, sessions and transactions, and
        // transactions that conflict.
        for code in ["55P03", "57014", "57P05", "25P02", "25P03", "25P04", "40001", "40P01"] {
            assert!(is_outage_code(code), "{code}");
        }
        // SQLite: a constraint, a unique constraint, a bad statement. Then PostgreSQL's.
        for code in ["19", "2067", "1", "23505", "42P01", "22021", ""] {
            assert!(!is_outage_code(code), "{code}");
        }
    }
}
