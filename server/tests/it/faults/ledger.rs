//! People and backends at work while something breaks, and what was acknowledged to them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::watch;

use super::cluster::Cluster;
use super::until;

/// Tokens of a call.
const COST: u64 = 10;
/// Tokens of the one budget that all spend.
const BUDGET: u64 = 20_000;
/// Every process refuses a revoked key after this, whatever breaks.
const REVOKED_EVERYWHERE: Duration = Duration::from_secs(1);
/// How many write, how many spend, how many try revoked keys.
const WORKERS: (usize, usize, usize) = (3, 4, 3);

/// What was acknowledged.
pub(super) struct Ledger<'a> {
    cluster: &'a Cluster,
    /// The key that is spent: its id and its secret.
    metered: (String, String),
    /// Secrets of keys that were made and never revoked.
    active: Mutex<Vec<String>>,
    /// Secrets of keys that were revoked, and when that was answered.
    revoked: Mutex<Vec<(String, Instant)>>,
    admitted: AtomicU64,
    turn: AtomicUsize,
}

impl<'a> Ledger<'a> {
    pub(super) async fn open(cluster: &'a Cluster) -> Self {
        let metered = json!({ "name": "Metered", "kind": "inference", "token_limit": BUDGET,
            "token_limit_period": "month" });
        Self {
            cluster,
            metered: cluster.create(0, &metered).await.unwrap(),
            active: Mutex::default(),
            revoked: Mutex::default(),
            admitted: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
        }
    }

    /// Everybody works while `fault` runs; then the nodes recover, and the ledger is held against them.
    pub(super) async fn work_during(&self, fault: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let writers = (0..WORKERS.0).map(|_| self.write(&stopped));
        let spenders = (0..WORKERS.1).map(|_| self.spend(&stopped));
        let thieves = (0..WORKERS.2).map(|_| self.try_revoked(&stopped));
        let fault = async {
            fault.await;
            stop.send(true).unwrap();
        };
        tokio::join!(
            fault,
            futures::future::join_all(writers),
            futures::future::join_all(spenders),
            futures::future::join_all(thieves),
        );
        self.cluster.recovered().await;
        self.holds().await;
    }

    /// Any node, each time the next.
    fn node(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes keys, and revokes every second one.
    async fn write(&self, stopped: &watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let name = self.cluster.name("Key");
            let Some((id, secret)) =
                self.cluster.create(self.node(), &json!({ "name": name })).await
            else {
                pause().await;
                continue;
            };
            if name.ends_with(['0', '2', '4', '6', '8']) {
                self.active.lock().unwrap().push(secret);
            } else if self.cluster.revoke(self.node(), &id).await {
                // What was not answered may or may not have been done.
                self.revoked.lock().unwrap().push((secret, Instant::now()));
            }
        }
    }

    /// Spends the budget.
    async fn spend(&self, stopped: &watch::Receiver<bool>) {
        while !*stopped.borrow() {
            match self.cluster.verify(self.node(), &self.metered.1, COST).await.as_deref() {
                Some("valid") => {
                    self.admitted.fetch_add(COST, Ordering::Relaxed);
                }
                _ => pause().await,
            }
        }
    }

    /// Tries keys that were revoked a second ago or earlier.
    async fn try_revoked(&self, stopped: &watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let old = {
                let revoked = self.revoked.lock().unwrap();
                let old: Vec<_> =
                    revoked.iter().filter(|(_, at)| at.elapsed() >= REVOKED_EVERYWHERE).collect();
                old.get(self.node() % old.len().max(1)).map(|(secret, _)| secret.clone())
            };
            let Some(secret) = old else {
                pause().await;
                continue;
            };
            self.is_refused(self.node(), &secret).await;
        }
    }

    async fn is_refused(&self, node: usize, secret: &str) {
        let outcome = self.cluster.verify(node, secret, 0).await;
        assert_ne!(outcome.as_deref(), Some("valid"), "a revoked key is admitted by node {node}");
    }

    /// Everything that was acknowledged is so, on every node.
    async fn holds(&self) {
        let (active, revoked) =
            (self.active.lock().unwrap().clone(), self.revoked.lock().unwrap().clone());
        assert!(!active.is_empty() && !revoked.is_empty(), "nothing was done");
        for node in 0..3 {
            for secret in &active {
                until("a key that was made is valid", async || {
                    let outcome = self.cluster.verify(node, secret, 0).await;
                    assert_ne!(
                        outcome.as_deref(),
                        Some("unknown_key"),
                        "an acknowledged key is lost"
                    );
                    outcome.as_deref() == Some("valid")
                })
                .await;
            }
        }
        tokio::time::sleep(REVOKED_EVERYWHERE).await;
        for node in 0..3 {
            for (secret, _) in &revoked {
                assert_eq!(
                    self.cluster.verify(node, secret, 0).await.as_deref(),
                    Some("revoked_key"),
                    "node {node}"
                );
            }
        }
        let admitted = self.admitted.load(Ordering::Relaxed);
        assert!(admitted > 0 && admitted <= BUDGET, "{admitted} of {BUDGET}");
        let used = self.cluster.used(0, &self.metered.0).await;
        assert!((admitted..=BUDGET).contains(&used), "{used} used, {admitted} admitted");
    }

    /// Spends what is left of the budget, on all nodes at once; no more than all of it is admitted.
    pub(super) async fn spend_all(&self) {
        let spend = async |node: usize| {
            while self.cluster.verify(node, &self.metered.1, COST).await.as_deref() == Some("valid")
            {
                self.admitted.fetch_add(COST, Ordering::Relaxed);
            }
        };
        tokio::join!(spend(0), spend(0), spend(1), spend(1), spend(2), spend(2));
        let admitted = self.admitted.load(Ordering::Relaxed);
        assert!(admitted <= BUDGET, "{admitted} of {BUDGET}");
    }
}

/// Somebody who was refused tries again a little later.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
