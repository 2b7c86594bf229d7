//! A proxy to the database that can stall: packets are then not forwarded, as on a network that
//! drops everything.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A running proxy.
pub(crate) struct Proxy {
    address: SocketAddr,
    held: watch::Sender<bool>,
}

impl Proxy {
    /// Starts a proxy to the database of `url`.
    pub(crate) async fn start(url: &str) -> anyhow::Result<Self> {
        let target = authority(url)?.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (held, holding) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(lead(stream, target.clone(), holding.clone()));
            }
        });
        Ok(Self { address, held })
    }

    /// `url` with this proxy as its host.
    pub(crate) fn url(&self, url: &str) -> anyhow::Result<String> {
        Ok(url.replacen(authority(url)?, &self.address.to_string(), 1))
    }

    /// Stalls all connections.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Forwards new connections again. Stalled ones break.
    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }
}

async fn lead(mut stream: TcpStream, target: String, mut holding: watch::Receiver<bool>) {
    // A connection that arrives during a stall is stalled as well.
    if holding.wait_for(|held| !held).await.is_err() {
        return;
    }
    let Ok(mut database) = TcpStream::connect(&target).await else { return };
    // Otherwise the bench would measure this proxy's delayed ACKs.
    if stream.set_nodelay(true).and_then(|()| database.set_nodelay(true)).is_err() {
        return;
    }
    let held = {
        let mut holding = holding.clone();
        async move { holding.wait_for(|held| *held).await.is_ok() }
    };
    tokio::select! {
        _ = copy_bidirectional(&mut stream, &mut database) => return,
        _ = held => {}
    }
    // Both sides stay open and receive nothing until the release.
    let _ = holding.wait_for(|held| !held).await;
}

/// The `host:port` of a URL.
fn authority(url: &str) -> anyhow::Result<&str> {
    let rest = url.split_once("://").context("the database's URL has no scheme")?.1;
    let rest = rest.split(['/', '?']).next().unwrap_or_default();
    Ok(rest.rsplit('@').next().unwrap_or_default())
}
