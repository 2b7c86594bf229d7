//! Nodes that are killed, and nodes that stand still.

use std::time::Duration;

use serde_json::json;

use super::cluster::{Cluster, NODES};
use super::rounds::{again_and_again, rounds};
use crate::test_app::new_postgres_database;

async fn cluster() -> Cluster {
    Cluster::start(&[format!("--database-url={}", new_postgres_database().await)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_nodes_lose_no_writes_and_free_no_tokens() {
    let cluster = cluster().await;
    again_and_again(&cluster, 1, async |round| {
        cluster.kill_at_work(round).await;
        cluster.start_again(round).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_node_denies_keys_revoked_during_the_pause() {
    let cluster = cluster().await;
    for _ in 0..rounds() {
        let body = json!({ "name": cluster.name("Key") });
        let (id, secret) = cluster.create(0, &body).await.unwrap();
        for node in 0..NODES {
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
        assert_eq!(cluster.verify(1, &secret, 0).await.as_deref(), Some("revoked_key"));
    }
}
