//! `make bench-http`: what a check costs over HTTP.
//!
//! `POST /v1/keys/verify` with a service key, over 10,000 keys, beside a bare axum handler in a process of its own that
//! parses the same body and answers as many bytes. 32 connections, in turns of a second; load generator and servers
//! share the machine's cores.
//!
//! Usage: `bench-http PATH-OF-LATCHKEY`

mod bare;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use latchkey_bench::account::Account;
use latchkey_bench::connection::post;
use latchkey_bench::load::Measured;
use latchkey_bench::mixed::{self, MixedLoad};
use latchkey_bench::server::Server;
use latchkey_bench::{process, report, statistics};
use serde_json::json;

const KEYS: usize = 10_000;
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 11;
const ROUND: Duration = Duration::from_secs(1);
const PATH: &str = "/v1/keys/verify";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let argument = std::env::args_os().nth(1);
    if let Some(answer) =
        argument.as_ref().filter(|word| *word == "bare").and(std::env::args().nth(2))
    {
        return bare::serve(answer);
    }
    let binary = argument.map(PathBuf::from).context("usage: bench-http PATH-OF-LATCHKEY")?;
    report::machine();
    let server = Server::start(&binary, &[]).await?;
    let account = Account::sign_in(&server).await?;
    let permissions = json!({"name": "bench", "kind": "service", "permissions": ["keys:verify"]});
    let service_key = account.key(&permissions).await?;
    report::say(&format!("making {KEYS} keys"));
    let mut bodies = Vec::with_capacity(KEYS);
    for number in 0..KEYS {
        let secret = account.key(&json!({"name": format!("key {number}")})).await?;
        bodies.push(json!({ "key": secret }).to_string());
    }
    let answer = account.verify(&service_key, &bodies[0]).await?;
    let bare = bare::Bare::start(&answer)?;
    let load = |address| MixedLoad {
        address,
        requests: bodies.iter().map(|body| post(address, PATH, &service_key, body)).collect(),
        connections: CONNECTIONS,
        duration: ROUND,
    };
    let (ours, theirs) = (load(server.address), load(bare.address));
    // Once through all keys: a check of what is not cached is another bench's.
    mixed::run(&MixedLoad { duration: ROUND * 2, ..ours.clone() }).await?;
    let (mut latchkey, mut axum) = (Side::default(), Side::default());
    for _ in 0..ROUNDS {
        latchkey.round(&ours, || server.cpu_time()).await?;
        axum.round(&theirs, || process::cpu_time(bare.pid())).await?;
    }
    tell(&latchkey, &axum);
    Ok(())
}

/// The figures of each round.
#[derive(Default)]
struct Side {
    per_second: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    cpu: Vec<f64>,
}

impl Side {
    async fn round(
        &mut self,
        load: &MixedLoad,
        cpu: impl Fn() -> anyhow::Result<Duration>,
    ) -> anyhow::Result<()> {
        let before = cpu()?;
        let measured: Measured = mixed::run(load).await?;
        let used = cpu()?.saturating_sub(before).as_secs_f64();
        let times: Vec<_> = measured.exchanges.iter().map(|exchange| exchange.whole).collect();
        self.per_second.push(measured.per_second());
        self.p50.push(statistics::percentile(times.clone(), 50).as_secs_f64() * 1e3);
        self.p99.push(statistics::percentile(times.clone(), 99).as_secs_f64() * 1e3);
        #[expect(clippy::cast_precision_loss, reason = "no bench makes as many requests")]
        self.cpu.push(used * 1e6 / times.len() as f64);
        Ok(())
    }

    fn medians(&self) -> [f64; 4] {
        [&self.per_second, &self.p50, &self.p99, &self.cpu]
            .map(|all| statistics::median(all.clone()))
    }
}

fn tell(latchkey: &Side, axum: &Side) {
    let (ours, theirs) = (latchkey.medians(), axum.medians());
    let row = |name: &str, figures: [f64; 4]| {
        let figures = figures.map(|figure| format!("{figure:.3}"));
        std::iter::once(name.to_owned()).chain(figures).collect::<Vec<_>>()
    };
    let head = ["", "requests/s", "p50 ms", "p99 ms", "CPU µs/request"];
    report::table(&head, &[row("bare axum", theirs), row("latchkey verify", ours)]);
    // Of each pair of rounds, then the median: what slows the machine slows both.
    let ratio = |ours: &[f64], theirs: &[f64]| {
        statistics::median(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect())
    };
    report::ratio("http-verify-throughput", ratio(&latchkey.per_second, &axum.per_second));
    report::ratio("http-verify-p99", ratio(&latchkey.p99, &axum.p99));
    report::ratio("http-verify-cpu", ratio(&latchkey.cpu, &axum.cpu));
}
