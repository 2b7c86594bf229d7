//! Latchkey as a process: on a free port and a data folder of its own, ended with the bench.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::process;

/// How long a start may take.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(20);
/// The code by which the local developer signs in.
pub(crate) const LOCAL_CODE: &str = "bench";

/// An address of this machine where nobody listens yet.
///
/// # Errors
/// None is free.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A server process that the benchmark started.
pub struct Server {
    child: Child,
    /// Address that the server listens on.
    pub address: SocketAddr,
    /// Its data, and what it has said (`log`).
    folder: TempDir,
}

impl Server {
    /// Starts the program `binary` with more settings, each a flag's name and its value, and waits
    /// until it is ready. Nothing of this program's own environment is handed on. It logs to a
    /// file, as a service does.
    ///
    /// # Errors
    /// It can't be started, or is not ready in time; the message has what it said.
    pub async fn start(binary: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = free_address()?;
        let log = folder.path().join("log");
        let child = Command::new(binary)
            .arg("serve")
            .arg(format!("--latchkey-listen={address}"))
            .arg(format!("--latchkey-data-dir={}", folder.path().join("data").display()))
            .args(settings.iter().map(|(name, value)| format!("--{name}={value}")))
            .env_clear()
            // Not as a flag: a server of an older commit, which is measured beside this one's,
            // would not know it.
            .env("LATCHKEY_LOCAL_CODE", LOCAL_CODE)
            // Keys are made as fast as the machine can. A variable: servers of before it start too.
            .env("LATCHKEY_WRITES_PER_MINUTE", "1000000000")
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("{} can't be started", binary.display()))?;
        let mut server = Self { child, address, folder };
        let mut waited = Duration::ZERO;
        while waited < START_TIMEOUT && server.child.try_wait()?.is_none() {
            let ready = reqwest::get(format!("{}/readyz", server.url())).await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(server);
            }
            tokio::time::sleep(STEP).await;
            waited += STEP;
        }
        bail!("the server is not ready: {}", std::fs::read_to_string(log).unwrap_or_default())
    }

    /// Its URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Process ID of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The processor time that it has used.
    ///
    /// # Errors
    /// It is gone.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        process::cpu_time(self.pid())
    }

    /// A folder that lives as long as the server.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that is gone already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
