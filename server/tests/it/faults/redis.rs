//! A Redis that goes away and comes back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::cluster::Cluster;
use super::ledger::Ledger;
use crate::shared_limits::Redis;
use crate::world::new_postgres_database;

const RPM: usize = 60;
/// Until the nodes have heard of each other, and of each other's absence.
const HEARD: Duration = Duration::from_millis(2_500);

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_goes_away_and_comes_back_opens_no_gate_and_closes_none() {
    let redis = Redis::start().await;
    let port = redis.port;
    let database = format!("--database-url={}", new_postgres_database().await);
    let cluster = Cluster::start(&[database, redis.argument()]).await;
    let ledger = Ledger::open(&cluster).await;
    tokio::time::sleep(HEARD).await;
    let limited = json!({ "name": "Limited", "rpm": RPM });
    let (_, secret) = cluster.create(0, &limited).await.unwrap();
    let admitted = AtomicUsize::new(0);
    let call = async |calls: usize| {
        for node in 0..calls {
            if cluster.verify(node, &secret, 0).await.as_deref() == Some("valid") {
                admitted.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    // Before, during and after, all within a minute.
    let fault = async {
        call(RPM / 2).await;
        drop(redis);
        call(2 * RPM).await;
        let _again = Redis::start_on(port).await;
        tokio::time::sleep(HEARD).await;
        call(RPM).await;
    };
    ledger.work_during(fault).await;
    let admitted = admitted.load(Ordering::Relaxed);
    // A call may be under way when Redis goes, and is lost then; the calls are spread evenly, so the shares are too.
    assert!((RPM - 3..=RPM).contains(&admitted), "{admitted} of {RPM}");
}
