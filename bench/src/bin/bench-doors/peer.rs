//! What others check keys with, each as a small server of `bench/peers`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use latchkey_bench::connection::{Connection, get_with_api_key};
use latchkey_bench::server::free_address;
use tempfile::TempDir;

const START_TIMEOUT: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(50);
/// Where `scripts/bootstrap.sh` installs it.
const PYTHON: &str = "target/drf-python/bin";

/// A server that checks keys. It ends with the bench.
pub(crate) struct Peer {
    child: Child,
    pub(crate) address: SocketAddr,
    /// A key that it admits.
    pub(crate) key: String,
    /// Its database, if it has one.
    _folder: Option<TempDir>,
}

impl Peer {
    /// Better Auth's API keys on Node.js.
    pub(crate) async fn better_auth() -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut child = Command::new("node")
            .args(["server.mjs", &address.port().to_string()])
            .current_dir("bench/peers/better-auth")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("node can't be started")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("it says nothing")?).read_line(&mut line)?;
        Self { child, address, key: line.trim().to_owned(), _folder: None }.ready().await
    }

    /// djangorestframework-api-key on gunicorn, with as many processes as there are cores.
    pub(crate) async fn drf_api_key() -> anyhow::Result<Self> {
        let (address, folder) = (free_address()?, tempfile::tempdir()?);
        let python = std::env::current_dir()?.join(PYTHON);
        let made = Command::new(python.join("python"))
            .arg("server.py")
            .arg(folder.path())
            .current_dir("bench/peers/drf")
            .stderr(Stdio::inherit())
            .output()
            .context(PYTHON)?;
        ensure!(made.status.success(), "{PYTHON} makes no key; what it said is above");
        let key = String::from_utf8(made.stdout)?.trim().to_owned();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let child = Command::new(python.join("gunicorn"))
            .arg(format!("--bind={address}"))
            .arg(format!("--workers={cores}"))
            .args(["--threads=4", "--keep-alive=60", "--log-level=error", "server:application"])
            .current_dir("bench/peers/drf")
            .env("BENCH_FOLDER", folder.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .spawn()
            .context("gunicorn can't be started")?;
        Self { child, address, key, _folder: Some(folder) }.ready().await
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it admits its key.
    async fn ready(mut self) -> anyhow::Result<Self> {
        let request = get_with_api_key(self.address, "/", &self.key);
        let mut waited = Duration::ZERO;
        while waited < START_TIMEOUT && self.child.try_wait()?.is_none() {
            if let Ok(mut connection) = Connection::open(self.address).await
                && connection.exchange(&request).await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(self);
            }
            tokio::time::sleep(STEP).await;
            waited += STEP;
        }
        bail!("a peer does not admit its key; what it said is above")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Fails only if the process has already ended. gunicorn's workers end without their parent.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
