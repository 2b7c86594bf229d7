//! Load of many different requests: each connection goes through all of them, from a place of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::connection::{Connection, Exchange};
use crate::load::{Measured, checked};
use crate::stopwatch::Stopwatch;

/// What is sent, where, and for how long.
#[derive(Clone)]
pub struct MixedLoad {
    /// Whom to ask.
    pub address: SocketAddr,
    /// The bytes of each request.
    pub requests: Arc<[Vec<u8>]>,
    /// How many ask at once.
    pub connections: usize,
    /// For how long.
    pub duration: Duration,
}

/// Puts the load on. Connecting is not measured.
///
/// # Errors
/// An answer is not 200, or a connection breaks.
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
    let mut measured = Measured::default();
    while let Some(exchanges) = tasks.join_next().await {
        measured.exchanges.extend(exchanges??);
    }
    measured.elapsed = watch.elapsed();
    Ok(measured)
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
        exchanges.push(checked(connection.exchange(request).await?)?);
    }
    Ok(exchanges)
}
