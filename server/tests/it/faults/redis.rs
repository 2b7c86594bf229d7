//! A Redis that goes away and comes back.

use std::time::Duration;

use serde_json::json;

use super::cluster::{Cluster, NODES};
use super::ledger::Ledger;
use super::rounds::rounds;
use crate::consistency::shared_limits::Redis;
use crate::test_app::new_postgres_database;

/// Each node's share of it is a whole number.
const RPM: usize = 60;
/// Until the nodes have heard of each other, of which they say nothing: each says every second that
/// it is there.
const HEARD: Duration = Duration::from_millis(2_500);

/// A key that is limited to [`RPM`].
async fn limited(cluster: &Cluster) -> String {
    let body = json!({ "name": cluster.name("Limited"), "rpm": RPM });
    cluster.create(0, &body).await.unwrap().1
}

/// How many of so many calls on each node are admitted.
async fn admitted(cluster: &Cluster, secret: &str, calls: [usize; NODES]) -> usize {
    let at_node = async |node: usize| {
        let mut admitted = 0;
        for _ in 0..calls[node] {
            let outcome = cluster.verify(node, secret, 0).await.unwrap();
            assert!(["valid", "rate_limited"].contains(&outcome.as_str()), "{outcome}");
            admitted += usize::from(outcome == "valid");
        }
        admitted
    };
    futures::future::join_all((0..NODES).map(at_node)).await.into_iter().sum()
}

/// Takes Redis away and brings it back, with calls before, meanwhile and after, all within a
/// minute.
async fn goes_and_comes_back(cluster: &Cluster, redis: Redis) -> Redis {
    let (port, secret) = (redis.port, limited(cluster).await);
    let half = RPM / 2 / NODES;
    let before = admitted(cluster, &secret, [half; NODES]).await;
    assert_eq!(before, RPM / 2);
    drop(redis);
    let meanwhile = admitted(cluster, &secret, [RPM; NODES]).await;
    for node in 0..NODES {
        cluster.tells(node, "latchkey_redis_limiter_up 0").await;
    }
    let redis = Redis::start_on(port).await;
    for node in 0..NODES {
        cluster.tells(node, "latchkey_redis_limiter_up 1").await;
    }
    let after = admitted(cluster, &secret, [RPM; NODES]).await;
    // Each node goes on to its share: the calls were spread evenly, so the shares are used up
    // evenly.
    assert_eq!((meanwhile, after), (RPM / 2, 0), "a gate was opened, or closed");
    redis
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_outage_neither_exceeds_limits_nor_blocks_keys() {
    let mut redis = Redis::start().await;
    let database = format!("--database-url={}", new_postgres_database().await);
    let cluster = Cluster::start(&[database, redis.argument()]).await;
    tokio::time::sleep(HEARD).await;
    for _ in 0..rounds() {
        let ledger = Ledger::open(&cluster).await;
        redis = ledger.work_during(goes_and_comes_back(&cluster, redis)).await;
        // For a minute Redis and each node's own share both have to admit
        // (docs/decisions/016-shared-limits.md).
        let evenly = admitted(&cluster, &limited(&cluster).await, [RPM; NODES]).await;
        assert_eq!(evenly, RPM, "all shares together, and all that Redis admits");
        let at_one = admitted(&cluster, &limited(&cluster).await, [2 * RPM, 0, 0]).await;
        assert_eq!(at_one, RPM / NODES, "one share");
        ledger.spend_rest(0).await;
    }
}
