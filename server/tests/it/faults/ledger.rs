//! People and backends at work while something breaks, and what was acknowledged to them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use serde_json::json;
use tokio::sync::watch;

use super::cluster::{Cluster, NODES};
use super::traffic::Work;
use super::{RECOVERY, until};

/// Tokens of a call.
const COST: u64 = 10;
/// Tokens of the one budget that all spend: more than they can while something breaks once.
const BUDGET: u64 = 400_000;
/// More than a node holds ahead at that cost: 256 calls' worth, and a quarter of that before
/// (`crates/checker/src/budget_slot.rs`).
const LEASE: u64 = 322 * COST;
/// Every process refuses a revoked key after this, whatever breaks.
pub(super) const REVOKED_EVERYWHERE: Duration = Duration::from_secs(1);
/// How many write, how many spend, how many try revoked keys.
const WORKERS: (usize, usize, usize) = (6, 4, 3);
/// How much of everything is done before something breaks, and again before the work ends.
const SOME: u64 = 5;
/// Checks at once when all that was acknowledged is looked at.
const AT_ONCE: usize = 8;

pub(super) struct Ledger<'a> {
    cluster: &'a Cluster,
    /// The key that is spent: its id and its secret.
    metered: (String, String),
    /// Secrets of keys that were made and never revoked.
    active: Mutex<Vec<String>>,
    /// Secrets of keys that were revoked, and when that was answered, in that order.
    revoked: Mutex<Vec<(String, Instant)>>,
    /// How many of these were tried as soon as they had to be refused everywhere.
    tried: AtomicUsize,
    /// Secrets of keys of which nobody said whether they were revoked.
    undecided: Mutex<Vec<String>>,
    counts: Counts,
    turn: AtomicUsize,
    /// Metered calls that had been hit before this ledger was opened.
    hits_before: usize,
}

#[derive(Default)]
struct Counts {
    made: AtomicU64,
    /// Keys that every node had admitted, and so cached, before they were revoked.
    revoked_from_caches: AtomicU64,
    /// Keys that every node refused as soon as they had to be.
    refused_everywhere: AtomicU64,
    /// Tokens that were admitted.
    admitted: AtomicU64,
}

impl Counts {
    fn get(&self) -> [u64; 4] {
        [
            self.made.load(Ordering::Relaxed),
            self.revoked_from_caches.load(Ordering::Relaxed),
            self.refused_everywhere.load(Ordering::Relaxed),
            self.admitted.load(Ordering::Relaxed),
        ]
    }
}

impl<'a> Ledger<'a> {
    pub(super) async fn open(cluster: &'a Cluster) -> Self {
        let metered = json!({ "name": cluster.name("Metered"), "kind": "inference",
            "token_limit": BUDGET, "token_limit_period": "month" });
        Self {
            cluster,
            metered: cluster.create(0, &metered).await.unwrap(),
            active: Mutex::default(),
            revoked: Mutex::default(),
            tried: AtomicUsize::new(0),
            undecided: Mutex::default(),
            counts: Counts::default(),
            turn: AtomicUsize::new(0),
            hits_before: cluster.traffic.hits(Work::Spend),
        }
    }

    /// Everybody works, something breaks, and everybody gets on again; then the nodes have
    /// recovered, and what was acknowledged holds.
    pub(super) async fn work_during<T>(&self, fault: impl Future<Output = T>) -> T {
        let (stop, stopped) = watch::channel(false);
        let writers = (0..WORKERS.0).map(|_| self.write(&stopped));
        let spenders = (0..WORKERS.1).map(|_| self.spend(&stopped));
        let thieves = (0..WORKERS.2).map(|_| self.try_revoked(&stopped));
        let fault = async {
            self.everybody_gets_on().await;
            let broken = fault.await;
            self.everybody_gets_on().await;
            stop.send(true).unwrap();
            broken
        };
        let (broken, ..) = tokio::join!(
            fault,
            futures::future::join_all(writers),
            futures::future::join_all(spenders),
            futures::future::join_all(thieves),
        );
        self.cluster.recovered().await;
        self.holds().await;
        broken
    }

    /// Waits until some more of everything is done.
    async fn everybody_gets_on(&self) {
        let before = self.counts.get();
        until("everybody gets on with their work", async || {
            let now = self.counts.get();
            now.iter().zip(before).all(|(now, before)| *now >= before + SOME)
        })
        .await;
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
            self.counts.made.fetch_add(1, Ordering::Relaxed);
            if name.ends_with(['0', '2', '4', '6', '8']) {
                self.active.lock().unwrap().push(secret);
            } else {
                self.revoke(&id, secret).await;
            }
        }
    }

    /// Revokes a key that is cached everywhere, as far as the nodes answer.
    async fn revoke(&self, id: &str, secret: String) {
        let mut is_cached = true;
        for node in 0..NODES {
            let outcome = self.cluster.verify(node, &secret, 0).await;
            is_cached &= outcome.as_deref() == Some("valid");
        }
        let node = self.node();
        if !self.cluster.revoke(node, id).await {
            self.undecided.lock().unwrap().push(secret);
            return;
        }
        {
            let mut revoked = self.revoked.lock().unwrap();
            revoked.push((secret.clone(), Instant::now()));
        }
        self.counts.revoked_from_caches.fetch_add(u64::from(is_cached), Ordering::Relaxed);
        // Where it was answered, that is at once.
        self.is_refused(node, &secret).await;
    }

    async fn spend(&self, stopped: &watch::Receiver<bool>) {
        while !*stopped.borrow() {
            match self.cluster.verify(self.node(), &self.metered.1, COST).await.as_deref() {
                Some("valid") => {
                    self.counts.admitted.fetch_add(COST, Ordering::Relaxed);
                }
                None | Some("unavailable") => pause().await,
                Some(other) => panic!("the budget lasts longer than the work: {other}"),
            }
        }
    }

    /// Tries keys everywhere as soon as they have to be refused everywhere, and older ones
    /// meanwhile.
    async fn try_revoked(&self, stopped: &watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let Some((secret, is_first)) = self.old_enough() else {
                pause().await;
                continue;
            };
            let mut refused = 0;
            for node in 0..NODES {
                refused += usize::from(self.is_refused(node, &secret).await);
            }
            if is_first && refused == NODES {
                self.counts.refused_everywhere.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A key that was revoked a second ago or earlier, and whether it is the first time that it is
    /// tried.
    fn old_enough(&self) -> Option<(String, bool)> {
        let revoked = self.revoked.lock().unwrap();
        let old = revoked.partition_point(|(_, at)| at.elapsed() >= REVOKED_EVERYWHERE);
        let next = self.tried.load(Ordering::Relaxed);
        if next < old {
            self.tried.store(next + 1, Ordering::Relaxed);
            return Some((revoked[next].0.clone(), true));
        }
        let any = self.node() % old.max(1);
        revoked[..old].get(any).map(|(secret, _)| (secret.clone(), false))
    }

    /// Whether a node says that the key is revoked. It may say nothing at the moment, and never
    /// that it is valid.
    async fn is_refused(&self, node: usize, secret: &str) -> bool {
        let outcome = self.cluster.verify(node, secret, 0).await;
        let outcome = outcome.as_deref();
        assert!(
            matches!(outcome, None | Some("revoked_key" | "unavailable")),
            "node {node} says of a revoked key: {outcome:?}"
        );
        outcome == Some("revoked_key")
    }

    /// Everything that was acknowledged is so, on every node.
    pub(super) async fn holds(&self) {
        let active = self.active.lock().unwrap().clone();
        self.everywhere(&active, &["valid"]).await;
        let undecided = self.undecided.lock().unwrap().clone();
        self.everywhere(&undecided, &["valid", "revoked_key"]).await;
        let revoked = self.revoked.lock().unwrap().clone();
        let last = revoked.last().map(|(_, at)| *at + REVOKED_EVERYWHERE);
        tokio::time::sleep_until(last.unwrap().into()).await;
        let revoked: Vec<_> = revoked.into_iter().map(|(secret, _)| secret).collect();
        self.everywhere(&revoked, &["revoked_key"]).await;
    }

    /// Waits until every node says one of this of every key; until then it may only be unable to
    /// say.
    async fn everywhere(&self, secrets: &[String], expected: &[&str]) {
        let asked = secrets.iter().flat_map(|secret| (0..NODES).map(move |node| (node, secret)));
        stream::iter(asked)
            .for_each_concurrent(AT_ONCE, |(node, secret)| async move {
                until("what was acknowledged is so", async || {
                    let outcome = self.cluster.verify(node, secret, 0).await;
                    let outcome = outcome.as_deref().unwrap_or("unavailable");
                    let is_so = expected.contains(&outcome);
                    assert!(is_so || outcome == "unavailable", "{outcome}, not {expected:?}");
                    is_so
                })
                .await;
            })
            .await;
    }

    /// Spends what is left of the budget, on all nodes at once, to the end: no more than all of it
    /// is admitted, and no less than what nodes may have leased and lost, `losses` times each.
    pub(super) async fn spend_rest(&self, losses: u64) {
        // The budget is far from its end: larger calls get there sooner.
        for cost in [BUDGET / 100, BUDGET / 1_000, COST] {
            let nodes = (0..2 * NODES).map(|node| self.spend_at(node, cost));
            futures::future::join_all(nodes).await;
        }
        let mut rest = 1;
        while rest > 0 {
            rest = 0;
            for node in 0..NODES {
                rest += self.spend_at(node, COST).await;
            }
        }
        let hits = self.cluster.traffic.hits(Work::Spend) - self.hits_before;
        // A lease that was under way, the one before it, calls whose answer was lost, and less than
        // a call at the end.
        let nodes = NODES as u64;
        let lost = losses * nodes * 2 * LEASE + (hits as u64 + nodes + 1) * COST;
        let admitted = self.counts.admitted.load(Ordering::Relaxed);
        let least = BUDGET - lost;
        assert!((least..=BUDGET).contains(&admitted), "{admitted} of {BUDGET}, not {least}");
        let used = self.cluster.used(0, &self.metered.0).await;
        assert!((admitted..=BUDGET).contains(&used), "{used} used, {admitted} admitted");
    }

    /// Spends at a node until it says that the budget is used up; how many tokens.
    async fn spend_at(&self, node: usize, cost: u64) -> u64 {
        let (began, mut spent) = (Instant::now(), 0);
        loop {
            match self.cluster.verify(node, &self.metered.1, cost).await.as_deref() {
                Some("valid") => {
                    self.counts.admitted.fetch_add(cost, Ordering::Relaxed);
                    spent += cost;
                }
                Some("token_budget_exhausted") => return spent,
                other => assert!(began.elapsed() < RECOVERY, "still {other:?}"),
            }
        }
    }
}

/// Somebody who was refused tries again a little later.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
