//! nginx with the recipe of the docs, once for each door, and once without any.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, ensure};
use latchkey_bench::nginx::NginxProcess;
use latchkey_bench::server::free_address;

/// What the docs tell people to put in front of their server.
const RECIPE: &str = "docs/forward-auth/nginx";
/// Where the recipe asks about a key.
const ASKED: &str = "http://latchkey/v1/check/$latchkey_id";
/// What nginx answers to everybody whom a door lets in.
pub(crate) const ANSWER: &str = "This is what the door was shut for.\n";
pub(crate) const PATH: &str = "/answer.txt";

/// Who is asked about each request: `name` is that of nginx's upstream.
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: SocketAddr,
    pub(crate) path: &'a str,
}

/// nginx with its doors. It ends with the bench.
pub(crate) struct Nginx {
    process: NginxProcess,
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
        let process = NginxProcess::start(folder, &servers, open).await?;
        Ok(Self { process, open, doors })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
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
