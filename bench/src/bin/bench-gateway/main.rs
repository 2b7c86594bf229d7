//! `make bench-gateway`: the overhead of the gateway.
//!
//! The same calls go to an upstream on this machine, directly and through Latchkey: plain and
//! streamed, one at a time and sixteen at a time, with a key without limits and with a key that has
//! a token rate limit and a budget. In turn with them they go through an earlier build, nginx and a
//! bare proxy of hyper's. Load generator, upstream and proxies share the machine's cores, so
//! requests per second compare their total cost.
//!
//! Before that, a server that has just started serves 512 streams at once.
//!
//! Usage: `bench-gateway PATH-OF-LATCHKEY [CELL…]`. With names of cells (`gateway_plain_c16`) it
//! measures only these, e.g. for a profiler. `LATCHKEY_BEFORE` is the path of the earlier build.

mod cell;
mod fresh;
mod hyper_proxy;
mod nginx;
mod results;
mod stamp;
mod streams;
mod subject;
mod upstream;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use latchkey_bench::nginx::NginxProcess;
use latchkey_bench::report;
use latchkey_bench::stopwatch::Stopwatch;

use cell::{Cell, Via};
use subject::{Programs, Subject};

/// The hyper proxy's, as the server's: an allocator is not what the two are compared by.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// With 26 cells a little over three minutes in total.
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(800);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().context("usage: bench-gateway PATH-OF-LATCHKEY [CELL…]")?;
    if first == hyper_proxy::ARGUMENT {
        let upstream = arguments.next().context("the upstream's address")?;
        return hyper_proxy::serve(upstream.parse()?);
    }
    let only: Vec<String> = arguments.collect();
    let cells = Cell::all();
    for name in &only {
        let names = cells.iter().map(Cell::name).chain(fresh::CELLS.map(str::to_owned));
        let names: Vec<_> = names.collect();
        ensure!(names.contains(name), "no cell {name}; there are {}", names.join(", "));
    }
    measure(Path::new(&first), cells, &only).await
}

async fn measure(binary: &Path, mut cells: Vec<Cell>, only: &[String]) -> anyhow::Result<()> {
    report::machine();
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|other| other == name);
    let before = earlier_build();
    cells.retain(|cell| is_wanted(&cell.name()));
    leave_out(&mut cells, before.is_none(), Via::Before, "LATCHKEY_BEFORE is not set");
    leave_out(&mut cells, !NginxProcess::is_installed(), Via::Nginx, "nginx is not installed");
    let clock = Stopwatch::start();
    let upstream = upstream::start(clock)?;
    let folder = tempfile::tempdir()?;
    let upstreams = write_upstreams(folder.path(), upstream)?;
    let (before, upstreams) = (before.as_deref(), upstreams.as_str());
    let programs = Programs { now: binary, before, upstreams, upstream };
    fresh::measure(&programs, clock, is_wanted).await?;
    if cells.is_empty() {
        return Ok(());
    }
    let subjects = subject::start(&programs, &cells).await?;
    for round in 0..ROUNDS {
        for group in cells.chunk_by_mut(Cell::is_compared_with) {
            // Each round starts with another one.
            let (last, first) = group.split_at_mut(round % group.len());
            for cell in first.iter_mut().chain(last) {
                subject_of(&subjects, cell)?.measure(cell, ROUND).await?;
            }
        }
    }
    results::tell(&cells);
    Ok(())
}

/// Leaves out the cells of what is missing, and says so.
fn leave_out(cells: &mut Vec<Cell>, is_missing: bool, via: Via, why: &str) {
    if is_missing && cells.iter().any(|cell| cell.via == via) {
        cells.retain(|cell| cell.via != via);
        report::say(&format!("{why}: the cells {}_… and their ratios are left out", via.name()));
    }
}

fn subject_of<'a>(subjects: &'a [Subject], cell: &Cell) -> anyhow::Result<&'a Subject> {
    let subject = subjects.iter().find(|subject| subject.via == cell.via);
    subject.with_context(|| format!("nothing is started for {}", cell.name()))
}

#[expect(clippy::disallowed_methods, reason = "a bench has no configuration but this")]
fn earlier_build() -> Option<PathBuf> {
    std::env::var_os("LATCHKEY_BEFORE").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Writes Latchkey's file of upstreams and returns its path.
fn write_upstreams(folder: &Path, upstream: SocketAddr) -> anyhow::Result<String> {
    let file = folder.join("upstreams.toml");
    let model = cell::MODEL;
    let toml = format!(
        "[[upstream]]\nname = \"local\"\nbase_url = \"http://{upstream}/v1\"\nmodels = [\"{model}\"]\n"
    );
    std::fs::write(&file, toml)?;
    Ok(file.display().to_string())
}
