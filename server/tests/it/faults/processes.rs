//! Nodes that are killed, and nodes that stand still.

use std::time::Duration;

use serde_json::json;

use super::cluster::Cluster;
use super::ledger::Ledger;
use super::rounds;
use crate::world::new_postgres_database;

async fn cluster() -> Cluster {
    Cluster::start(&[format!("--database-url={}", new_postgres_database().await)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_killed_at_work_lose_nothing_and_free_nothing() {
    let cluster = cluster().await;
    let ledger = Ledger::open(&cluster).await;
    ledger
        .work_during(async {
            for round in 0..rounds() {
                tokio::time::sleep(Duration::from_millis(700 + 130 * (round as u64 % 7))).await;
                cluster.kill(round);
                cluster.start_again(round).await;
            }
        })
        .await;
    ledger.spend_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stood_still_admits_nothing_that_was_revoked_meanwhile() {
    let cluster = cluster().await;
    for _ in 0..rounds() {
        let body = json!({ "name": cluster.name("Key") });
        let (id, secret) = cluster.create(0, &body).await.unwrap();
        for node in 0..3 {
            assert_eq!(cluster.verify(node, &secret, 0).await.as_deref(), Some("valid"));
        }
        cluster.signal(1, "-STOP");
        assert!(cluster.revoke(0, &id).await);
        // Asked while it stands still: the first that it does is to answer.
        let asked = cluster.verify(1, &secret, 0);
        let wake = async {
            tokio::time::sleep(Duration::from_millis(1_100)).await;
            cluster.signal(1, "-CONT");
        };
        let (outcome, ()) = tokio::join!(asked, wake);
        assert_ne!(outcome.as_deref(), Some("valid"));
        cluster.recovered().await;
    }
}
