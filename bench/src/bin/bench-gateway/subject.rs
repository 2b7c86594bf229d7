//! What the calls go through: builds of Latchkey, nginx and a bare proxy, each a process.

use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use latchkey_bench::account::Account;
use latchkey_bench::bare::Bare;
use latchkey_bench::load;
use latchkey_bench::nginx::NginxProcess;
use latchkey_bench::process;
use latchkey_bench::server::Server;
use serde_json::json;

use crate::cell::{Cell, Via};
use crate::{hyper_proxy, nginx};

/// The programs under test, and the upstream that all of them have.
pub(crate) struct Programs<'a> {
    pub(crate) now: &'a Path,
    pub(crate) before: Option<&'a Path>,
    /// Path of Latchkey's file of upstreams.
    pub(crate) upstreams: &'a str,
    pub(crate) upstream: SocketAddr,
}

/// A running program. It ends with its last subject.
enum Process {
    Latchkey(Server),
    Nginx(NginxProcess),
    Hyper(Bare),
}

impl Process {
    fn pid(&self) -> u32 {
        match self {
            Self::Latchkey(server) => server.pid(),
            Self::Nginx(nginx) => nginx.pid(),
            Self::Hyper(bare) => bare.pid(),
        }
    }
}

/// A route of calls.
pub(crate) struct Subject {
    pub(crate) via: Via,
    address: SocketAddr,
    key: String,
    /// Whose processor time counts; `None` for the upstream, which is a thread of the bench.
    process: Option<Rc<Process>>,
}

impl Subject {
    fn new(via: Via, address: SocketAddr, key: String, process: Process) -> Self {
        Self { via, address, key, process: Some(Rc::new(process)) }
    }

    /// Measures a round of a cell.
    pub(crate) async fn measure(&self, cell: &mut Cell, duration: Duration) -> anyhow::Result<()> {
        let load = cell.load(self.address, &self.key, duration);
        let before = self.cpu_time()?;
        let measured = load::run(&load).await?;
        cell.add(&measured, self.cpu_time()?.saturating_sub(before));
        Ok(())
    }

    /// nginx's workers are children of its master.
    fn cpu_time(&self) -> anyhow::Result<Duration> {
        let pid = self.process.as_ref().map(|process| process.pid());
        pid.map_or(Ok(Duration::ZERO), process::cpu_time_of_family)
    }
}

/// Starts what the cells go through.
pub(crate) async fn start(programs: &Programs<'_>, cells: &[Cell]) -> anyhow::Result<Vec<Subject>> {
    let any = |via| cells.iter().any(|cell| cell.via == via);
    let key = "none".to_owned();
    let address = programs.upstream;
    let mut subjects = vec![Subject { via: Via::Direct, address, key, process: None }];
    if any(Via::Unlimited) || any(Via::Limited) {
        let (server, account) = latchkey(programs.now, programs.upstreams).await?;
        let key = unlimited_key(&account).await?;
        let limited = limited_key(&account).await?;
        let address = server.address;
        let process = Some(Rc::new(Process::Latchkey(server)));
        subjects.push(Subject { via: Via::Unlimited, address, key, process: process.clone() });
        subjects.push(Subject { via: Via::Limited, address, key: limited, process });
    }
    if let Some(before) = programs.before.filter(|_| any(Via::Before)) {
        let (server, account) = latchkey(before, programs.upstreams).await?;
        let (address, key) = (server.address, unlimited_key(&account).await?);
        subjects.push(Subject::new(Via::Before, address, key, Process::Latchkey(server)));
    }
    if any(Via::Nginx) {
        let (nginx, address) = nginx::start(programs.upstream).await?;
        subjects.push(Subject::new(Via::Nginx, address, String::new(), Process::Nginx(nginx)));
    }
    if any(Via::Hyper) {
        let bare = Bare::start(&[hyper_proxy::ARGUMENT, &programs.upstream.to_string()])?;
        let address = bare.address;
        subjects.push(Subject::new(Via::Hyper, address, String::new(), Process::Hyper(bare)));
    }
    Ok(subjects)
}

/// Starts a build of Latchkey and signs in.
async fn latchkey(binary: &Path, upstreams: &str) -> anyhow::Result<(Server, Account)> {
    let server = start_latchkey(binary, upstreams).await?;
    let account = Account::sign_in(&server).await?;
    Ok((server, account))
}

/// Starts a build of Latchkey, only with settings that earlier ones have too.
pub(crate) async fn start_latchkey(binary: &Path, upstreams: &str) -> anyhow::Result<Server> {
    Server::start(binary, &[("latchkey-upstreams", upstreams)]).await
}

/// Creates a key without limits.
pub(crate) async fn unlimited_key(account: &Account) -> anyhow::Result<String> {
    account.inference_key(&json!({ "name": "no limits" })).await
}

async fn limited_key(account: &Account) -> anyhow::Result<String> {
    let limits = json!({
        "name": "limits", "tpm": 1_000_000_000_000_u64, "token_limit": 1_000_000_000_000_u64,
        "token_limit_period": "month",
    });
    account.inference_key(&limits).await
}
