//! Load with many different requests. Each connection cycles through all of them, from its own
//! starting point.
//!
//! Every response is validated: a check that refuses a key also responds with 200, and sooner.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use tokio::task::JoinSet;

use crate::connection::{Connection, Exchange};
use crate::load::Measured;
use crate::stopwatch::Stopwatch;

/// Requests, target and duration of the load.
#[derive(Clone)]
pub struct MixedLoad {
    /// Address of the server under load.
    pub address: SocketAddr,
    /// The requests, as raw bytes.
    pub requests: Arc<[Vec<u8>]>,
    /// What every response must look like.
    pub expected: Expected,
    /// Number of concurrent connections.
    pub connections: usize,
    /// How long requests are sent.
    pub duration: Duration,
}

/// A valid response, identified by its status, its first bytes and its length. Comparing the whole
/// body would cost the load generator too much.
#[derive(Clone)]
pub struct Expected {
    /// First bytes of the body.
    pub begins_with: &'static [u8],
    /// Length of the body in bytes.
    pub length: usize,
}

impl Expected {
    /// Sends a request and validates the response.
    ///
    /// # Errors
    /// The response is not as expected, or the connection breaks.
    pub async fn ask(
        &self,
        connection: &mut Connection,
        request: &[u8],
    ) -> anyhow::Result<Exchange> {
        let look = |body: &[u8]| {
            let fits = body.len() == self.length && body.starts_with(self.begins_with);
            (!fits).then(|| String::from_utf8_lossy(body).into_owned())
        };
        let (exchange, other) = connection.exchange_and_look(request, look).await?;
        let status = exchange.status;
        ensure!(status == 200 && other.is_none(), "an answer is {status} {other:?}");
        Ok(exchange)
    }
}

/// Sends each request once, on one connection.
///
/// # Errors
/// A response is not as expected, or the connection breaks.
pub async fn walk(load: &MixedLoad) -> anyhow::Result<()> {
    let mut connection = Connection::open(load.address).await?;
    for request in load.requests.iter() {
        load.expected.ask(&mut connection, request).await?;
    }
    Ok(())
}

/// Runs the load. Connecting is not measured.
///
/// # Errors
/// A response is not as expected, or a connection breaks.
pub async fn run(load: &MixedLoad) -> anyhow::Result<Measured> {
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(Connection::open(load.address).await?);
    }
    let watch = Stopwatch::start();
    let mut tasks = JoinSet::new();
    let apart = load.requests.len() / load.connections.max(1);
    for (index, connection) in connections.into_iter().enumerate() {
        tasks.spawn(ask(connection, load.clone(), index * apart, watch));
    }
    Measured::collect(tasks, watch).await
}

async fn ask(
    mut connection: Connection,
    load: MixedLoad,
    first: usize,
    watch: Stopwatch,
) -> anyhow::Result<Vec<Exchange>> {
    let mut exchanges = Vec::new();
    for request in load.requests.iter().cycle().skip(first) {
        if watch.elapsed() >= load.duration {
            break;
        }
        exchanges.push(load.expected.ask(&mut connection, request).await?);
    }
    Ok(exchanges)
}
