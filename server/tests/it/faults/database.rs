//! A PostgreSQL that crashes, and connections to it that are cut.

use std::time::Duration;

use serde_json::json;

use super::cluster::{Cluster, NODES};
use super::ledger::REVOKED_EVERYWHERE;
use super::postgres::Postgres;
use super::rounds::again_and_again;
use super::until;
use crate::consistency::nodes::{ALL, LISTENERS, TELLERS, cut};

/// How long PostgreSQL stays away where requests shall outlast it.
const AWAY: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread")]
async fn postgres_crash_loses_no_write_and_admits_no_denied_key() {
    let postgres = Postgres::start().await;
    let cluster = Cluster::start(&[format!("--database-url={}", postgres.url())]).await;
    let (_, good) = cluster.create(0, &json!({ "name": "Good" })).await.unwrap();
    again_and_again(&cluster, 1, async |round| {
        for node in 0..NODES {
            assert_eq!(cluster.verify(node, &good, 0).await.as_deref(), Some("valid"), "cached");
        }
        postgres.crash().await;
        if round % 2 == 0 {
            tokio::time::sleep(REVOKED_EVERYWHERE).await;
            nobody_is_admitted(&cluster, &good).await;
        } else {
            tokio::time::sleep(AWAY).await;
        }
        postgres.start_again().await;
    })
    .await;
}

/// Every node puts off a check: a key that was good may be revoked by now.
async fn nobody_is_admitted(cluster: &Cluster, secret: &str) {
    let asked = (0..NODES).map(|node| cluster.check(node, secret, 0));
    for outcome in futures::future::join_all(asked).await {
        assert_eq!(outcome, Some((503, "unavailable".to_owned())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repeatedly_cut_connections_hide_no_revocation() {
    let postgres = Postgres::start().await;
    let cluster = Cluster::start(&[format!("--database-url={}", postgres.url())]).await;
    let admin = sea_orm::Database::connect(postgres.url()).await.unwrap();
    let cuts = [LISTENERS, TELLERS, LISTENERS, ALL];
    again_and_again(&cluster, cuts.len() as u64, async |_| {
        for which in cuts {
            until("there is something to cut", async || cut(&admin, which).await > 0).await;
            // The next one comes while some have come back and others have not.
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    })
    .await;
}
