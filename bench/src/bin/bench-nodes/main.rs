//! `make bench-nodes`: how soon a change of a key on one node takes effect on all others, and how
//! long an admission takes under a budget that all nodes share.
//!
//! Three nodes share one PostgreSQL, with their invalidation listeners up. A key is cached on all
//! nodes and revoked on the first. All nodes are then called without a pause until the last one
//! refuses the key with 401. The clock starts with the response to the revocation. The same is
//! measured of a key that is disabled, and of one that is enabled again, until the last node
//! admits it. Revocations are also measured while the listeners' connections are stalled: they lead
//! through a proxy of the bench, which stalls at a different phase of the nodes' heartbeat each
//! time. Admissions under a budget of the organization are compared with those under budgets of the
//! keys' own.
//!
//! Usage: `LATCHKEY_TEST_POSTGRES_URL=… bench-nodes PATH-OF-LATCHKEY`
#![expect(clippy::disallowed_methods, reason = "the script names the database it started")]

mod budget;
mod node;
mod proxy;
mod revocation;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use latchkey_bench::account::Account;
use latchkey_bench::{report, statistics};
use reqwest::Client;

use node::{Node, until};
use proxy::Proxy;
use revocation::{CachedKey, TakenEffect};

const NODES: usize = 3;
const REVOCATIONS: usize = 1_000;
/// Each disables a key and enables it again.
const SWITCHES: usize = 500;
/// Each takes a little over a second: until no node trusts its cache, and until all do again.
const CUT_REVOCATIONS: u32 = 100;
/// The nodes' heartbeat interval.
const BEAT: Duration = Duration::from_millis(200);

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
    ];
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(Node::start(&binary, &settings).await?);
    }
    let account = Account::sign_in(&nodes[0].server).await?;
    let heard = heard(&account, &nodes).await?;
    let (disabled, enabled) = switched(&account, &nodes).await?;
    let cut = cut(&account, &nodes, &proxy).await?;
    tell(&heard, &disabled, &enabled, &cut);
    until(&nodes, true, &Client::new()).await?;
    budget::measure(&account, &nodes).await?.tell();
    Ok(())
}

async fn heard(account: &Account, nodes: &[Node]) -> anyhow::Result<Vec<TakenEffect>> {
    let (client, mut refused) = (Client::new(), Vec::new());
    for number in 0..REVOCATIONS {
        until(nodes, true, &client).await?;
        let key = CachedKey::make(account, nodes, &format!("heard {number}")).await?;
        refused.push(key.revoke(account, false).await?);
    }
    Ok(refused)
}

/// Disables and enables keys while all nodes hear.
async fn switched(
    account: &Account,
    nodes: &[Node],
) -> anyhow::Result<(Vec<TakenEffect>, Vec<TakenEffect>)> {
    let (client, mut disabled, mut enabled) = (Client::new(), Vec::new(), Vec::new());
    for number in 0..SWITCHES {
        until(nodes, true, &client).await?;
        let mut key = CachedKey::make(account, nodes, &format!("switched {number}")).await?;
        disabled.push(key.disable(account).await?);
        until(nodes, true, &client).await?;
        enabled.push(key.enable(account).await?);
    }
    Ok((disabled, enabled))
}

async fn cut(account: &Account, nodes: &[Node], proxy: &Proxy) -> anyhow::Result<Vec<TakenEffect>> {
    let (client, mut refused) = (Client::new(), Vec::new());
    for number in 0..CUT_REVOCATIONS {
        until(nodes, true, &client).await?;
        let key = CachedKey::make(account, nodes, &format!("cut {number}")).await?;
        tokio::time::sleep(phase(number)).await;
        proxy.hold();
        refused.push(key.revoke(account, true).await?);
        // The revoking node may still trust its cache. Wait until it does not.
        until(nodes, false, &client).await?;
        proxy.release();
    }
    Ok(refused)
}

/// A different phase of the heartbeat for each `number`. Multiples of the golden ratio never repeat
/// and leave no gap.
fn phase(number: u32) -> Duration {
    const GOLDEN_SECTION: f64 = 0.618_034;
    BEAT.mul_f64((f64::from(number) * GOLDEN_SECTION).fract())
}

fn tell(
    heard: &[TakenEffect],
    disabled: &[TakenEffect],
    enabled: &[TakenEffect],
    cut: &[TakenEffect],
) {
    let times = |rows: &[TakenEffect]| rows.iter().map(|row| row.after).collect::<Vec<_>>();
    let millis = |times, percent| statistics::percentile(times, percent).as_secs_f64() * 1e3;
    let row = |name: &str, rows: &[TakenEffect]| {
        let figures = [50, 99, 100].map(|percent| format!("{:.2}", millis(times(rows), percent)));
        let unavailable: usize = rows.iter().map(|row| row.unavailable).sum();
        let name = format!("{name} ({})", rows.len());
        std::iter::once(name).chain(figures).chain([unavailable.to_string()]).collect::<Vec<_>>()
    };
    let titles = ["until the last node follows", "p50 ms", "p99 ms", "max ms", "503 until then"];
    let rows = [
        row("revoked, all nodes hear", heard),
        row("disabled, all nodes hear", disabled),
        row("enabled, all nodes hear", enabled),
        row("revoked, nothing comes through", cut),
    ];
    report::table(&titles, &rows);
    report::figure("revoke-p99-ms", millis(times(heard), 99));
    report::figure("disable-p99-ms", millis(times(disabled), 99));
    report::figure("enable-p99-ms", millis(times(enabled), 99));
    report::figure("revoke-max-ms", millis([times(heard), times(cut)].concat(), 100));
}
