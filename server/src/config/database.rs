//! What `DATABASE_URL` means on this machine: certificates to believe, and a file that one server
//! uses.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a path can't have in a URL's query.
const OUTSIDE_PATHS: AsciiSet =
    NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'_').remove(b'-');

/// How long to wait for a stopping server to release the lock.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often to try meanwhile.
const RETRY: Duration = Duration::from_millis(100);

/// The file with the authorities that this machine believes, as Redis’ connections and
/// upstreams’ read it.
#[expect(clippy::disallowed_methods, reason = "this variable is OpenSSL’s, no setting of ours")]
pub(super) fn certificates() -> Option<String> {
    std::env::var("SSL_CERT_FILE").ok().filter(|file| !file.is_empty())
}

/// The same URL, where a PostgreSQL’s certificate may be of one of these authorities too, unless
/// it names its own.
pub(super) fn with_certificates(url: String, certificates: Option<&str>) -> String {
    let Some(file) = certificates else { return url };
    let names_its_own = ["sslrootcert=", "ssl-root-cert=", "ssl-ca="];
    if !url.starts_with("postgres") || names_its_own.iter().any(|name| url.contains(name)) {
        return url;
    }
    let mark = if url.contains('?') { '&' } else { '?' };
    let file = utf8_percent_encode(file, &OUTSIDE_PATHS);
    format!("{url}{mark}sslrootcert={file}")
}

/// The one server that uses an SQLite file. Commands may use it as well: they keep nothing in
/// memory.
#[derive(Debug)]
pub(crate) struct SqliteLock {
    /// The system releases the lock when the process ends, even by a crash.
    _lock: Option<File>,
}

impl SqliteLock {
    /// Locks a file beside the database, if that is a file.
    ///
    /// # Errors
    /// Another server has it.
    pub(crate) async fn on(database_url: &str) -> anyhow::Result<Self> {
        let Some(path) = file_of(database_url) else { return Ok(Self { _lock: None }) };
        let beside = path.with_added_extension("lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock =
            options.open(&beside).with_context(|| format!("can’t write {}", beside.display()))?;
        let mut tries = CONNECT_TIMEOUT.as_millis() / RETRY.as_millis();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { _lock: Some(lock) }),
                Err(TryLockError::WouldBlock) if tries > 0 => {
                    tries -= 1;
                    tokio::time::sleep(RETRY).await;
                }
                Err(TryLockError::WouldBlock) => bail!(
                    "another latchkey server already uses {}; each would enforce the limits on its \
                     own. Stop it, or let both use one PostgreSQL database (DATABASE_URL)",
                    path.display()
                ),
                // A file system without locks: as before.
                Err(TryLockError::Error(_)) => return Ok(Self { _lock: None }),
            }
        }
    }
}

/// Whether a server uses the SQLite file now. Nothing is created or written.
pub(crate) fn is_in_use(main_file: &Path) -> bool {
    let Ok(lock) = File::open(main_file.with_added_extension("lock")) else { return false };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn file_of(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, _) = rest.split_once('?').unwrap_or((rest, ""));
    Some(Path::new(path).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_url_uses_system_authorities_unless_it_names_its_own() {
        let extended = |url: &str| with_certificates(url.to_owned(), Some("/etc/ssl/our ca.pem"));
        assert_eq!(extended("postgres://h/d"), "postgres://h/d?sslrootcert=/etc/ssl/our%20ca.pem");
        assert_eq!(
            extended("postgres://h/d?sslmode=verify-full"),
            "postgres://h/d?sslmode=verify-full&sslrootcert=/etc/ssl/our%20ca.pem"
        );
        for url in ["postgres://h/d?sslrootcert=x", "sqlite://x"] {
            assert_eq!(extended(url), url);
        }
    }

    #[tokio::test]
    async fn one_server_uses_an_sqlite_file() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/latchkey.db?mode=rwc", folder.path().display());
        let main = folder.path().join("latchkey.db");
        assert!(!is_in_use(&main));
        let first = SqliteLock::on(&url).await.unwrap();
        assert!(is_in_use(&main));
        let error = SqliteLock::on(&url).await.unwrap_err().to_string();
        assert!(error.contains("another latchkey") && error.contains("DATABASE_URL"), "{error}");
        drop(first);
        assert!(!is_in_use(&main));
        SqliteLock::on(&url).await.unwrap();
        SqliteLock::on("postgres://h/d").await.unwrap();
    }
}
