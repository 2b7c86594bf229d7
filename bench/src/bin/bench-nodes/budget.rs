//! How long an admission takes under one budget that all nodes lease from, compared with budgets of
//! the keys' own.

use std::time::Duration;

use anyhow::ensure;
use futures::future::try_join_all;
use latchkey_bench::account::Account;
use latchkey_bench::connection::{Connection, post};
use latchkey_bench::stopwatch::Stopwatch;
use latchkey_bench::{report, statistics};
use serde_json::json;

use crate::node::Node;

const PATH: &str = "/v1/keys/verify";
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
/// Each with a key of its own.
const CONNECTIONS_OF_NODE: usize = 4;
/// Tokens of a budget: never used up.
const TOKENS: u64 = 1_000_000_000_000;

/// Times of admissions.
#[derive(Default)]
pub(crate) struct Admissions {
    own: Vec<Duration>,
    shared: Vec<Duration>,
}

/// Measures both in turn.
pub(crate) async fn measure(account: &Account, nodes: &[Node]) -> anyhow::Result<Admissions> {
    let verifier = json!({ "name": "verifier", "kind": "service", "permissions": ["keys:verify"] });
    let verifier = account.key(&verifier).await?;
    let (mut own, mut shared) = (Vec::new(), Vec::new());
    for number in 0..CONNECTIONS_OF_NODE * nodes.len() {
        let limited = json!({ "name": format!("own budget {number}"),
            "token_limit": TOKENS, "token_limit_period": "month" });
        own.push(account.inference_key(&limited).await?);
        let unlimited = json!({ "name": format!("shared budget {number}") });
        shared.push(account.inference_key(&unlimited).await?);
    }
    let budget = json!({ "unit": "tokens", "limit": TOKENS, "period": "month" });
    let mut admissions = Admissions::default();
    for _ in 0..ROUNDS {
        account.change_organization(&json!({ "budgets": null })).await?;
        admissions.own.extend(round(nodes, &verifier, &own).await?);
        account.change_organization(&json!({ "budgets": [budget] })).await?;
        admissions.shared.extend(round(nodes, &verifier, &shared).await?);
    }
    Ok(admissions)
}

/// Verifies the keys on all nodes at once, a token each time.
async fn round(nodes: &[Node], verifier: &str, keys: &[String]) -> anyhow::Result<Vec<Duration>> {
    let connections = keys.iter().zip(nodes.iter().cycle()).map(async |(key, node)| {
        let address = node.server.address;
        let body = json!({ "key": key, "cost": 1 }).to_string();
        let request = post(address, PATH, verifier, &body);
        let mut connection = Connection::open(address).await?;
        let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
        // The key is cached from here on.
        let (_, answer) = connection.exchange_and_look(&request, text).await?;
        ensure!(answer.contains("\"code\":\"valid\""), "{answer}");
        let (watch, mut times) = (Stopwatch::start(), Vec::new());
        while watch.elapsed() < ROUND {
            let exchange = connection.exchange(&request).await?;
            ensure!(exchange.status == 200, "an answer has the status {}", exchange.status);
            times.push(exchange.whole);
        }
        anyhow::Ok(times)
    });
    Ok(try_join_all(connections).await?.concat())
}

impl Admissions {
    /// Prints the percentiles, and the proportion of both.
    pub(crate) fn tell(&self) {
        let millis = |times: &[Duration], percent| {
            statistics::percentile(times.to_vec(), percent).as_secs_f64() * 1e3
        };
        let row = |name: &str, times: &[Duration]| {
            let figures = [50, 99, 100].map(|percent| format!("{:.3}", millis(times, percent)));
            let name = format!("{name} ({})", times.len());
            std::iter::once(name).chain(figures).collect::<Vec<_>>()
        };
        let titles = ["admission on three nodes", "p50 ms", "p99 ms", "max ms"];
        let rows = [
            row("under a budget of the key", &self.own),
            row("under one budget of the organization", &self.shared),
        ];
        report::table(&titles, &rows);
        let (own, shared) = (millis(&self.own, 99), millis(&self.shared, 99));
        report::figure("admission-own-budget-p99-ms", own);
        report::figure("admission-shared-budget-p99-ms", shared);
        report::ratio("admission-shared-budget-p99", shared / own);
    }
}
