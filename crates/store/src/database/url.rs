//! Parses the database URL.
//!
//! The URL contains a password, so an error never repeats it. sqlx's own parser logs parameters
//! that it does not know, `sslpassword` too, and takes a password with a `#` in it for a port.

use std::fmt;

use sea_orm::sqlx::ConnectOptions;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::{DbErr, RuntimeErr};
use url::{ParseError, Url};

/// Parameters that sqlx supports. libpq's other parameters are dropped, with a warning in the log.
const KNOWN: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Why a text is not a database URL. No variant contains any part that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UrlError {
    #[error("use sqlite://path or postgres://user:password@host:5432/database")]
    Scheme,
    #[error(
        "the URL can't be parsed ({0}); in the user and password, percent-encode all characters \
         except letters and digits (# as %23, / as %2F, ? as %3F, @ as %40)"
    )]
    Unreadable(#[from] ParseError),
    #[error(
        "the URL is ambiguous; in the user and password, percent-encode all characters except \
         letters and digits (# as %23, / as %2F, ? as %3F, @ as %40)"
    )]
    Ambiguous,
    #[error("the URL has an invalid value for sslmode, port, hostaddr or statement-cache-capacity")]
    Value,
    #[error(
        "an in-memory SQLite database is separate for each connection and is lost when the process \
         ends; use a file, sqlite://path"
    )]
    Memory,
    #[error(
        "DATABASE_DIRECT_URL is for bypassing a PostgreSQL pooler, so DATABASE_URL must be a \
         postgres:// URL too"
    )]
    Direct,
}

impl From<UrlError> for DbErr {
    fn from(error: UrlError) -> Self {
        Self::Conn(RuntimeErr::Internal(error.to_string()))
    }
}

/// Which database a URL names.
pub(super) enum Place {
    Sqlite,
    Postgres(Box<Postgres>),
}

/// How to connect to a PostgreSQL.
#[derive(Clone)]
pub struct Postgres(pub(super) PgConnectOptions);

impl Postgres {
    /// Options of a connection.
    pub const fn options(&self) -> &PgConnectOptions {
        &self.0
    }
}

/// Host and port for logs and errors.
impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get_socket() {
            Some(socket) => write!(f, "PostgreSQL at {}", socket.display()),
            None => write!(f, "PostgreSQL at {}:{}", self.0.get_host(), self.0.get_port()),
        }
    }
}

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::Scheme)?;
        match scheme {
            "sqlite" if is_in_memory(rest) => Err(UrlError::Memory),
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" => Ok(Self::Postgres(Box::new(postgres(text)?))),
            _ => Err(UrlError::Scheme),
        }
    }
}

fn is_in_memory(rest: &str) -> bool {
    let rest = rest.trim_start_matches('/');
    rest.is_empty() || rest.contains(":memory:") || rest.contains("mode=memory")
}

/// Parses a PostgreSQL URL.
pub(super) fn postgres(text: &str) -> Result<Postgres, UrlError> {
    let mut url = Url::parse(text)?;
    let ambiguous = |part: &str| part.contains('@');
    let path = url.path().strip_prefix('/').unwrap_or_default();
    // A password with an unescaped `#`, `/` or `?` ends its part of the URL early. The rest of it
    // then shows up in a later part.
    if url.fragment().is_some()
        || ambiguous(path)
        || path.contains('/')
        || url.query().is_some_and(ambiguous)
    {
        return Err(UrlError::Ambiguous);
    }
    let (known, unknown): (Vec<_>, Vec<_>) =
        url.query_pairs().into_owned().partition(|(name, _)| is_known(name));
    for (name, _) in unknown {
        tracing::warn!(name = nameable(&name), "Ignored an unknown parameter in the database URL");
    }
    url.set_query(None);
    if !known.is_empty() {
        url.query_pairs_mut().extend_pairs(known);
    }
    let options = PgConnectOptions::from_url(&url).map_err(|_| UrlError::Value)?;
    // An IPv6 literal has brackets in a URL only.
    let host = options.get_host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let options = if options.get_socket().is_some() { options } else { options.host(&host) };
    // PgBouncer rejects a client that sends `extra_float_digits`, unless configured to ignore it.
    // It is not needed: sqlx transfers numbers in binary.
    Ok(Postgres(options.extra_float_digits(None).disable_statement_logging()))
}

fn is_known(name: &str) -> bool {
    KNOWN.contains(&name) || name.starts_with("options[")
}

/// Returns `name` only if it can't be part of a secret.
fn nameable(name: &str) -> &str {
    let plain =
        name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if plain { name } else { "(not shown)" }
}

/// How to connect to PostgreSQL.
pub struct PostgresRoutes {
    /// `DATABASE_URL`, which may lead to a pooler.
    pub through: Postgres,
    /// `DATABASE_DIRECT_URL`, which bypasses the pooler; `None` if it is not set.
    pub past: Option<Postgres>,
}

impl PostgresRoutes {
    /// The route that supports `LISTEN`.
    pub fn direct(&self) -> &Postgres {
        self.past.as_ref().unwrap_or(&self.through)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        postgres(text).unwrap().to_string()
    }

    fn error(text: &str) -> UrlError {
        Place::parse(text).err().expect("a text that is no URL")
    }

    #[test]
    fn postgres_url_parses_to_its_host_and_port() {
        assert_eq!(shown("postgres://u:p@db.example/keys"), "PostgreSQL at db.example:5432");
        assert_eq!(shown("postgresql://u@[::1]:5433/keys"), "PostgreSQL at ::1:5433");
        assert_eq!(shown("postgres://u:p%23s@h/keys?sslmode=disable"), "PostgreSQL at h:5432");
        assert_eq!(shown("postgres://u@%2Frun%2Fpg/keys"), "PostgreSQL at /run/pg");
        assert_eq!(
            shown("postgres://u@h/k?channel_binding=require&sslpassword=x"),
            "PostgreSQL at h:5432"
        );
    }

    #[test]
    fn url_error_does_not_contain_the_password() {
        for text in [
            "postgres://u:secret#1@h/keys",
            "postgres://u:secret/1@h/keys",
            "postgres://u:secret?1@h/keys",
            "postgres://u:12#secret@h/keys",
            "postgres://u:12/secret@h/keys",
            "postgres://u:12?secret=1@h/keys",
            "postgres://u:secret@h:port/keys",
            "postgres://u:secret@h/keys?sslmode=secret",
            "mysql://u:secret@h/keys",
            "secret",
        ] {
            let message = DbErr::from(error(text)).to_string();
            assert!(!message.contains("secret"), "{message}");
        }
        assert!(error("postgres://u:se#cret@h/keys").to_string().contains("%23"));
        assert_eq!(error("mysql://h/keys"), UrlError::Scheme);
    }

    #[test]
    fn in_memory_sqlite_is_refused() {
        for text in ["sqlite::memory:", "sqlite://:memory:", "sqlite:", "sqlite://x?mode=memory"] {
            assert_eq!(error(text), UrlError::Memory, "{text}");
        }
        assert!(matches!(Place::parse("sqlite:///var/lib/latchkey.db"), Ok(Place::Sqlite)));
    }

    #[test]
    fn parameter_name_is_hidden_when_it_may_be_secret() {
        assert_eq!(nameable("sslpassword"), "sslpassword");
        for name in ["Pa55word", "p@ss", &"a".repeat(41)] {
            assert_eq!(nameable(name), "(not shown)");
        }
    }
}
