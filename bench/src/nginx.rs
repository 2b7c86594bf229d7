//! nginx as a child process, with its files in a temporary folder.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Debian keeps it off the PATH of people.
const PROGRAMS: [&str; 3] = ["/usr/sbin/nginx", "/opt/homebrew/bin/nginx", "/usr/local/bin/nginx"];
const START_TIMEOUT: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(20);

/// A running nginx. It ends with the bench.
pub struct NginxProcess {
    child: Child,
    folder: TempDir,
}

impl NginxProcess {
    /// Whether nginx is installed.
    #[must_use]
    pub fn is_installed() -> bool {
        Command::new(program()).arg("-v").output().is_ok()
    }

    /// Starts nginx in `folder` with these `upstream` and `server` blocks, whose paths are relative
    /// to the folder, and waits until it listens at `address`.
    ///
    /// # Errors
    /// nginx is not installed, or does not listen in time. What it says is on standard error.
    pub async fn start(folder: TempDir, blocks: &str, address: SocketAddr) -> anyhow::Result<Self> {
        let place = folder.path();
        // Its workers are another user if root starts it.
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755))?;
        std::fs::write(place.join("nginx.conf"), configuration(blocks))?;
        let child = Command::new(program())
            .arg("-p")
            .arg(place)
            .args(["-c", "nginx.conf"])
            .stdout(Stdio::null())
            .spawn()
            .context("nginx can't be started")?;
        let mut nginx = Self { child, folder };
        nginx.ready(address).await?;
        Ok(nginx)
    }

    /// Process ID of the master. Its children are the workers.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    async fn ready(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let mut waited = Duration::ZERO;
        while waited < START_TIMEOUT && self.child.try_wait()?.is_none() {
            if TcpStream::connect(address).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(STEP).await;
            waited += STEP;
        }
        bail!("nginx does not listen; what it said is above")
    }
}

impl Drop for NginxProcess {
    fn drop(&mut self) {
        // Killed, it would leave its workers.
        let _ = Command::new(program())
            .arg("-p")
            .arg(self.folder.path())
            .args(["-c", "nginx.conf", "-s", "stop"])
            .status();
        let _ = self.child.wait();
    }
}

fn program() -> PathBuf {
    let known = PROGRAMS.iter().map(PathBuf::from).find(|path| path.exists());
    known.unwrap_or_else(|| PathBuf::from("nginx"))
}

fn configuration(blocks: &str) -> String {
    format!(
        "daemon off;
worker_processes auto;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  default_type text/plain;
  client_body_temp_path temp-body;
  proxy_temp_path temp-proxy;
  fastcgi_temp_path temp-fastcgi;
  uwsgi_temp_path temp-uwsgi;
  scgi_temp_path temp-scgi;
  # A load generator keeps its connections for the whole round.
  keepalive_requests 1000000000;
  open_file_cache max=8;
{blocks}}}
"
    )
}
