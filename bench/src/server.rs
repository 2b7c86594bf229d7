//! Latchkey as a child process, on a free port and with its own data folder. It ends with the
//! bench.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::process;

/// Time limit of a start.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(20);
/// The server flushes its counters every second, so an interval of this length shows whether any
/// are left.
const LOOK: Duration = Duration::from_secs(2);
/// Processor time of an idle server within a `LOOK`, including the clock's resolution.
const AT_REST: Duration = Duration::from_millis(20);
/// The server flushes everything within sixteen seconds. After this many looks something is wrong.
const LOOKS: usize = 30;
/// Code of the local developer's sign-in.
pub(crate) const LOCAL_CODE: &str = "bench";

/// An unused address of this machine.
///
/// # Errors
/// No port is free.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A server process that the benchmark started.
pub struct Server {
    child: Child,
    /// Address that the server listens on.
    pub address: SocketAddr,
    /// The server's data and its log (`log`).
    folder: TempDir,
}

impl Server {
    /// Starts the program `binary` with additional settings, each the name and value of a flag, and
    /// waits until it is ready. The server does not inherit this program's environment. It logs to
    /// a file, as a service does.
    ///
    /// # Errors
    /// The program can't be started or is not ready in time. The message contains its log.
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
            // A variable, not a flag: servers of older commits, which are measured beside this one,
            // would reject the flag.
            .env("LATCHKEY_LOCAL_CODE", LOCAL_CODE)
            // No write limit: keys are created as fast as the machine can. A variable, as above.
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

    /// URL of the server, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Process ID of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time that the server has used.
    ///
    /// # Errors
    /// The server has ended.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        process::cpu_time(self.pid())
    }

    /// Waits until the server has flushed its counters. Otherwise what is measured next would share
    /// the cores with the flush.
    ///
    /// # Errors
    /// The server has ended, or does not come to rest.
    pub async fn rest(&self) -> anyhow::Result<()> {
        for _ in 0..LOOKS {
            let before = self.cpu_time()?;
            tokio::time::sleep(LOOK).await;
            if self.cpu_time()?.saturating_sub(before) <= AT_REST {
                return Ok(());
            }
        }
        bail!("the server does not come to rest")
    }

    /// A folder that exists as long as the server.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if the server has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
