//! A node of the cluster and the state of its invalidation listener.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use latchkey_bench::server::{Server, free_address};
use latchkey_bench::stopwatch::Stopwatch;
use reqwest::Client;

/// Time limit until the listeners of all nodes are up, or all are down.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(15);
const STEP: Duration = Duration::from_millis(5);

pub(crate) struct Node {
    pub(crate) server: Server,
    metrics: String,
}

/// The metric of the invalidation listener, now and in builds before it was renamed.
const LISTENER_UP: [&str; 2] = ["latchkey_invalidation_listener_up", "latchkey_changes_heard"];

impl Node {
    pub(crate) async fn start(binary: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let address = free_address()?.to_string();
        let settings = [settings, &[("latchkey-metrics-listen", &address)]].concat();
        let server = Server::start(binary, &settings).await?;
        Ok(Self { server, metrics: format!("http://{address}/metrics") })
    }

    /// Whether the node's invalidation listener is up, and its cache therefore valid.
    async fn hears(&self, client: &Client) -> anyhow::Result<bool> {
        let answer = client.get(&self.metrics).send().await?.error_for_status()?;
        let text = answer.text().await?;
        let is = |value: &str| {
            let mut named = text.lines().filter_map(|line| line.split_once(' '));
            named.any(|(name, told)| LISTENER_UP.contains(&name) && told == value)
        };
        let (yes, no) = (is("1"), is("0"));
        ensure!(yes != no, "a node’s metrics don’t say whether it hears");
        Ok(yes)
    }
}

/// Waits until the invalidation listeners of all nodes are up, or all are down.
pub(crate) async fn until(nodes: &[Node], hear: bool, client: &Client) -> anyhow::Result<()> {
    let watch = Stopwatch::start();
    for node in nodes {
        while node.hears(client).await? != hear {
            ensure!(watch.elapsed() < CHANGE_TIMEOUT, "a node does not come to hear={hear}");
            tokio::time::sleep(STEP).await;
        }
    }
    Ok(())
}
