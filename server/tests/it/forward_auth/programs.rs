//! The real programs, each started by the recipe that the docs show.
#![expect(clippy::disallowed_methods, reason = "a program starts in real time")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::wire::{request, try_ask};
use crate::consistency::stores::programs::{folder, program};
use crate::ports::free_port;

/// The proxies that there are recipes for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ProxyProgram {
    Nginx,
    Caddy,
    Traefik,
    Haproxy,
    Envoy,
}

impl ProxyProgram {
    fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
        }
    }

    fn recipe(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/forward-auth").join(self.name())
    }

    /// How its recipe says that it is started, in its folder.
    fn command(self, folder: &Path) -> Command {
        let recipe = self.recipe();
        match self {
            Self::Nginx => {
                let mut command = Command::new(program("nginx"));
                command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-g", "daemon off;"]);
                command
            }
            Self::Caddy => {
                let mut command = Command::new("caddy");
                command.args(["run", "--config"]).arg(recipe.join("Caddyfile"));
                command.env("HOME", folder).env("XDG_DATA_HOME", folder);
                command.env("XDG_CONFIG_HOME", folder);
                command
            }
            Self::Traefik => {
                let mut command = Command::new("sh");
                command.arg(recipe.join("run.sh"));
                command
            }
            Self::Haproxy => {
                let mut command = Command::new(program("haproxy"));
                command.args(["-f", "haproxy.cfg"]).current_dir(recipe);
                command
            }
            Self::Envoy => {
                let mut command = Command::new("sh");
                command.arg(recipe.join("run.sh")).args(["--concurrency", "1"]);
                command
            }
        }
    }
}

/// A proxy of a test's own; it ends with the test.
pub(super) struct RunningProxy {
    program: ProxyProgram,
    child: Child,
    pub(super) port: u16,
    folder: TempDir,
}

impl Drop for RunningProxy {
    fn drop(&mut self) {
        if self.program == ProxyProgram::Nginx {
            // Its workers end when it is asked to end.
            let _ = Command::new("kill").arg(self.child.id().to_string()).status();
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(2) {
                if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// nginx's template with the addresses put in, and what it includes.
fn write_nginx(recipe: &Path, folder: &Path, settings: &[(&str, String)]) {
    for name in ["latchkey-server.conf", "latchkey-protect.conf", "latchkey-upstream.conf"] {
        std::fs::copy(recipe.join(name), folder.join(name)).unwrap();
    }
    let mut text = std::fs::read_to_string(recipe.join("nginx.conf.template")).unwrap();
    for (name, value) in settings {
        text = text.replace(&format!("${{{name}}}"), value);
    }
    std::fs::write(folder.join("nginx.conf"), text).unwrap();
}

impl RunningProxy {
    /// Starts it in front of `upstream`, checking by Latchkey at `latchkey` (both host:port), and
    /// waits until it routes requests.
    pub(super) async fn start(
        program: ProxyProgram,
        latchkey: &str,
        id: &str,
        upstream: &str,
    ) -> Self {
        let (port, check, folder) = (free_port(), free_port(), folder());
        let settings = [
            ("LISTEN", format!("127.0.0.1:{port}")),
            ("LISTEN_HOST", "127.0.0.1".to_owned()),
            ("LISTEN_PORT", port.to_string()),
            ("CHECK_ADDRESS", format!("127.0.0.1:{check}")),
            ("LATCHKEY_ADDRESS", latchkey.to_owned()),
            ("LATCHKEY_URL", format!("http://{latchkey}")),
            ("LATCHKEY_ID", id.to_owned()),
            ("UPSTREAM_ADDRESS", upstream.to_owned()),
            ("UPSTREAM_URL", format!("http://{upstream}")),
        ];
        if program == ProxyProgram::Nginx {
            write_nginx(&program.recipe(), folder.path(), &settings);
        }
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = program.command(folder.path());
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.expect("scripts/bootstrap.sh proxies installs it");
        let mut proxy = Self { program, child, port, folder };
        proxy.wait_until_it_routes().await;
        proxy
    }

    /// Traefik listens before it has read its routes, and answers 404 meanwhile.
    async fn wait_until_it_routes(&mut self) {
        let began = Instant::now();
        loop {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "scripts/bootstrap.sh proxies installs it: {}", self.log());
            assert!(began.elapsed() < Duration::from_secs(20), "it does not start: {}", self.log());
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                // Without an answer it is asking Latchkey already.
                let asked = request("GET", "/ready", &[], b"");
                let answer = try_ask(self.port, asked, Duration::from_millis(500)).await;
                if answer.is_none_or(|answer| answer.status() != 404) {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}
