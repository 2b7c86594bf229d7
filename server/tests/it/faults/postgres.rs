//! A PostgreSQL that a test may stop.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

/// One that is running. What it has acknowledged outlives its own end, not the machine's.
pub(super) struct Postgres {
    folder: TempDir,
    port: u16,
}

impl Postgres {
    /// Starts an empty one.
    pub(super) fn start() -> Self {
        // Short: a socket's path may have 107 bytes.
        let folder = tempfile::Builder::new().prefix("latchkey-pg.").tempdir_in("/tmp").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let postgres = Self { folder, port };
        postgres.script("create", &[]);
        postgres.start_again();
        postgres
    }

    /// Ends it as a crash does.
    pub(super) fn crash(&self) {
        self.script("crash", &[]);
    }

    /// Starts it again where it was.
    pub(super) fn start_again(&self) {
        self.script("start", &[&self.port.to_string(), "max_connections=150"]);
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn script(&self, command: &str, more: &[&str]) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/postgres.sh");
        let status = Command::new(script).arg(command).arg(self.folder.path()).args(more).status();
        assert!(status.unwrap().success(), "{command}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/postgres.sh");
        // One that is stopped already needs no end.
        let _ = Command::new(script).arg("crash").arg(self.folder.path()).status();
    }
}

/// How long it stays away.
pub(super) const AWAY: Duration = Duration::from_millis(1_500);
