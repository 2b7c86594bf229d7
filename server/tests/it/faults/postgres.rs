//! A PostgreSQL that a test may stop.

use std::process::Command;

use crate::ports::free_port;
use tempfile::TempDir;

/// One that is running. What it has acknowledged outlives its own end, not the machine's.
pub(crate) struct Postgres {
    folder: TempDir,
    pub(crate) port: u16,
}

impl Postgres {
    /// Starts an empty one.
    pub(crate) async fn start() -> Self {
        let postgres = Self::nowhere();
        run(postgres.script("create")).await;
        postgres.start_again().await;
        postgres
    }

    /// A replica of it, which follows it.
    pub(crate) async fn replica(&self) -> Self {
        let replica = Self::nowhere();
        let mut script = replica.script("follow");
        script.arg(self.port.to_string());
        run(script).await;
        replica.start_again().await;
        replica
    }

    fn nowhere() -> Self {
        // Short: a socket's path may have 107 bytes.
        let folder = tempfile::Builder::new().prefix("latchkey-pg.").tempdir_in("/tmp").unwrap();
        let port = free_port();
        Self { folder, port }
    }

    /// Ends it as a crash does.
    pub(super) async fn crash(&self) {
        run(self.script("crash")).await;
    }

    /// Starts it again where it was.
    pub(super) async fn start_again(&self) {
        let mut script = self.script("start");
        script.args([&self.port.to_string(), "max_connections=150"]);
        run(script).await;
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn script(&self, command: &str) -> Command {
        let mut script =
            Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/postgres.sh"));
        script.arg(command).arg(self.folder.path());
        script
    }
}

/// Runs a script while everybody works on.
async fn run(mut script: Command) {
    let command = format!("{script:?}");
    let status = tokio::task::spawn_blocking(move || script.status()).await.unwrap();
    assert!(status.unwrap().success(), "{command}");
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // One that is stopped already needs no end.
        let _ = self.script("crash").status();
    }
}
