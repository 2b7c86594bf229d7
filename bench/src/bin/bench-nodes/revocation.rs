//! A key that is cached on every node, revoked on the first, and tried on all of them until the
//! last one refuses it.

use std::time::Duration;

use anyhow::{bail, ensure};
use futures::future::try_join_all;
use latchkey_bench::account::Account;
use latchkey_bench::connection::{Connection, get};
use latchkey_bench::stopwatch::Stopwatch;
use serde_json::json;

use crate::node::Node;

/// A revocation that takes longer fails the bench.
const LIMIT: Duration = Duration::from_secs(10);
const PATH: &str = "/v1/models";

/// A key that is cached on every node.
pub(crate) struct CachedKey {
    id: String,
    asking: Vec<(Connection, Vec<u8>)>,
}

/// Time from the response to the revocation to the last node's refusal.
pub(crate) struct Refused {
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
                ensure!(status == 200, "a good key is answered with {status}");
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
    ) -> anyhow::Result<Refused> {
        account.revoke(&self.id).await?;
        let watch = Stopwatch::start();
        let refusals = self.asking.iter_mut().map(async |(connection, request)| {
            let mut unavailable = 0;
            loop {
                match connection.exchange(request).await?.status {
                    401 => break,
                    200 => {}
                    503 if may_not_know => unavailable += 1,
                    status => bail!("a revoked key is answered with {status}"),
                }
                ensure!(watch.elapsed() < LIMIT, "a revoked key is not refused after {LIMIT:?}");
            }
            Ok((watch.elapsed(), unavailable))
        });
        let refusals = try_join_all(refusals).await?;
        let after = refusals.iter().map(|(after, _)| *after).max().unwrap_or_default();
        Ok(Refused { after, unavailable: refusals.iter().map(|(_, count)| count).sum() })
    }
}
