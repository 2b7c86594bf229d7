//! `make bench-http`: the cost of a check over HTTP.
//!
//! Compares `POST /v1/keys/verify` with a service key, over 10,000 keys, with a bare axum handler
//! in a separate process that parses the same body and responds with the same bytes. 32 connections
//! alternate between the two every second. The load generator and the servers share the machine's
//! cores.
//!
//! To favor neither side, both have the same allocator, are warmed up and take turns in going
//! first. Before each of bare axum's turns, the server has flushed its counters. Every response is
//! validated, and one that does not admit its key ends the bench.
//!
//! Where wrk is installed, it then sends the same requests in the same way, since a ratio depends
//! on the load generator too. It validates only the status.
//!
//! Usage: `bench-http PATH-OF-LATCHKEY [SECONDS]`. With a number of seconds it only loads Latchkey
//! for that time and measures nothing, for a profiler that would otherwise also record the waits.

mod bare;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use latchkey_bench::account::Account;
use latchkey_bench::bare::Bare;
use latchkey_bench::connection::{Connection, post};
use latchkey_bench::mixed::{self, Expected, MixedLoad};
use latchkey_bench::server::Server;
use latchkey_bench::side::{Side, paired_ratio, table};
use latchkey_bench::wrk::{self, Wrk};
use latchkey_bench::{process, report};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: usize = 10_000;
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 11;
const ROUND: Duration = Duration::from_secs(1);
const PATH: &str = "/v1/keys/verify";
const ADMITTED: &[u8] = br#"{"valid":true,"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let argument = std::env::args_os().nth(1);
    if let Some(answer) =
        argument.as_ref().filter(|word| *word == "bare").and(std::env::args().nth(2))
    {
        return bare::serve(answer);
    }
    let binary =
        argument.map(PathBuf::from).context("usage: bench-http PATH-OF-LATCHKEY [SECONDS]")?;
    let alone = std::env::args().nth(2).map(|seconds| seconds.parse()).transpose()?;
    compare(&binary, alone.map(Duration::from_secs)).await
}

async fn compare(binary: &Path, alone: Option<Duration>) -> anyhow::Result<()> {
    report::machine();
    let server = Server::start(binary, &[]).await?;
    let account = Account::sign_in(&server).await?;
    let permissions = json!({"name": "bench", "kind": "service", "permissions": ["keys:verify"]});
    let service_key = account.key(&permissions).await?;
    let bodies = make_keys(&account).await?;
    let requests = |address: SocketAddr| -> Arc<[Vec<u8>]> {
        bodies.iter().map(|body| post(address, PATH, &service_key, body)).collect()
    };
    let to_ours = requests(server.address);
    let answer = template(server.address, &to_ours[0]).await?;
    let bare = Bare::start(&["bare", &answer])?;
    let to_theirs = requests(bare.address);
    let bares = template(bare.address, &to_theirs[0]).await?;
    ensure!(bares == answer, "bare axum answers {bares}, and not {answer}");
    let load = |address, requests| {
        let expected = Expected { begins_with: ADMITTED, length: answer.len() };
        MixedLoad { address, requests, expected, connections: CONNECTIONS, duration: ROUND }
    };
    let (ours, theirs) = (load(server.address, to_ours), load(bare.address, to_theirs));
    if let Some(duration) = alone {
        mixed::walk(&ours).await?;
        report::say(&format!("loading process {} for {duration:?}", server.pid()));
        mixed::run(&MixedLoad { duration, ..ours }).await?;
        return Ok(());
    }
    measure(&server, &bare, &ours, &theirs).await
}

/// Creates the keys and returns the request bodies that verify them. All names, and therefore all
/// responses, have the same length.
async fn make_keys(account: &Account) -> anyhow::Result<Vec<String>> {
    report::say(&format!("making {KEYS} keys"));
    let mut bodies = Vec::with_capacity(KEYS);
    for number in 0..KEYS {
        let secret = account.key(&json!({"name": format!("key {number:05}")})).await?;
        bodies.push(json!({ "key": secret }).to_string());
    }
    Ok(bodies)
}

/// Body of the response to a request whose key is admitted.
async fn template(address: SocketAddr, request: &[u8]) -> anyhow::Result<String> {
    let mut connection = Connection::open(address).await?;
    let (exchange, body) = connection.exchange_and_look(request, <[u8]>::to_vec).await?;
    let body = String::from_utf8(body)?;
    let status = exchange.status;
    ensure!(status == 200 && body.as_bytes().starts_with(ADMITTED), "an answer is {status} {body}");
    Ok(body)
}

async fn measure(
    server: &Server,
    bare: &Bare,
    ours: &MixedLoad,
    theirs: &MixedLoad,
) -> anyhow::Result<()> {
    // Verify each key once: all are valid, and cached from here on.
    mixed::walk(ours).await?;
    for load in [ours, theirs] {
        mixed::run(&MixedLoad { duration: ROUND * 2, ..load.clone() }).await?;
    }
    let (mut latchkey, mut axum) = (Side::default(), Side::default());
    for round in 0..ROUNDS {
        for ours_is_next in [round % 2 == 0, round % 2 == 1] {
            if ours_is_next {
                latchkey.round(ours, || server.cpu_time()).await?;
            } else {
                server.rest().await?;
                axum.round(theirs, || process::cpu_time(bare.pid())).await?;
            }
        }
    }
    tell(&latchkey, &axum, "");
    if wrk::is_installed() {
        measure_by_wrk(server, bare, ours, theirs).await
    } else {
        report::say("wrk is not installed: nothing is measured by it.");
        Ok(())
    }
}

async fn measure_by_wrk(
    server: &Server,
    bare: &Bare,
    ours: &MixedLoad,
    theirs: &MixedLoad,
) -> anyhow::Result<()> {
    let (to_ours, to_theirs) = (Wrk::new(ours)?, Wrk::new(theirs)?);
    let (mut latchkey, mut axum) = (Side::default(), Side::default());
    for round in 0..ROUNDS {
        for ours_is_next in [round % 2 == 0, round % 2 == 1] {
            if ours_is_next {
                latchkey.wrk_round(&to_ours, || server.cpu_time())?;
            } else {
                server.rest().await?;
                axum.wrk_round(&to_theirs, || process::cpu_time(bare.pid()))?;
            }
        }
    }
    tell(&latchkey, &axum, "-by-wrk");
    Ok(())
}

/// Prints both sides and their ratios. `by` ends the names of the ratios.
fn tell(latchkey: &Side, axum: &Side, by: &str) {
    table(&[axum.row("bare axum"), latchkey.row("latchkey verify")]);
    report::say(
        "The load generator, one thread, has the same cores as the servers: a ratio of throughputs compares what server \
         and generator cost together, and is nearer to 1 than that of the servers’ CPU.",
    );
    let ratio = |name: &str, ours: &[f64], theirs: &[f64]| {
        report::ratio(&format!("http-verify-{name}{by}"), paired_ratio(ours, theirs));
    };
    ratio("throughput", &latchkey.per_second, &axum.per_second);
    ratio("p99", &latchkey.p99, &axum.p99);
    ratio("cpu", &latchkey.cpu, &axum.cpu);
}
