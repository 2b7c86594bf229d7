//! Nodes of two versions on one PostgreSQL and one Redis, replaced one by one under load.
#![expect(clippy::disallowed_methods, reason = "processes go by a real clock")]

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use super::{Release, check, create, create_verifier, stop, used};
use crate::consistency::shared_limits::Redis;
use crate::process::backup::{Site, latchkey, succeed};
use crate::process::{Process, client};
use crate::test_app::new_postgres_database;

const PEPPER: &str = "a pepper that the nodes of the test share";
const JWT_SECRET: &str = "a secret that the nodes of the test share";
/// Within what other nodes know of the end of a key.
const KNOWN_WITHIN: Duration = Duration::from_secs(1);
/// How long calls in progress and the load may take.
const LOAD_TIMEOUT: Duration = Duration::from_mins(1);
const WORKERS: usize = 4;
/// Budget of the metered key: more than the load spends before the nodes are replaced.
const TOKENS: u64 = 2_000;
/// Requests a minute of a key that is called more often.
const RPM: usize = 30;

struct MixedNode {
    release: Release,
    process: Process,
    site: Site,
    // Deleted with the node.
    _folder: TempDir,
}

/// The nodes that calls go to, and what they share.
struct MixedFleet {
    url: String,
    redis: Redis,
    rotation: Mutex<Vec<Arc<MixedNode>>>,
}

impl MixedFleet {
    async fn new() -> Self {
        let (url, redis) = (new_postgres_database().await, Redis::start().await);
        Self { url, redis, rotation: Mutex::default() }
    }

    /// Command of a node. Its settings are variables, so that any version takes them.
    fn command(&self, release: Release, folder: &TempDir) -> Command {
        let mut server = release.command(folder);
        server
            .env("DATABASE_URL", &self.url)
            .env("REDIS_URL", format!("redis://127.0.0.1:{}", self.redis.port))
            .env("LATCHKEY_METRICS_LISTEN", "off")
            .env("LATCHKEY_PEPPER", PEPPER)
            .env("LATCHKEY_JWT_SECRET", JWT_SECRET);
        server
    }

    /// Starts a node; calls go to it once it is ready.
    async fn start(&self, release: Release) -> Arc<MixedNode> {
        let folder = TempDir::new().unwrap();
        let server = self.command(release, &folder);
        let process = Process::start_command(server, &folder, &client()).await;
        let site = Site::on(&process).await;
        let node = Arc::new(MixedNode { release, process, site, _folder: folder });
        self.rotation.lock().unwrap().push(Arc::clone(&node));
        node
    }

    /// Takes a node out of rotation, as a load balancer does, and stops it after its last call.
    async fn stop(&self, node: Arc<MixedNode>) {
        self.rotation.lock().unwrap().retain(|one| !Arc::ptr_eq(one, &node));
        let began = Instant::now();
        while Arc::strong_count(&node) > 1 {
            assert!(began.elapsed() < LOAD_TIMEOUT, "a call does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop(Arc::into_inner(node).unwrap().process);
    }

    /// A node in rotation; any number leads to one.
    fn any(&self, number: usize) -> Arc<MixedNode> {
        let rotation = self.rotation.lock().unwrap();
        Arc::clone(&rotation[number % rotation.len()])
    }
}

/// Calls of every kind, and what came of them.
struct MixedLoad {
    fleet: MixedFleet,
    verifier: String,
    /// Secrets of a key of an application, of one for models, and of one with a token budget.
    api: String,
    inference: String,
    metered: String,
    metered_id: String,
    is_over: AtomicBool,
    calls: AtomicUsize,
    /// Tokens that were admitted of the budget.
    admitted: AtomicU64,
    refused: Mutex<Vec<String>>,
}

impl MixedLoad {
    /// Makes the keys on a node.
    async fn new(fleet: MixedFleet, site: &Site) -> Arc<Self> {
        let inference = json!({ "name": "inference", "kind": "inference" });
        let metered = json!({
            "name": "metered", "kind": "inference",
            "token_limit": TOKENS, "token_limit_period": "total",
        });
        let (metered, metered_id) = create(site, &metered).await;
        Arc::new(Self {
            fleet,
            verifier: create_verifier(site).await,
            api: site.create("api").await.0,
            inference: create(site, &inference).await.0,
            metered,
            metered_id,
            is_over: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
            admitted: AtomicU64::new(0),
            refused: Mutex::default(),
        })
    }

    /// Calls until the load is over, each time another node in another way.
    async fn work(self: Arc<Self>, worker: usize) {
        let mut number = worker;
        while !self.is_over.load(Ordering::Relaxed) {
            let node = self.fleet.any(number);
            match number % 5 {
                0 => {
                    let code = check(&node.site, &self.verifier, &self.api, 0).await;
                    self.expect(&node, "check", code == "valid", &code);
                }
                1 => {
                    let status = node.site.status(&self.api).await;
                    self.expect(&node, "ingest", status == 200, &status.to_string());
                }
                2 => self.chat(&node).await,
                3 => self.spend(&node).await,
                _ => self.whole_life(&node, number).await,
            }
            self.calls.fetch_add(1, Ordering::Relaxed);
            // Each number is of one worker: names of keys are unique.
            number += 7;
        }
    }

    fn expect(&self, node: &MixedNode, what: &str, is_good: bool, answer: &str) {
        if !is_good {
            let refused = format!("{what} at {:?}: {answer}", node.release);
            self.refused.lock().unwrap().push(refused);
        }
    }

    async fn chat(&self, node: &MixedNode) {
        let message = json!({ "role": "user", "content": "Hello" });
        let body = json!({ "model": "sandbox", "max_tokens": 3, "messages": [message] });
        let request = node.site.client.post(format!("{}/v1/chat/completions", node.site.base));
        let answer = request.bearer_auth(&self.inference).json(&body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        self.expect(node, "chat", status == 200, &format!("{status} {text}"));
    }

    /// Spends a token. The changelog says where the release before can't.
    async fn spend(&self, node: &MixedNode) {
        let code = check(&node.site, &self.verifier, &self.metered, 1).await;
        if code == "valid" {
            self.admitted.fetch_add(1, Ordering::Relaxed);
        }
        let is_told = node.release == Release::Previous && code == "unavailable";
        let is_good = is_told || code == "valid" || code == "token_budget_exhausted";
        self.expect(node, "spend", is_good, &code);
    }

    /// Creates a key on a node, uses it on another, and revokes it on a third.
    async fn whole_life(&self, node: &MixedNode, number: usize) {
        let (secret, id) = node.site.create(&format!("key {number}")).await;
        let other = self.fleet.any(number + 1);
        let code = check(&other.site, &self.verifier, &secret, 0).await;
        self.expect(&other, "check of a new key", code == "valid", &code);
        self.fleet.any(number + 2).site.revoke(&id).await;
    }

    /// Waits until there were so many more calls.
    async fn goes_on(&self, calls: usize) {
        let (before, began) = (self.calls.load(Ordering::Relaxed), Instant::now());
        while self.calls.load(Ordering::Relaxed) < before + calls {
            assert!(began.elapsed() < LOAD_TIMEOUT, "the load has stopped");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Ends keys on one node in each way, and waits until the other refuses them.
async fn ends_of_keys_are_known(from: &Site, to: &Site, verifier: &str, name: &str) {
    for (how, outcome) in
        [("revoke", "revoked_key"), ("disable", "disabled_key"), ("rotate", "revoked_key")]
    {
        let (secret, id) = from.create(&format!("{name} {how}")).await;
        assert_eq!(check(to, verifier, &secret, 0).await, "valid", "{name} {how}");
        let (path, grace) = (format!("/v1/keys/{id}"), json!({ "grace_seconds": 0 }));
        let done = match how {
            "revoke" => from.send(Method::DELETE, &path, &json!({})).await,
            "disable" => from.send(Method::PATCH, &path, &json!({ "disabled": true })).await,
            _ => from.send(Method::POST, &format!("{path}/rotate"), &grace).await,
        };
        assert!(done.status().is_success(), "{name} {how}");
        let ended = Instant::now();
        let mut code = check(to, verifier, &secret, 0).await;
        while code == "valid" {
            assert!(ended.elapsed() < KNOWN_WITHIN, "{name} {how}");
            code = check(to, verifier, &secret, 0).await;
        }
        assert_eq!(code, outcome, "{name} {how}");
    }
}

/// Calls a key on both nodes more often than it may be called.
async fn rate_limit_is_shared(one: &Site, other: &Site, verifier: &str) {
    let (secret, _) = create(one, &json!({ "name": "limited", "rpm": RPM })).await;
    let mut admitted = 0;
    for _ in 0..RPM {
        for site in [one, other] {
            admitted += usize::from(check(site, verifier, &secret, 0).await == "valid");
        }
    }
    assert!(admitted > 0 && admitted <= RPM, "{admitted} of {RPM}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the binary of the release before: make test-upgrade"]
async fn nodes_of_two_versions_replace_each_other_under_load() {
    let fleet = MixedFleet::new().await;
    let first = fleet.start(Release::Previous).await;
    let site = Site::unlimited(&first.process).await;
    let second = fleet.start(Release::Previous).await;
    let load = MixedLoad::new(fleet, &site).await;
    let workers: Vec<_> =
        (0..WORKERS).map(|worker| tokio::spawn(Arc::clone(&load).work(worker))).collect();
    load.goes_on(100).await;

    // Both migrate at once: one waits for the other.
    let fleet = &load.fleet;
    let (third, fourth) =
        tokio::join!(fleet.start(Release::Current), fleet.start(Release::Current));
    load.goes_on(100).await;
    let verifier = &load.verifier;
    ends_of_keys_are_known(&first.site, &third.site, verifier, "from old to new").await;
    ends_of_keys_are_known(&third.site, &first.site, verifier, "from new to old").await;
    rate_limit_is_shared(&first.site, &third.site, verifier).await;

    // The new node first, then the old one first.
    fleet.stop(first).await;
    load.goes_on(100).await;
    fleet.stop(second).await;
    let fifth = fleet.start(Release::Current).await;
    load.goes_on(100).await;
    load.is_over.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
    let refused = load.refused.lock().unwrap().clone();
    assert!(refused.is_empty(), "{} refused: {:?}", refused.len(), refused.first());

    let mut admitted = load.admitted.load(Ordering::Relaxed);
    while check(&fifth.site, verifier, &load.metered, 1).await == "valid" {
        admitted += 1;
    }
    assert!(admitted <= TOKENS, "{admitted} of {TOKENS}");
    assert_eq!(used(&fifth.site, &load.metered_id).await, TOKENS);
    for node in [third, fourth, fifth] {
        fleet.stop(node).await;
    }
    let [url, pepper] = [("database-url", fleet.url.as_str()), ("latchkey-pepper", PEPPER)]
        .map(|(name, value)| format!("--{name}={value}"));
    succeed(latchkey(&["audit", "verify", &url, &pepper]));
    refuses_to_start(fleet);
}

/// A node of the release before that starts now says why it does not.
fn refuses_to_start(fleet: &MixedFleet) {
    let folder = TempDir::new().unwrap();
    let mut late = fleet.command(Release::Previous, &folder);
    late.env("LATCHKEY_LISTEN", "127.0.0.1:0").stderr(Stdio::piped());
    let said = late.output().unwrap();
    assert_eq!(said.status.code(), Some(1));
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("later version of Latchkey"), "{said}");
}
