//! Three nodes, as processes, on one database.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::traffic::{Answer, Traffic, Work};
use super::{RECOVERY, until};
use crate::process::edge::free_address;
use crate::process::{self, Process};
use crate::test_app::{client_builder, text};

pub(super) const NODES: usize = 3;

/// A node: its folder, and the process of the moment.
struct Node {
    folder: TempDir,
    process: Mutex<Option<Process>>,
    /// Its URL, its metrics' address and somebody's token there; others after each start.
    base: Mutex<String>,
    metrics: Mutex<String>,
    jwt: Mutex<String>,
}

impl Node {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            process: Mutex::default(),
            base: Mutex::default(),
            metrics: Mutex::default(),
            jwt: Mutex::default(),
        }
    }

    /// Starts its process and signs in.
    async fn start(&self, client: &Client, arguments: &[String]) -> String {
        let metrics = free_address();
        let arguments = [arguments, &[format!("--latchkey-metrics-listen={metrics}")]].concat();
        let process = Process::start_with(&self.folder, client, &arguments).await;
        let (jwt, application) = process::sign_in(client, &process.base).await;
        process.base.clone_into(&mut self.base.lock().unwrap());
        *self.metrics.lock().unwrap() = metrics;
        *self.jwt.lock().unwrap() = jwt;
        *self.process.lock().unwrap() = Some(process);
        application
    }
}

/// The nodes, and somebody who is signed in at all of them.
pub(super) struct Cluster {
    nodes: Vec<Node>,
    client: Client,
    arguments: Vec<String>,
    pub(super) project: String,
    pub(super) organization: String,
    /// A service key that may verify.
    verifier: String,
    names: AtomicUsize,
    pub(super) traffic: Traffic,
}

impl Cluster {
    /// Starts the nodes with these settings and signs in.
    pub(super) async fn start(settings: &[String]) -> Self {
        let mut arguments = vec![
            "--latchkey-pepper=a pepper that the nodes of the test share".to_owned(),
            "--latchkey-jwt-secret=a secret that the nodes of the test share".to_owned(),
            // Many rounds take longer than a token is good otherwise.
            "--latchkey-access-token-ttl=86400".to_owned(),
        ];
        arguments.extend_from_slice(settings);
        // None is kept open: a node that dies takes no other's request with it.
        let client = client_builder().pool_max_idle_per_host(0).timeout(RECOVERY).build().unwrap();
        let nodes: Vec<_> = std::iter::repeat_with(Node::new).take(NODES).collect();
        let mut application = String::new();
        for node in &nodes {
            application = node.start(&client, &arguments).await;
        }
        let mut cluster = Self {
            nodes,
            client,
            arguments,
            project: String::new(),
            organization: String::new(),
            verifier: String::new(),
            names: AtomicUsize::new(0),
            traffic: Traffic::default(),
        };
        cluster.make_room(&application).await;
        cluster
    }

    /// Lets the application's project have as many keys as it wants, one of them to verify others.
    async fn make_room(&mut self, application: &str) {
        let application = self.get(0, &format!("/v1/applications/{application}")).await;
        self.project = text(&application["project_id"]);
        let project = self.get(0, &format!("/v1/projects/{}", self.project)).await;
        self.organization = text(&project["organization_id"]);
        let organization = format!("/v1/organizations/{}", self.organization);
        self.change(&organization, &json!({ "tier": "enterprise" })).await;
        let verifier = json!({ "name": "v", "kind": "service", "permissions": ["keys:verify"] });
        self.verifier = self.create(0, &verifier).await.unwrap().1;
    }

    /// A node; any number leads to one.
    fn node(&self, node: usize) -> &Node {
        &self.nodes[node % NODES]
    }

    /// Kills a node in the middle of work of every kind.
    pub(super) async fn kill_at_work(&self, node: usize) {
        until("a node has work of every kind", async || self.traffic.is_busy(node % NODES)).await;
        self.kill(node);
    }

    /// Kills a node.
    pub(super) fn kill(&self, node: usize) {
        let process = self.node(node).process.lock().unwrap().take().unwrap();
        assert_eq!(process.kill(), None, "it had ended before");
    }

    /// Stops a node, and waits until it has finished its work.
    pub(super) fn stop(&self, node: usize) {
        let process = self.node(node).process.lock().unwrap().take().unwrap();
        process.signal("-TERM");
        assert_eq!(process.wait(), Some(0));
    }

    pub(super) fn signal(&self, node: usize, name: &str) {
        self.node(node).process.lock().unwrap().as_ref().unwrap().signal(name);
    }

    /// Starts a node that was killed.
    pub(super) async fn start_again(&self, node: usize) {
        self.node(node).start(&self.client, &self.arguments).await;
    }

    /// Waits until every node has recovered by itself.
    pub(super) async fn recovered(&self) {
        let shares_limits = self.arguments.iter().any(|one| one.starts_with("--redis-url="));
        for node in 0..NODES {
            until("every node is ready", async || {
                let base = self.node(node).base.lock().unwrap().clone();
                let ready = self.client.get(format!("{base}/readyz")).send().await;
                ready.is_ok_and(|answer| answer.status() == 200)
            })
            .await;
            self.tells(node, "latchkey_invalidation_listener_up 1").await;
            if shares_limits {
                self.tells(node, "latchkey_redis_limiter_up 1").await;
            }
            until("every node makes keys", async || {
                self.create(node, &json!({ "name": self.name("Recovered") })).await.is_some()
            })
            .await;
        }
    }

    /// Waits until a node's metrics have this line.
    pub(super) async fn tells(&self, node: usize, line: &str) {
        let metrics = format!("http://{}/metrics", self.node(node).metrics.lock().unwrap());
        until(line, async || {
            let told = self.client.get(&metrics).send().await.unwrap().text().await.unwrap();
            told.lines().any(|one| one == line)
        })
        .await;
    }

    /// A name that no key has.
    pub(super) fn name(&self, what: &str) -> String {
        format!("{what} {}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a key; its id and its secret, if that was acknowledged.
    pub(super) async fn create(&self, node: usize, body: &Value) -> Option<(String, String)> {
        self.create_in(&self.project, node, body).await
    }

    /// Makes a key in a project; its id and its secret, if that was acknowledged.
    pub(super) async fn create_in(
        &self,
        project: &str,
        node: usize,
        body: &Value,
    ) -> Option<(String, String)> {
        let path = format!("/v1/projects/{project}/keys");
        let request = self.request(node, Method::POST, &path).json(body);
        let made = self.json(node, Work::Create, request).await?;
        Some((text(&made["api_key"]["id"]), text(&made["key"])))
    }

    /// Makes another project; its id.
    pub(super) async fn create_project(&self, name: &str) -> String {
        let path = format!("/v1/organizations/{}/projects", self.organization);
        let request = self.request(0, Method::POST, &path).json(&json!({ "name": name }));
        text(&self.json(0, Work::Other, request).await.unwrap()["id"])
    }

    /// Changes what is at a path.
    pub(super) async fn change(&self, path: &str, body: &Value) {
        let request = self.request(0, Method::PATCH, path).json(body);
        self.json(0, Work::Other, request).await.unwrap();
    }

    /// Revokes a key; whether that was acknowledged.
    pub(super) async fn revoke(&self, node: usize, id: &str) -> bool {
        let request = self.request(node, Method::DELETE, &format!("/v1/keys/{id}"));
        self.json(node, Work::Revoke, request).await.is_some()
    }

    /// What the check of a key comes to; none: there was no answer.
    pub(super) async fn verify(&self, node: usize, secret: &str, cost: u64) -> Option<String> {
        self.check(node, secret, cost).await.map(|(_, code)| code)
    }

    /// The status and the code of the check of a key; none: there was no answer.
    pub(super) async fn check(&self, node: usize, secret: &str, cost: u64) -> Option<Answer> {
        let url = format!("{}/v1/keys/verify", self.node(node).base.lock().unwrap());
        let body = json!({ "key": secret, "cost": cost });
        let request = self.client.post(url).bearer_auth(&self.verifier).json(&body);
        let work = if cost > 0 { Work::Spend } else { Work::Other };
        let (status, text) = self.send(node, work, request).await?;
        assert!(status == 200 || status == 503, "a check is answered or put off: {status} {text}");
        let code =
            serde_json::from_str::<Value>(&text).unwrap()["code"].as_str().unwrap().to_owned();
        if code == "unavailable" && status == 200 {
            self.traffic.was_hit(work);
        }
        Some((status, code))
    }

    /// What is used of a key's budget, as a node tells it.
    pub(super) async fn used(&self, node: usize, id: &str) -> u64 {
        let usage = self.get(node, &format!("/v1/inference/keys/{id}/usage?range=1h")).await;
        usage["budget"]["used"].as_u64().unwrap()
    }

    /// Calls a model; its answer, unless the connection broke.
    pub(super) async fn chat(&self, node: usize, secret: &str, body: &Value) -> Option<Answer> {
        let url = format!("{}/v1/chat/completions", self.node(node).base.lock().unwrap());
        let request = self.client.post(url).bearer_auth(secret).json(body);
        self.send(node, Work::Spend, request).await
    }

    async fn get(&self, node: usize, path: &str) -> Value {
        self.try_get(node, path).await.unwrap()
    }

    /// What a node has at a path, unless it puts that off.
    pub(super) async fn try_get(&self, node: usize, path: &str) -> Option<Value> {
        self.json(node, Work::Other, self.request(node, Method::GET, path)).await
    }

    /// A request of the person who is signed in.
    fn request(&self, node: usize, method: Method, path: &str) -> RequestBuilder {
        let node = self.node(node);
        let request = self.client.request(method, format!("{}{path}", node.base.lock().unwrap()));
        request.bearer_auth(node.jwt.lock().unwrap())
    }

    /// The body of a good answer; none: there was no answer, or it was put off.
    async fn json(&self, node: usize, work: Work, request: RequestBuilder) -> Option<Value> {
        let (status, text) = self.send(node, work, request).await?;
        if status == 503 {
            return None;
        }
        assert!((200..300).contains(&status), "an outage is a 503: {status} {text}");
        Some(if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    async fn send(&self, node: usize, work: Work, request: RequestBuilder) -> Option<Answer> {
        let answer = async {
            let answer = request.send().await?;
            Ok((answer.status().as_u16(), answer.text().await?))
        };
        self.traffic.follow(node % NODES, work, answer).await
    }
}
