//! A key that is cached on every node, changed on the first, and tried on all of them until the
//! last one follows.

use std::time::Duration;

use anyhow::{bail, ensure};
use futures::future::try_join_all;
use latchkey_bench::account::Account;
use latchkey_bench::connection::{Connection, get};
use latchkey_bench::stopwatch::Stopwatch;
use serde_json::json;

use crate::node::Node;

/// A change that takes longer fails the bench.
const LIMIT: Duration = Duration::from_secs(10);
const PATH: &str = "/v1/models";
const ADMITTED: u16 = 200;
const REFUSED: u16 = 401;

/// A key that is cached on every node.
pub(crate) struct CachedKey {
    id: String,
    asking: Vec<(Connection, Vec<u8>)>,
}

/// Time from the response to a change until the last node follows.
pub(crate) struct TakenEffect {
    pub(crate) after: Duration,
    /// Responses in between that neither admitted nor refused the key: 503, while a node can't
    /// check it.
    pub(crate) unavailable: usize,
}

impl CachedKey {
    pub(crate) async fn make(
        account: &Account,
        nodes: &[Node],
        name: &str,
    ) -> anyhow::Result<Self> {
        let (id, secret) = account.inference_key_with_id(&json!({ "name": name })).await?;
        let mut asking = Vec::new();
        for node in nodes {
            let address = node.server.address;
            let mut connection = Connection::open(address).await?;
            let request = get(address, PATH, &secret);
            for _ in 0..2 {
                let status = connection.exchange(&request).await?.status;
                ensure!(status == ADMITTED, "a good key is answered with {status}");
            }
            asking.push((connection, request));
        }
        Ok(Self { id, asking })
    }

    /// Revokes the key. A 503 ends the bench, unless `may_not_know`.
    pub(crate) async fn revoke(
        mut self,
        account: &Account,
        may_not_know: bool,
    ) -> anyhow::Result<TakenEffect> {
        account.revoke(&self.id).await?;
        self.follow((ADMITTED, REFUSED), may_not_know).await
    }

    /// Disables the key. A 503 ends the bench.
    pub(crate) async fn disable(&mut self, account: &Account) -> anyhow::Result<TakenEffect> {
        account.change(&self.id, &json!({ "disabled": true })).await?;
        self.follow((ADMITTED, REFUSED), false).await
    }

    /// Enables the key again. A 503 ends the bench.
    pub(crate) async fn enable(&mut self, account: &Account) -> anyhow::Result<TakenEffect> {
        account.change(&self.id, &json!({ "disabled": false })).await?;
        self.follow((REFUSED, ADMITTED), false).await
    }

    /// Tries the key on all nodes until each of them answers `after`.
    async fn follow(
        &mut self,
        (before, after): (u16, u16),
        may_not_know: bool,
    ) -> anyhow::Result<TakenEffect> {
        let watch = Stopwatch::start();
        let nodes = self.asking.iter_mut().map(async |(connection, request)| {
            let mut unavailable = 0;
            loop {
                match connection.exchange(request).await?.status {
                    status if status == after => break,
                    status if status == before => {}
                    503 if may_not_know => unavailable += 1,
                    status => bail!("a changed key is answered with {status}"),
                }
                ensure!(watch.elapsed() < LIMIT, "a change has no effect after {LIMIT:?}");
            }
            Ok((watch.elapsed(), unavailable))
        });
        let nodes = try_join_all(nodes).await?;
        let after = nodes.iter().map(|(after, _)| *after).max().unwrap_or_default();
        Ok(TakenEffect { after, unavailable: nodes.iter().map(|(_, count)| count).sum() })
    }
}
