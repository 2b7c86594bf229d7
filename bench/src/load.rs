//! Closed-loop load: each connection sends its next request after the previous response.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::task::JoinSet;

use crate::connection::{Connection, Exchange};
use crate::stopwatch::Stopwatch;

/// Request, target and duration of the load.
#[derive(Clone)]
pub struct Load {
    /// Address of the server under load.
    pub address: SocketAddr,
    /// The request, as raw bytes.
    pub request: Arc<[u8]>,
    /// Number of concurrent connections.
    pub connections: usize,
    /// How long requests are sent.
    pub duration: Duration,
}

/// Result of a run.
#[derive(Debug, Default)]
pub struct Measured {
    /// Every exchange of the run.
    pub exchanges: Vec<Exchange>,
    /// Time from the first exchange to the last.
    pub elapsed: Duration,
}

impl Measured {
    /// Waits for the tasks of all connections.
    pub(crate) async fn collect(
        mut tasks: JoinSet<anyhow::Result<Vec<Exchange>>>,
        watch: Stopwatch,
    ) -> anyhow::Result<Self> {
        let mut measured = Self::default();
        while let Some(exchanges) = tasks.join_next().await {
            measured.exchanges.extend(exchanges??);
        }
        measured.elapsed = watch.elapsed();
        Ok(measured)
    }

    /// Responses per second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no bench makes as many requests")]
    pub fn per_second(&self) -> f64 {
        self.exchanges.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Runs the load. Connecting and each connection's first request are not measured.
///
/// # Errors
/// A response is not 200, or a connection breaks: figures of refusals would mean nothing.
pub async fn run(load: &Load) -> anyhow::Result<Measured> {
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        let mut connection = Connection::open(load.address).await?;
        checked(connection.exchange(&load.request).await?)?;
        connections.push(connection);
    }
    let watch = Stopwatch::start();
    let mut tasks = JoinSet::new();
    for connection in connections {
        tasks.spawn(ask(connection, load.clone(), watch));
    }
    Measured::collect(tasks, watch).await
}

async fn ask(
    mut connection: Connection,
    load: Load,
    watch: Stopwatch,
) -> anyhow::Result<Vec<Exchange>> {
    let mut exchanges = Vec::new();
    while watch.elapsed() < load.duration {
        exchanges.push(checked(connection.exchange(&load.request).await?)?);
    }
    Ok(exchanges)
}

/// Returns the exchange if its status is 200.
fn checked(exchange: Exchange) -> anyhow::Result<Exchange> {
    match exchange.status {
        200 => Ok(exchange),
        status => bail!("an answer has the status {status}"),
    }
}
