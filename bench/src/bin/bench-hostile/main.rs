//! `make bench-hostile`: how one tenant's flood affects the others.
//!
//! Twelve connections post batches of 10,000 traces with one free test key, without a pause.
//! Meanwhile another tenant revokes 200 keys, twenty per second, and then checks cached keys,
//! alternately with and without the flood. Both run on SQLite and on PostgreSQL.
//!
//! Everything shares the machine's cores, the load generators and PostgreSQL too.
//!
//! Usage: `LATCHKEY_TEST_POSTGRES_URL=… bench-hostile PATH-OF-LATCHKEY`; with `scripts/bench.sh`,
//! `LATCHKEY_BINARY` selects another server than the one just built, e.g. that of the previous
//! commit.
#![expect(clippy::disallowed_methods, reason = "the script names the database it started")]

mod flood;
mod tenant;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use latchkey_bench::account::Account;
use latchkey_bench::server::Server;
use latchkey_bench::stopwatch::Stopwatch;
use latchkey_bench::{mixed, report, statistics};

use flood::Flood;
use tenant::Tenant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds with the flood, and the same number without.
const ROUNDS: usize = 5;
const WARM_UP: Duration = Duration::from_secs(2);
const REVOKE_EVERY: Duration = Duration::from_millis(50);
/// Time limit of all revocations. A server that refuses each one after five seconds is not called
/// two hundred times.
const MOST_OF_REVOCATIONS: Duration = Duration::from_mins(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let binary = std::env::args_os().nth(1).map(PathBuf::from);
    let binary = binary.context("usage: bench-hostile PATH-OF-LATCHKEY")?;
    let postgres =
        std::env::var("LATCHKEY_TEST_POSTGRES_URL").context("scripts/with-postgres.sh sets it")?;
    report::machine();
    let sqlite = measure(&binary, &[]).await?;
    let postgres = measure(&binary, &[("database-url", &postgres)]).await?;
    tell(&[("sqlite", sqlite), ("postgres", postgres)]);
    Ok(())
}

/// Results of one database.
struct Figures {
    revocations: Vec<Duration>,
    refused: usize,
    items_per_second: f64,
    refused_batches: u64,
    alone: Vec<f64>,
    flooded: Vec<f64>,
    /// As `flooded`, per core that the flood left free.
    flooded_per_core: Vec<f64>,
}

async fn measure(binary: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Figures> {
    let server = Server::start(binary, settings).await?;
    let account = Account::sign_in(&server).await?;
    let tenant = Tenant::settle(&server, &account).await?;
    let (application, key) = account.free_test_key().await?;
    let flood = Flood::start(server.address, &key, &application);
    flood.run(true);
    tokio::time::sleep(WARM_UP).await;
    let (watch, before) = (Stopwatch::start(), flood.items());
    let (mut revocations, mut refused) = (Vec::new(), 0);
    for id in &tenant.to_revoke {
        let one = Stopwatch::start();
        refused += usize::from(account.try_revoke(id).await? != 204);
        revocations.push(one.elapsed());
        tokio::time::sleep(REVOKE_EVERY.saturating_sub(one.elapsed())).await;
        if watch.elapsed() > MOST_OF_REVOCATIONS {
            break;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "no bench sends as many items")]
    let items_per_second = (flood.items() - before) as f64 / watch.elapsed().as_secs_f64();
    let (mut alone, mut flooded, mut flooded_per_core) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for with_flood in [round % 2 == 0, round % 2 == 1] {
            flood.run(with_flood);
            if with_flood {
                tokio::time::sleep(WARM_UP).await;
            } else {
                flood.rest().await;
            }
            let (watch, before) = (Stopwatch::start(), Flood::cpu_time(server.pid()));
            let per_second = mixed::run(&tenant.checks).await?.per_second();
            if with_flood {
                let taken = Flood::cpu_time(server.pid()).saturating_sub(before);
                let left = cores() - taken.as_secs_f64() / watch.elapsed().as_secs_f64();
                flooded.push(per_second);
                flooded_per_core.push(per_second / left);
            } else {
                alone.push(per_second);
            }
        }
    }
    flood.run(false);
    let refused_batches = flood.refused();
    Ok(Figures {
        revocations,
        refused,
        items_per_second,
        refused_batches,
        alone,
        flooded,
        flooded_per_core,
    })
}

fn cores() -> f64 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(cores).unwrap_or(u32::MAX).into()
}

fn tell(databases: &[(&str, Figures)]) {
    let millis = |figures: &Figures, percent| {
        statistics::percentile(figures.revocations.clone(), percent).as_secs_f64() * 1e3
    };
    let rows = databases.iter().map(|(name, figures)| {
        let numbers = [
            millis(figures, 50),
            millis(figures, 99),
            millis(figures, 100),
            statistics::median(figures.alone.clone()),
            statistics::median(figures.flooded.clone()),
            figures.items_per_second,
        ];
        let counts = [figures.revocations.len().to_string(), figures.refused.to_string()];
        let numbers = numbers.map(|number| format!("{number:.1}"));
        let last = figures.refused_batches.to_string();
        let first = std::iter::once((*name).to_owned());
        first.chain(counts).chain(numbers).chain([last]).collect()
    });
    let head = [
        "",
        "revocations",
        "refused",
        "p50 ms",
        "p99 ms",
        "max ms",
        "checks/s",
        "with the flood",
        "items/s",
        "batches refused",
    ];
    report::table(&head, &rows.collect::<Vec<_>>());
    for (name, figures) in databases {
        let alone = statistics::median(figures.alone.clone());
        let of_all = statistics::median(figures.flooded.clone()) / alone;
        let per_core = statistics::median(figures.flooded_per_core.clone()) / (alone / cores());
        report::figure(&format!("revoke-under-ingest-p99-ms-{name}"), millis(figures, 99));
        #[expect(clippy::cast_precision_loss, reason = "at most 200")]
        report::figure(&format!("revoke-under-ingest-refused-{name}"), figures.refused as f64);
        report::ratio(&format!("verify-under-ingest-{name}"), per_core);
        report::ratio(&format!("verify-under-ingest-of-all-cores-{name}"), of_all);
        report::figure(&format!("ingest-items-per-second-{name}"), figures.items_per_second);
    }
}
