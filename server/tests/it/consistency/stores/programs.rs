//! Poolers of a test's own, and servers that do not start.
#![expect(clippy::disallowed_methods, reason = "a program starts in real time")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::ports::free_port;
use crate::process::command;

/// A program that a test has started; it ends with the test.
pub(crate) struct Program {
    child: Child,
    pub(crate) port: u16,
    folder: TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        // pgpool-II has children, which end when it is asked to end.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(3) {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// The same database through it.
    pub(crate) fn url(&self, of_database: &str) -> String {
        let (of_database, _) = of_database.split_once('?').unwrap_or((of_database, ""));
        let (_, name) = of_database.rsplit_once('/').unwrap();
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Starts it and waits until it listens.
    async fn start(mut command: Command, port: u16, folder: TempDir) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        let child = command.spawn().expect("scripts/bootstrap.sh poolers installs it");
        let program = Self { child, port, folder };
        let began = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "{}", program.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        program
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// Debian keeps them where only administrators look.
pub(crate) fn program(name: &str) -> PathBuf {
    let debian = Path::new("/usr/sbin").join(name);
    if debian.exists() { debian } else { name.into() }
}

/// A folder that the program may read, whoever it runs as.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("latchkey-pool.").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A PgBouncer before the PostgreSQL at `postgres`.
pub(crate) async fn pgbouncer(postgres: u16, settings: &str) -> Program {
    let (port, folder) = (free_port(), folder());
    let file = folder.path().join("pgbouncer.ini");
    let text = format!(
        "[databases]\n* = host=127.0.0.1 port={postgres} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nauth_type = any\nunix_socket_dir =\n{settings}\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(program("pgbouncer"));
    if is_root() {
        // It refuses to run as root.
        command.args(["-u", "nobody"]);
    }
    command.arg(&file);
    Program::start(command, port, folder).await
}

/// A pgpool-II that sends what reads to the second PostgreSQL, as it does by default where there is
/// one.
pub(crate) async fn pgpool(primary: u16, replica: u16, settings: &str) -> Program {
    let (port, pcp, folder) = (free_port(), free_port(), folder());
    let place = folder.path().display().to_string();
    let text = format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nsocket_dir = '{place}'\nunix_socket_directories = '{place}'\n\
         pcp_listen_addresses = '127.0.0.1'\npcp_port = {pcp}\npcp_socket_dir = '{place}'\nlogdir = '{place}'\n\
         pid_file_name = '{place}/pid'\nbackend_clustering_mode = 'streaming_replication'\nnum_init_children = 32\n\
         backend_hostname0 = '127.0.0.1'\nbackend_port0 = {primary}\nbackend_weight0 = 0\n\
         backend_hostname1 = '127.0.0.1'\nbackend_port1 = {replica}\nbackend_weight1 = 1\n\
         load_balance_mode = on\nenable_pool_hba = off\npool_passwd = ''\nsr_check_user = 'postgres'\n\
         sr_check_password = ''\nsr_check_period = 10\nhealth_check_period = 0\nwork_dir = '{place}'\n\
         wd_ipc_socket_dir = '{place}'\n{settings}\n"
    );
    let file = folder.path().join("pgpool.conf");
    std::fs::write(&file, text).unwrap();
    let none = folder.path().join("none.conf");
    std::fs::write(&none, "").unwrap();
    let mut command = Command::new(program("pgpool"));
    command.arg("-n").arg("-f").arg(&file).arg("-F").arg(&none).arg("-a").arg(&none);
    Program::start(command, port, folder).await
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}

/// What a server says that does not start.
pub(crate) fn refusal(folder: &TempDir, arguments: &[String]) -> String {
    let mut command = command(folder);
    command.args(arguments).arg("--latchkey-listen=127.0.0.1:0");
    let mut server = command.stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while server.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(20) {
            server.kill().unwrap();
            panic!("it started with {arguments:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let ended = server.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    String::from_utf8(ended.stderr).unwrap()
}
