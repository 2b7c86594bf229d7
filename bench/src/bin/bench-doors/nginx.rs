//! nginx with the recipe of the docs, once for each door, and once without any.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use latchkey_bench::server::free_address;
use tempfile::TempDir;
use tokio::net::TcpStream;

/// What the docs tell people to put in front of their server.
const RECIPE: &str = "docs/forward-auth/nginx";
/// Where the recipe asks about a key.
const ASKED: &str = "http://latchkey/v1/check/$latchkey_id";
/// What nginx answers to everybody whom a door lets in.
pub(crate) const ANSWER: &str = "This is what the door was shut for.\n";
pub(crate) const PATH: &str = "/answer.txt";
/// Debian keeps it off the PATH of people.
const PROGRAMS: [&str; 3] = ["/usr/sbin/nginx", "/opt/homebrew/bin/nginx", "/usr/local/bin/nginx"];
const START_TIMEOUT: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(20);

/// Who is asked about each request: `name` is that of nginx's upstream.
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: SocketAddr,
    pub(crate) path: &'a str,
}

/// nginx as a child process. It ends with the bench.
pub(crate) struct Nginx {
    child: Child,
    folder: TempDir,
    /// Address without a door.
    pub(crate) open: SocketAddr,
    /// Addresses of the doors, in the order of those who are asked.
    pub(crate) doors: Vec<SocketAddr>,
}

impl Nginx {
    /// Starts nginx and waits until it listens.
    pub(crate) async fn start(asked: &[Asked<'_>]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let place = folder.path();
        // Its workers are another user if root starts it.
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755))?;
        std::fs::write(place.join("answer.txt"), ANSWER)?;
        std::fs::copy(format!("{RECIPE}/latchkey-protect.conf"), place.join("protect.conf"))
            .context(RECIPE)?;
        let open = free_address()?;
        let mut doors = Vec::new();
        let mut servers = format!("server {{ listen {open}; root {}; }}\n", place.display());
        for one in asked {
            let listen = free_address()?;
            servers.push_str(&door(place, one, listen)?);
            doors.push(listen);
        }
        std::fs::write(place.join("nginx.conf"), configuration(&servers))?;
        let child = Command::new(program())
            .arg("-p")
            .arg(place)
            .args(["-c", "nginx.conf"])
            .stdout(Stdio::null())
            .spawn()
            .context("nginx can't be started")?;
        let mut nginx = Self { child, folder, open, doors };
        nginx.ready().await?;
        Ok(nginx)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let mut waited = Duration::ZERO;
        while waited < START_TIMEOUT && self.child.try_wait()?.is_none() {
            if TcpStream::connect(self.open).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(STEP).await;
            waited += STEP;
        }
        bail!("nginx does not listen; what it said is above")
    }
}

impl Drop for Nginx {
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

fn configuration(servers: &str) -> String {
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
{servers}}}
"
    )
}

/// A server whose every request is checked by `asked`, as the recipe has it.
fn door(folder: &Path, asked: &Asked<'_>, listen: SocketAddr) -> anyhow::Result<String> {
    let Asked { name, address, path } = asked;
    let recipe = std::fs::read_to_string(format!("{RECIPE}/latchkey-server.conf"))?;
    ensure!(recipe.contains(ASKED), "{RECIPE}/latchkey-server.conf does not ask {ASKED}");
    let recipe = recipe.replace(ASKED, &format!("http://{name}{path}"));
    std::fs::write(folder.join(format!("{name}.conf")), recipe)?;
    let mut server = String::new();
    writeln!(
        server,
        "upstream {name} {{ server {address} max_fails=0; keepalive 32; keepalive_timeout 20s; }}"
    )?;
    writeln!(
        server,
        "server {{ listen {listen}; root {}; set $latchkey_scopes \"\"; include {name}.conf; \
         location / {{ include protect.conf; }} }}",
        folder.display()
    )?;
    Ok(server)
}
