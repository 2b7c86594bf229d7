//! `make bench-gateway`: the overhead of the gateway.
//!
//! The same calls go to an upstream on this machine, directly and through Latchkey: plain and
//! streamed, one at a time and sixteen at a time, with a key without limits and with a key that has
//! a token rate limit and a budget. Load generator, upstream and Latchkey share the machine's
//! cores, so requests per second compare their total cost.
//!
//! Usage: `bench-gateway PATH-OF-LATCHKEY [CELL…]`. With names of cells (`gateway_plain_c16`) it
//! measures only these, e.g. for a profiler. With `LATCHKEY_BEFORE`, the path of an earlier build,
//! each round measures that build too, alternately.

mod cell;
mod upstream;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use latchkey_bench::account::Account;
use latchkey_bench::load;
use latchkey_bench::report;
use latchkey_bench::server::Server;
use serde_json::json;

use cell::{Cell, Kind, Targets, Via};

/// With 14 cells a little over a minute in total, twice as long with an earlier build.
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(600);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let binary = arguments.next().map(PathBuf::from);
    let binary = binary.context("usage: bench-gateway PATH-OF-LATCHKEY [CELL…]")?;
    let only: Vec<String> = arguments.collect();
    report::machine();
    let upstream = upstream::start()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("upstreams.toml");
    let model = cell::MODEL;
    let toml = format!(
        "[[upstream]]\nname = \"local\"\nbase_url = \"http://{upstream}/v1\"\nmodels = [\"{model}\"]\n"
    );
    std::fs::write(&file, toml)?;
    let file = file.display().to_string();
    let now = Subject::start(&binary, &file, upstream, &only).await?;
    let before = match earlier_build() {
        Some(before) => Some(Subject::start(&before, &file, upstream, &only).await?),
        None => None,
    };
    let mut subjects: Vec<Subject> = std::iter::once(now).chain(before).collect();
    for _ in 0..ROUNDS {
        for subject in &mut subjects {
            subject.measure().await?;
        }
    }
    let [now, before @ ..] = subjects.as_slice() else { return Ok(()) };
    tell(&now.cells);
    for before in before {
        report::ratio("gateway-cpu-before", cpu(&now.cells) / cpu(&before.cells));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a bench has no configuration but this")]
fn earlier_build() -> Option<PathBuf> {
    std::env::var_os("LATCHKEY_BEFORE").map(PathBuf::from)
}

/// A build under test.
struct Subject {
    server: Server,
    targets: Targets,
    cells: Vec<Cell>,
}

impl Subject {
    async fn start(
        binary: &Path,
        upstreams: &str,
        upstream: SocketAddr,
        only: &[String],
    ) -> anyhow::Result<Self> {
        let server = Server::start(binary, &[("latchkey-upstreams", upstreams)]).await?;
        let account = Account::sign_in(&server).await?;
        let unlimited = account.inference_key(&json!({ "name": "no limits" })).await?;
        let limits = json!({
            "name": "limits", "tpm": 1_000_000_000_000_u64, "token_limit": 1_000_000_000_000_u64,
            "token_limit_period": "month",
        });
        let limited = account.inference_key(&limits).await?;
        let targets = Targets { upstream, gateway: server.address, unlimited, limited };
        let mut cells = Cell::all();
        cells.retain(|cell| only.is_empty() || only.contains(&cell.name()));
        Ok(Self { server, targets, cells })
    }

    async fn measure(&mut self) -> anyhow::Result<()> {
        for cell in &mut self.cells {
            let before = self.server.cpu_time()?;
            let measured = load::run(&self.targets.load(cell, ROUND)).await?;
            cell.add(&measured, self.server.cpu_time()?.saturating_sub(before));
        }
        Ok(())
    }
}

/// Sum of the server's processor time of one call of each kind, in microseconds.
fn cpu(cells: &[Cell]) -> f64 {
    let small = cells.iter().filter(|cell| cell.kind != Kind::LongPrompt);
    small.filter(|cell| cell.via != Via::Direct).map(Cell::server_micros).sum()
}

fn tell(cells: &[Cell]) {
    let head = ["", "requests/s", "p50 ms", "p99 ms", "first byte ms", "server µs/request"];
    let rows: Vec<Vec<String>> = cells.iter().map(Cell::row).collect();
    report::table(&head, &rows);
    for cell in cells {
        cell.tell();
    }
    for cell in cells.iter().filter(|cell| cell.via != Via::Direct) {
        let direct = cells.iter().find(|other| other.is_direct_of(cell));
        if let Some(direct) = direct {
            cell.compare(direct);
        }
    }
    goals(cells);
}

/// Prints the gateway's goals beside its results.
fn goals(cells: &[Cell]) {
    let find = |kind, via, connections| {
        let mut all = cells.iter();
        all.find(|cell| cell.kind == kind && cell.via == via && cell.connections == connections)
    };
    let plain = (find(Kind::Plain, Via::Direct, 1), find(Kind::Plain, Via::Unlimited, 1));
    let streamed = (find(Kind::Streamed, Via::Direct, 1), find(Kind::Streamed, Via::Unlimited, 1));
    let (Some(direct), Some(gateway)) = plain else { return };
    let (Some(first), Some(gateways_first)) = streamed else { return };
    let long = find(Kind::LongPrompt, Via::Limited, 1).map_or(0.0, |long| {
        (long.server_micros() - gateway.server_micros()) / cell::LONG_PROMPT_KIB
    });
    report::figure("cpu-us-per-prompt-kib", long);
    let many = find(Kind::Plain, Via::Unlimited, 16).map_or(0.0, Cell::server_micros);
    for (what, value, goal) in [
        ("added p50, ms", gateway.p50() - direct.p50(), 0.10),
        ("p99, ms", gateway.p99(), 0.9),
        ("server’s CPU a plain request at 16 connections, µs", many, 50.0),
        ("server’s CPU a KiB of prompt, µs", long, 1.0),
        ("added to the first byte of a stream, ms", gateways_first.first() - first.first(), 1.0),
    ] {
        let word = if value <= goal { "met" } else { "MISSED" };
        report::say(&format!("goal {what}: {value:.3} of {goal} ({word})"));
    }
}
