//! `make bench-nodes`: how soon a revocation that one node has answered holds on every other.
//!
//! Three nodes on one PostgreSQL. A key is cached on all of them, revoked on the first, and asked for on all of them
//! without a pause until the last one refuses it; the clock starts when the revocation has answered. Then the same
//! while nothing comes through on the connections that listen for changes: these lead through a proxy of the bench.
//!
//! Usage: `LATCHKEY_TEST_POSTGRES_URL=… bench-nodes PATH-OF-LATCHKEY`
#![expect(clippy::disallowed_methods, reason = "the script names the database it started")]

mod proxy;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use latchkey_bench::account::Account;
use latchkey_bench::connection::{Connection, get};
use latchkey_bench::server::Server;
use latchkey_bench::stopwatch::Stopwatch;
use latchkey_bench::{report, statistics};
use serde_json::json;

use proxy::Proxy;

const NODES: usize = 3;
const REVOCATIONS: usize = 1_000;
const CUT_REVOCATIONS: usize = 15;
/// What a node may need to hear again, once it can.
const RECOVERY: Duration = Duration::from_millis(2_500);
/// A revocation that takes longer ends the bench.
const LIMIT: Duration = Duration::from_secs(10);
const PATH: &str = "/v1/models";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let binary = std::env::args_os().nth(1).map(PathBuf::from);
    let binary = binary.context("usage: bench-nodes PATH-OF-LATCHKEY")?;
    let url =
        std::env::var("LATCHKEY_TEST_POSTGRES_URL").context("scripts/with-postgres.sh sets it")?;
    report::machine();
    let proxy = Proxy::start(&url).await?;
    let direct = proxy.url(&url)?;
    let settings = [
        ("database-url", url.as_str()),
        ("database-direct-url", direct.as_str()),
        ("latchkey-pepper", "a pepper that the nodes of the bench share"),
        ("latchkey-jwt-secret", "a secret that the nodes of the bench share"),
        ("latchkey-metrics-listen", "off"),
    ];
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(Server::start(&binary, &settings).await?);
    }
    let account = Account::sign_in(&nodes[0]).await?;
    let addresses: Vec<_> = nodes.iter().map(|node| node.address).collect();
    tokio::time::sleep(RECOVERY).await;

    let mut heard = Vec::new();
    for number in 0..REVOCATIONS {
        heard.push(revoke(&account, &addresses, &format!("heard {number}"), || ()).await?);
    }
    let mut cut = Vec::new();
    for number in 0..CUT_REVOCATIONS {
        cut.push(revoke(&account, &addresses, &format!("cut {number}"), || proxy.hold()).await?);
        proxy.release();
        tokio::time::sleep(RECOVERY).await;
    }
    tell(&heard, &cut);
    Ok(())
}

/// From the answer to the revocation of a key, cached everywhere, to the last node's refusal. `before` is called just
/// before the key is revoked.
async fn revoke(
    account: &Account,
    nodes: &[SocketAddr],
    name: &str,
    before: impl FnOnce(),
) -> anyhow::Result<Duration> {
    let (id, secret) = account.inference_key_with_id(&json!({ "name": name })).await?;
    let mut asking = Vec::new();
    for address in nodes {
        let mut connection = Connection::open(*address).await?;
        let request = get(*address, PATH, &secret);
        for _ in 0..2 {
            let status = connection.exchange(&request).await?.status;
            ensure!(status == 200, "a good key is answered with {status}");
        }
        asking.push((connection, request));
    }
    before();
    account.revoke(&id).await?;
    let watch = Stopwatch::start();
    let refused = asking.iter_mut().map(async |(connection, request)| {
        while connection.exchange(request).await?.status == 200 {
            ensure!(watch.elapsed() < LIMIT, "a revoked key is still admitted after {LIMIT:?}");
        }
        anyhow::Ok(watch.elapsed())
    });
    let times = try_join_all(refused).await?;
    Ok(times.into_iter().max().unwrap_or_default())
}

fn tell(heard: &[Duration], cut: &[Duration]) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let row = |name: &str, times: &[Duration]| {
        let figures = [50, 99, 100].map(|percent| statistics::percentile(times.to_vec(), percent));
        let figures = figures.map(|time| format!("{:.2}", millis(time)));
        std::iter::once(format!("{name} ({})", times.len())).chain(figures).collect::<Vec<_>>()
    };
    let titles = ["to the last refusal", "p50 ms", "p99 ms", "max ms"];
    report::table(&titles, &[row("all nodes hear", heard), row("nothing comes through", cut)]);
    report::figure("revoke-p99-ms", millis(statistics::percentile(heard.to_vec(), 99)));
    let all = [heard, cut].concat();
    report::figure("revoke-max-ms", millis(statistics::percentile(all, 100)));
}
