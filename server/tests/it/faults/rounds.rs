//! Faults that come again and again, each with a ledger of its own.

use super::cluster::Cluster;
use super::ledger::Ledger;

/// A fault may miss some kind of work: it comes as often again at most, to hit that too.
const MORE: usize = 10;

/// How often a fault comes, from `LATCHKEY_FAULTS`; twice unless told.
pub(super) fn rounds() -> usize {
    std::env::var("LATCHKEY_FAULTS").map_or(2, |told| told.parse().unwrap())
}

/// Brings a fault, of which each may take from nodes what they have leased `losses` times, while
/// everybody works. It comes [`rounds`] times, and until it has hit every kind of work. What was
/// acknowledged holds after each, and at the end what was acknowledged in all of them.
pub(super) async fn again_and_again(cluster: &Cluster, losses: u64, fault: impl AsyncFn(usize)) {
    let mut ledgers = Vec::new();
    while ledgers.len() < rounds() || !cluster.traffic.all_were_hit() {
        assert!(ledgers.len() < rounds() + MORE, "no fault hit some work: {:?}", cluster.traffic);
        let ledger = Ledger::open(cluster).await;
        ledger.work_during(fault(ledgers.len())).await;
        ledger.spend_rest(losses).await;
        ledgers.push(ledger);
    }
    for ledger in &ledgers {
        ledger.holds().await;
    }
    eprintln!("{} faults; {:?}", ledgers.len(), cluster.traffic);
}
