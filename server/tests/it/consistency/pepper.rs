//! A pepper is replaced while keys are used: no call is refused, on one node or on several that are
//! restarted in any order.
#![expect(clippy::disallowed_methods, reason = "nodes learn of each other by a real clock")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use latchkey_checker::{CheckRequest, PepperCounts, PepperError, pepper_counts};
use latchkey_domain::outcome::Outcome;
use latchkey_server::system::SystemRandom;
use latchkey_services::operator::{DropRetired, Operator, drop_retired};
use latchkey_services::{Database, Pepper, Services, StartError, audit};
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::task::{AbortHandle, JoinSet};

use crate::test_app::{
    Backend, Session, TestApp, keep_in_sync, on_both_databases, outcome_of, text,
};

const NEW: &[u8] = b"a new pepper of enough bytes....";

async fn outcome(services: &Services, secret: &str) -> Outcome {
    outcome_of(services.checker.check(Some(secret), CheckRequest::default()).await)
}

/// Starts a node on the app's database with another pepper.
async fn start(app: &TestApp, pepper: &Pepper) -> Result<Services, StartError> {
    let mut settings = app.config.services.clone();
    settings.pepper = pepper.clone();
    let database = Database::open(&app.config.database_url).await.unwrap();
    let clock = Arc::clone(&app.clock) as Arc<_>;
    Services::start(database, settings, clock, Arc::new(SystemRandom)).await
}

/// The pepper of the app.
fn old(app: &TestApp) -> Pepper {
    app.config.services.pepper.clone()
}

/// The new pepper, which replaces that of the app.
fn both(app: &TestApp) -> Pepper {
    Pepper::new(NEW).replacing(old(app))
}

async fn counts(app: &TestApp, pepper: &Pepper) -> PepperCounts {
    let database = Database::open(&app.config.database_url).await.unwrap();
    let counts = pepper_counts(&database, pepper, app.services.now()).await.unwrap();
    database.close().await.unwrap();
    counts
}

/// Uses all keys until none is left under the retired pepper.
async fn use_until_moved(app: &TestApp, services: &Services, secrets: &[String]) {
    let began = Instant::now();
    while counts(app, &both(app)).await.retired > 0 {
        assert!(began.elapsed() < Duration::from_mins(1), "keys don't move");
        for secret in secrets {
            assert_eq!(outcome(services, secret).await, Outcome::Valid);
        }
        services.settled().await;
    }
}

/// Signs somebody in who may make many calls, and makes keys.
async fn with_keys(app: &TestApp, count: usize) -> (Session, Vec<String>) {
    let ada = app.sign_in("ada").await;
    app.set_tier(&ada, "enterprise").await;
    let mut secrets = Vec::new();
    for _ in 0..count {
        secrets.push(app.generate(&ada).await);
    }
    (ada, secrets)
}

/// Ends the node that every app has. Its database can't be used any more.
async fn end_first_node(app: &TestApp) {
    app.services.database.close().await.unwrap();
    let admin = sea_orm::Database::connect(&app.config.database_url).await.unwrap();
    // A heartbeat may just have been sent.
    tokio::time::sleep(Duration::from_millis(200)).await;
    admin.execute_unprepared("DELETE FROM pepper_nodes").await.unwrap();
    admin.close().await.unwrap();
}

struct Node {
    services: Services,
    syncing: AbortHandle,
}

impl Node {
    async fn start(app: &TestApp, pepper: &Pepper) -> Self {
        let services = start(app, pepper).await.unwrap();
        let syncing = keep_in_sync(&services);
        Self { services, syncing }
    }

    async fn stop(self) {
        self.syncing.abort();
        self.services.settled().await;
        self.services.checker.leave_membership().await.unwrap();
        self.services.database.close().await.unwrap();
    }
}

/// Calls with all keys on all nodes, until it is stopped.
struct Load {
    nodes: Arc<RwLock<Vec<Services>>>,
    is_over: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    callers: JoinSet<()>,
}

impl Load {
    fn start(nodes: Vec<Services>, secrets: &[String]) -> Self {
        let (nodes, is_over) = (Arc::new(RwLock::new(nodes)), Arc::new(AtomicBool::new(false)));
        let calls = Arc::new(AtomicU64::new(0));
        let mut callers = JoinSet::new();
        for caller in 0..4 {
            let (nodes, is_over) = (Arc::clone(&nodes), Arc::clone(&is_over));
            let (calls, secrets) = (Arc::clone(&calls), secrets.to_vec());
            callers.spawn(async move {
                let mut turn = caller;
                while !is_over.load(Ordering::SeqCst) {
                    turn += 1;
                    let services = {
                        let nodes = nodes.read().unwrap();
                        nodes[turn % nodes.len()].clone()
                    };
                    let secret = &secrets[turn % secrets.len()];
                    assert_eq!(outcome(&services, secret).await, Outcome::Valid);
                    calls.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        }
        Self { nodes, is_over, calls, callers }
    }

    /// Calls go to another node instead.
    async fn replace(&self, place: usize, services: &Services) {
        self.nodes.write().unwrap()[place] = services.clone();
        // Calls in progress end.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }

    /// Fails if a call was refused.
    async fn stop(mut self) -> u64 {
        self.is_over.store(true, Ordering::SeqCst);
        while let Some(caller) = self.callers.join_next().await {
            caller.unwrap();
        }
        self.calls.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pepper_is_replaced_on_three_nodes_under_load() {
    for order in [[0, 1, 2], [2, 0, 1]] {
        let app = TestApp::on(Backend::Postgres).await;
        let (_, secrets) = with_keys(&app, 12).await;
        let (old, both, new) = (old(&app), both(&app), Pepper::new(NEW));
        end_first_node(&app).await;
        let mut nodes = Vec::new();
        for _ in 0..3 {
            nodes.push(Node::start(&app, &old).await);
        }
        let load = Load::start(nodes.iter().map(|node| node.services.clone()).collect(), &secrets);
        for place in order {
            assert_eq!(counts(&app, &both).await, PepperCounts { current: 0, retired: 12 });
            restart(&app, &load, &mut nodes, place, &both).await;
        }
        let began = Instant::now();
        while counts(&app, &both).await.retired > 0 {
            assert!(began.elapsed() < Duration::from_mins(1), "keys don't move");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for place in order {
            restart(&app, &load, &mut nodes, place, &new).await;
        }
        assert!(load.stop().await > 300);
        assert_eq!(counts(&app, &new).await, PepperCounts { current: 12, retired: 0 });
        for node in nodes {
            node.stop().await;
        }
    }
}

/// Starts a node in the place of another one with other peppers.
async fn restart(app: &TestApp, load: &Load, nodes: &mut [Node], place: usize, pepper: &Pepper) {
    let started = Node::start(app, pepper).await;
    load.replace(place, &started.services).await;
    std::mem::replace(&mut nodes[place], started).stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_knows_one_pepper_keeps_keys_where_they_are() {
    let app = TestApp::on(Backend::Postgres).await;
    let (_, secrets) = with_keys(&app, 2).await;
    let other = Node::start(&app, &both(&app)).await;
    for _ in 0..30 {
        for secret in &secrets {
            assert_eq!(outcome(&other.services, secret).await, Outcome::Valid);
            assert_eq!(outcome(&app.services, secret).await, Outcome::Valid);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(counts(&app, &both(&app)).await, PepperCounts { current: 0, retired: 2 });
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pepper_is_replaced_on_sqlite_under_load() {
    let app = TestApp::on(Backend::Sqlite).await;
    let (ada, secrets) = with_keys(&app, 12).await;
    let node = Node::start(&app, &both(&app)).await;
    let load = Load::start(vec![node.services.clone()], &secrets);
    use_until_moved(&app, &node.services, &secrets).await;
    // Made by a server that knows both, and used by one that knows the new one alone.
    let base = app.serve(node.services.clone()).await;
    let path = format!("{base}/apikey?ApplicationId={}", ada.application);
    let made = app.http.post(&path).bearer_auth(&ada.jwt).send().await.unwrap();
    let made: String = made.json().await.unwrap();
    assert!(load.stop().await > 100);
    let alone = Node::start(&app, &Pepper::new(NEW)).await;
    for secret in secrets.iter().chain([&made]) {
        assert_eq!(outcome(&alone.services, secret).await, Outcome::Valid);
    }
    assert_eq!(counts(&app, &Pepper::new(NEW)).await, PepperCounts { current: 13, retired: 0 });
    alone.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_progress_go_on_while_their_key_moves() {
    let app = TestApp::on(Backend::Sqlite).await;
    let (_, secrets) = with_keys(&app, 1).await;
    let node = Node::start(&app, &both(&app)).await;
    let checker = &node.services.checker;
    let identity = checker.authenticate_for_server(Some(&secrets[0])).await.unwrap();
    let mut watch = checker.watch_key(&identity);
    use_until_moved(&app, &node.services, &secrets).await;
    assert!(checker.admit(&identity, CheckRequest::default()).await.is_ok());
    let ended = tokio::time::timeout(Duration::from_millis(500), watch.ended()).await;
    assert!(ended.is_err(), "{ended:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_from_before_the_replacement_go_on() {
    let app = TestApp::on(Backend::Postgres).await;
    let (_, secrets) = with_keys(&app, 1).await;
    // Keys stay under the retired pepper while the first node lacks the new one.
    let node = Node::start(&app, &both(&app)).await;
    let checker = &node.services.checker;
    let identity = checker.authenticate_for_server(Some(&secrets[0])).await.unwrap();
    let mut watch = checker.watch_key(&identity);
    end_first_node(&app).await;
    use_until_moved(&app, &node.services, &secrets).await;
    assert!(checker.admit(&identity, CheckRequest::default()).await.is_ok());
    let ended = tokio::time::timeout(Duration::from_millis(500), watch.ended()).await;
    assert!(ended.is_err(), "{ended:?}");
    node.stop().await;
}

on_both_databases! {
    async fn start_fails_with_a_wrong_retired_pepper(app: TestApp) {
        with_keys(&app, 1).await;
        let wrong = Pepper::new(b"a pepper that nobody ever had...");
        for pepper in [Pepper::new(NEW).replacing(wrong.clone()), old(&app).replacing(wrong)] {
            let refused = start(&app, &pepper).await.err().unwrap();
            assert!(matches!(refused, StartError::Pepper(PepperError::OtherRetired)));
            assert!(refused.to_string().contains("LATCHKEY_PEPPER_RETIRED"), "{refused}");
        }
        let same = start(&app, &old(&app).replacing(old(&app))).await.err().unwrap();
        assert!(matches!(same, StartError::Pepper(PepperError::Same)));
        let other = start(&app, &Pepper::new(NEW)).await.err().unwrap();
        assert!(matches!(other, StartError::OtherPepper(_)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secret_of_imports_counts_once_under_both_peppers() {
    let app = TestApp::on(Backend::Sqlite).await;
    let (ada, _) = with_keys(&app, 0).await;
    let project = format!("/v1/projects/{}", ada.project);
    let shape = json!({"prefix": "sk-", "min_length": 9, "max_length": 80, "alphabet": "visible"});
    let shape = app.send(Method::POST, &format!("{project}/key-shapes"), &ada, &shape).await;
    assert_eq!(shape.status(), 201);
    let import = async |base: &str, secret: &str| {
        let stored = HEXLOWER.encode(&Sha256::digest(format!("{base} {secret}")));
        let name = format!("{secret} {stored:.8}");
        let row = json!({"name": name, "scheme": "hmac-sha256-hex", "stored": stored});
        let request = app.http.post(format!("{base}{project}/keys/import")).bearer_auth(&ada.jwt);
        let request = request.header("content-type", "application/x-ndjson");
        let request = request.header("x-import-secret", secret).body(format!("{row}\n"));
        request.send().await.unwrap().status()
    };
    for number in 0..8 {
        assert_eq!(import(&app.base, &format!("secret {number}")).await, 200);
    }
    let node = Node::start(&app, &both(&app)).await;
    let base = app.serve(node.services.clone()).await;
    for number in 0..8 {
        assert_eq!(import(&base, &format!("secret {number}")).await, 200, "{number}");
    }
    assert_eq!(import(&base, "secret 9").await, 422);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retired_pepper_is_needed_until_it_is_dropped() {
    let app = TestApp::on(Backend::Sqlite).await;
    let (_, secrets) = with_keys(&app, 3).await;
    let node = Node::start(&app, &both(&app)).await;
    assert_eq!(outcome(&node.services, &secrets[0]).await, Outcome::Valid);
    node.services.settled().await;
    assert_eq!(counts(&app, &both(&app)).await, PepperCounts { current: 1, retired: 2 });
    let missing = start(&app, &Pepper::new(NEW)).await.err().unwrap();
    assert!(matches!(missing, StartError::Pepper(PepperError::RetiredMissing(2))));
    let replaced = start(&app, &old(&app)).await.err().unwrap();
    assert!(matches!(replaced, StartError::Pepper(PepperError::Replaced)));
    let (clock, random) = (Arc::clone(&app.clock) as Arc<_>, Arc::new(SystemRandom));
    let database = Database::open(&app.config.database_url).await.unwrap();
    let operator = Operator::new(database, both(&app), clock, random, "a test").await.unwrap();
    assert_eq!(drop_retired(&operator).await.unwrap(), DropRetired::Revoked(2));
    let began = Instant::now();
    while outcome(&node.services, &secrets[1]).await != Outcome::RevokedKey {
        assert!(began.elapsed() < Duration::from_secs(1), "still admitted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let alone = Node::start(&app, &Pepper::new(NEW)).await;
    assert_eq!(outcome(&alone.services, &secrets[0]).await, Outcome::Valid);
    // A call of the last moment may have moved it before it was revoked.
    let refused = outcome(&alone.services, &secrets[1]).await;
    assert!(matches!(refused, Outcome::UnknownKey | Outcome::RevokedKey), "{refused:?}");
    alone.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_dropped_before_keys_may_move() {
    let app = TestApp::on(Backend::Postgres).await;
    let (_, secrets) = with_keys(&app, 1).await;
    let (clock, random) = (Arc::clone(&app.clock) as Arc<_>, Arc::new(SystemRandom));
    let database = Database::open(&app.config.database_url).await.unwrap();
    let operator = Operator::new(database, both(&app), clock, random, "a test").await.unwrap();
    assert_eq!(drop_retired(&operator).await.unwrap(), DropRetired::NotReplaced);
    assert_eq!(outcome(&app.services, &secrets[0]).await, Outcome::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_log_is_verified_without_the_pepper_before() {
    let app = TestApp::on(Backend::Sqlite).await;
    let (ada, secrets) = with_keys(&app, 2).await;
    let key = text(&app.keys(&ada).await[0]["id"]);
    let node = Node::start(&app, &both(&app)).await;
    use_until_moved(&app, &node.services, &secrets).await;
    let base = app.serve(node.services.clone()).await;
    let path = format!("{base}/v1/keys/{key}");
    let revoked = app.http.delete(&path).bearer_auth(&ada.jwt).send().await.unwrap();
    assert_eq!(revoked.status(), 204);
    for pepper in [both(&app), Pepper::new(NEW)] {
        let mut events = 0;
        let verified = audit::verify(&node.services.database, &pepper, |report| {
            events += report.events;
            assert!(report.findings.is_empty(), "{:?}", report.findings);
        });
        verified.await.unwrap();
        assert!(events > 3);
    }
    node.stop().await;
}
