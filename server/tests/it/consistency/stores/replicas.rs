//! A primary with a replica: reads that a pooler balances, and a promotion that nobody fences.
#![expect(
    clippy::disallowed_methods,
    reason = "what a node believes, and for how long, is real time"
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use latchkey_checker::CheckRequest;
use latchkey_services::{Database, Services};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use super::programs::pgpool;
use crate::consistency::nodes::hears;
use crate::faults::postgres::Postgres;
use crate::test_app::{Session, TestApp, outcome_of, query_value, text};

/// Leads to one address, and later to another; connections that are there stay where they lead to.
struct Name {
    leads_to: Arc<Mutex<SocketAddr>>,
    port: u16,
}

impl Name {
    async fn leading_to(port: u16) -> Self {
        let leads_to = Arc::new(Mutex::new(SocketAddr::from(([127, 0, 0, 1], port))));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = Self { port: listener.local_addr().unwrap().port(), leads_to: leads_to.clone() };
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let to = *leads_to.lock().unwrap();
                tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(to).await {
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        name
    }

    fn lead_to(&self, port: u16) {
        self.leads_to.lock().unwrap().set_port(port);
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

async fn is(database: &DatabaseConnection, condition: &str) -> bool {
    let answer: Option<bool> = query_value(database, &format!("SELECT {condition}")).await;
    answer == Some(true)
}

async fn becomes(database: &DatabaseConnection, condition: &str) {
    let began = Instant::now();
    while !is(database, condition).await {
        assert!(began.elapsed() < Duration::from_secs(20), "not {condition}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Everything that the primary has, the replica has.
async fn caught_up(primary: &Postgres, replica: &DatabaseConnection) {
    let primary = sea_orm::Database::connect(&primary.url()).await.unwrap();
    let at: String = query_value(&primary, "SELECT pg_current_wal_flush_lsn()::text").await;
    becomes(replica, &format!("pg_last_wal_replay_lsn() >= '{at}'")).await;
}

async fn outcome(node: &Services, secret: &str) -> &'static str {
    outcome_of(node.checker.check(Some(secret), CheckRequest::default()).await).as_str()
}

async fn key(app: &TestApp, ada: &Session, name: &str) -> (String, String) {
    let made = app.create(ada, &json!({ "name": name })).await;
    (text(&made["key"]), text(&made["api_key"]["id"]))
}

/// What a replica says, which lags, is never believed: neither of a revoked key nor of one that was
/// just made.
async fn balanced_reads_are_never_stale(app: &TestApp, primary: &Postgres, replica: &Postgres) {
    let ada = app.pro("ada").await;
    let at_replica = sea_orm::Database::connect(&replica.url()).await.unwrap();
    // By default pgpool-II sends a look-up to the primary, as it has a volatile function in it.
    // With a list of those that write, that one is not on it.
    for (settings, is_balanced) in [("", false), ("write_function_list = 'nextval,setval'", true)] {
        let (before, id) = key(app, &ada, &format!("before {is_balanced}")).await;
        caught_up(primary, &at_replica).await;
        at_replica.execute_unprepared("SELECT pg_wal_replay_pause()").await.unwrap();
        let pooler = pgpool(primary.port, replica.port, settings).await;
        let url = pooler.url(&primary.url());
        let plain = sea_orm::Database::connect(&url).await.unwrap();
        let at = format!("inet_server_port() = {}", replica.port);
        assert!(is(&plain, &at).await, "no plain read is balanced: {}", pooler.log());
        // On which nobody listens: each check asks.
        let node = app.node(Database::open(&url).await.unwrap()).await;
        assert_eq!(app.revoke(&ada, &id).await.status(), 204);
        let (after, _) = key(app, &ada, &format!("after {is_balanced}")).await;
        for _ in 0..20 {
            for (secret, truth) in [(&before, "revoked_key"), (&after, "valid")] {
                let expected = if is_balanced { "unavailable" } else { truth };
                assert_eq!(outcome(&node, secret).await, expected, "{settings}");
            }
        }
        assert!(is(&plain, &at).await, "plain reads are balanced no more: {}", pooler.log());
        node.database.close().await.unwrap();
        plain.close().await.unwrap();
        at_replica.execute_unprepared("SELECT pg_wal_replay_resume()").await.unwrap();
        caught_up(primary, &at_replica).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_and_former_primaries_are_not_trusted() {
    let primary = Postgres::start().await;
    let name = Name::leading_to(primary.port).await;
    let app = TestApp::at(&name.url()).await;
    let replica = primary.replica().await;
    balanced_reads_are_never_stale(&app, &primary, &replica).await;

    let ada = app.sign_in("ada").await;
    let (secret, id) = key(&app, &ada, "promoted").await;
    hears(&app.services).await;
    assert_eq!(outcome(&app.services, &secret).await, "valid");
    let promoted = sea_orm::Database::connect(&replica.url()).await.unwrap();
    caught_up(&primary, &promoted).await;
    promoted.execute_unprepared("SELECT pg_promote()").await.unwrap();
    becomes(&promoted, "NOT pg_is_in_recovery()").await;
    // The former primary goes on, and the node's connections lead there.
    name.lead_to(replica.port);
    let revoke = "UPDATE keys SET revoked_at = 1 WHERE name = 'promoted'";
    assert_eq!(promoted.execute_unprepared(revoke).await.unwrap().rows_affected(), 1, "{id}");
    let revoked = Instant::now();
    while outcome(&app.services, &secret).await != "revoked_key" {
        assert!(revoked.elapsed() < Duration::from_secs(5), "the former primary is believed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // What is written goes to the new primary.
    let (_, written) = key(&app, &ada, "written").await;
    assert!(is(&promoted, "EXISTS (SELECT FROM keys WHERE name = 'written')").await, "{written}");
}
