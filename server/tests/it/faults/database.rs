//! A PostgreSQL that crashes, and connections to it that are cut.

use std::time::Duration;

use sea_orm::ConnectionTrait;

use super::cluster::Cluster;
use super::ledger::Ledger;
use super::postgres::{AWAY, Postgres};
use super::rounds;

#[tokio::test(flavor = "multi_thread")]
async fn postgres_that_crashes_and_comes_back_loses_nothing_and_opens_nothing() {
    let postgres = Postgres::start();
    let cluster = Cluster::start(&[format!("--database-url={}", postgres.url())]).await;
    let ledger = Ledger::open(&cluster).await;
    for _ in 0..rounds() {
        ledger
            .work_during(async {
                tokio::time::sleep(Duration::from_millis(900)).await;
                postgres.crash();
                tokio::time::sleep(AWAY).await;
                postgres.start_again();
                tokio::time::sleep(Duration::from_millis(500)).await;
            })
            .await;
    }
    ledger.spend_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_again_and_again_hide_no_revocation() {
    let postgres = Postgres::start();
    let cluster = Cluster::start(&[format!("--database-url={}", postgres.url())]).await;
    let ledger = Ledger::open(&cluster).await;
    let admin = sea_orm::Database::connect(postgres.url()).await.unwrap();
    let listeners = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
                     AND (query LIKE 'LISTEN%' OR query LIKE 'SELECT pg_notify($1, $2)%')";
    let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
               AND backend_type = 'client backend'";
    ledger
        .work_during(async {
            for _ in 0..rounds() {
                for cut in [listeners, listeners, listeners, all] {
                    tokio::time::sleep(Duration::from_millis(400)).await;
                    admin.execute_unprepared(cut).await.unwrap();
                }
            }
        })
        .await;
    ledger.spend_all().await;
}
