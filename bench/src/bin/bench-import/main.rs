//! `make bench-import`: how fast keys of another system are imported, and what that costs checks.
//!
//! Files of 100,000 keys are imported on SQLite and on PostgreSQL. Meanwhile one caller checks a
//! key, alternately with and without an import. Then two servers, one with imported keys and one
//! without, check a key of ours in turns.
//!
//! Everything shares the machine's cores, this program and PostgreSQL too.
//!
//! Usage: `LATCHKEY_TEST_POSTGRES_URL=… bench-import PATH-OF-LATCHKEY`.
#![expect(clippy::disallowed_methods, reason = "the script names the database it started")]

mod file;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use latchkey_bench::account::Account;
use latchkey_bench::load::{self, Load};
use latchkey_bench::server::Server;
use latchkey_bench::stopwatch::Stopwatch;
use latchkey_bench::{process, report, statistics};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keys of a file: as many as one may have.
const KEYS: usize = 100_000;
/// Files that are imported without checks, and as many with them.
const FILES: usize = 3;
/// How long checks are measured at a time.
const CHECKS: Duration = Duration::from_secs(3);
/// Turns of the two servers.
const ROUNDS: usize = 9;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let binary = std::env::args_os().nth(1).map(PathBuf::from);
    let binary = binary.context("usage: bench-import PATH-OF-LATCHKEY")?;
    let postgres =
        std::env::var("LATCHKEY_TEST_POSTGRES_URL").context("scripts/with-postgres.sh sets it")?;
    report::machine();
    let sqlite = Mover::start(&binary, &[]).await?;
    let of_sqlite = sqlite.measure().await?;
    let of_postgres =
        Mover::start(&binary, &[("database-url", &postgres)]).await?.measure().await?;
    tell(&[("sqlite", &of_sqlite), ("postgres", &of_postgres)]);
    let slowest = of_sqlite.per_second().min(of_postgres.per_second());
    report::figure("import-keys-per-second", slowest);
    let least = of_sqlite.during_import().min(of_postgres.during_import());
    report::ratio("check-during-import", least);
    let without = Mover::start(&binary, &[]).await?;
    report::ratio("check-with-imports", beside(&sqlite, &without).await?);
    Ok(())
}

/// A server, and a project that keys are moved into.
struct Mover {
    server: Server,
    account: Account,
    /// A check of a key of ours.
    check: Load,
}

/// Results of one database.
struct ImportFigures {
    imports: Vec<Duration>,
    alone: Vec<f64>,
    meanwhile: Vec<f64>,
    /// Resident memory of the server before and after, in KiB.
    memory: (u32, u32),
}

impl ImportFigures {
    fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a file has at most 100,000 keys")]
        let rate = |time: &Duration| KEYS as f64 / time.as_secs_f64();
        statistics::median(self.imports.iter().map(rate).collect())
    }

    fn during_import(&self) -> f64 {
        statistics::median(self.meanwhile.clone()) / statistics::median(self.alone.clone())
    }
}

impl Mover {
    async fn start(binary: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let server = Server::start(binary, settings).await?;
        let account = Account::sign_in(&server).await?;
        let key = account.key(&json!({ "name": "Checked" })).await?;
        let request = format!(
            "GET /v1/check/{} HTTP/1.1\r\nhost: {}\r\nx-api-key: {key}\r\n\r\n",
            account.project(),
            server.address
        );
        let check = Load {
            address: server.address,
            request: Arc::from(request.into_bytes()),
            connections: 1,
            duration: CHECKS,
        };
        Ok(Self { server, account, check })
    }

    async fn measure(&self) -> anyhow::Result<ImportFigures> {
        self.account.register_shape(&file::shape()).await?;
        let mut figures = ImportFigures {
            imports: Vec::new(),
            alone: Vec::new(),
            meanwhile: Vec::new(),
            memory: (process::resident_kib(self.server.pid())?, 0),
        };
        for number in 0..FILES {
            let rows = file::rows(2 * number, KEYS);
            let watch = Stopwatch::start();
            self.account.import(rows).await?;
            figures.imports.push(watch.elapsed());
            self.server.rest().await?;
            figures.alone.push(load::run(&self.check).await?.per_second());
            let rows = file::rows(2 * number + 1, KEYS);
            let (imported, checked) =
                tokio::join!(self.account.import(rows), load::run(&self.check));
            imported?;
            figures.meanwhile.push(checked?.per_second());
            self.server.rest().await?;
        }
        figures.memory.1 = process::resident_kib(self.server.pid())?;
        Ok(figures)
    }
}

/// Time of a check on a server with imported keys, by the time on one without.
async fn beside(with: &Mover, without: &Mover) -> anyhow::Result<f64> {
    let (mut rates, mut others) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        rates.push(load::run(&with.check).await?.per_second());
        others.push(load::run(&without.check).await?.per_second());
    }
    Ok(statistics::median(others) / statistics::median(rates))
}

fn tell(databases: &[(&str, &ImportFigures)]) {
    let rows = databases.iter().map(|(name, figures)| {
        let numbers = [
            figures.per_second(),
            statistics::median(figures.alone.clone()),
            statistics::median(figures.meanwhile.clone()),
        ];
        let memory = [figures.memory.0, figures.memory.1].map(|kib| (kib / 1_024).to_string());
        let numbers = numbers.map(|number| format!("{number:.0}"));
        std::iter::once((*name).to_owned()).chain(numbers).chain(memory).collect()
    });
    let head = ["", "keys/s", "checks/s", "during an import", "MiB before", "MiB after"];
    report::table(&head, &rows.collect::<Vec<_>>());
    for (name, figures) in databases {
        report::figure(&format!("import-keys-per-second-{name}"), figures.per_second());
        report::ratio(&format!("check-during-import-{name}"), figures.during_import());
    }
}
