//! Three nodes, as processes, on one database.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::until;
use crate::process::{self, Process};
use crate::world::text;

const NODES: usize = 3;

/// A node: its folder, and the process of the moment.
struct Node {
    folder: TempDir,
    process: Mutex<Option<Process>>,
    /// Its URL and somebody's token there; others after each start.
    base: Mutex<String>,
    jwt: Mutex<String>,
}

impl Node {
    /// Starts its process and signs in.
    async fn start(&self, client: &Client, arguments: &[String]) -> String {
        let process = Process::start_with(&self.folder, client, arguments).await;
        let (jwt, application) = process::sign_in(client, &process.base).await;
        process.base.clone_into(&mut self.base.lock().unwrap());
        *self.jwt.lock().unwrap() = jwt;
        *self.process.lock().unwrap() = Some(process);
        application
    }
}

/// The nodes, and somebody who is signed in at all of them.
pub(super) struct Cluster {
    nodes: Vec<Node>,
    pub(super) client: Client,
    arguments: Vec<String>,
    project: String,
    /// A service key that may verify.
    verifier: String,
    names: AtomicUsize,
}

impl Cluster {
    /// Starts the nodes with these settings and signs in.
    pub(super) async fn start(settings: &[String]) -> Self {
        let mut arguments = vec![
            "--latchkey-pepper=a pepper that the nodes of the test share".to_owned(),
            "--latchkey-jwt-secret=a secret that the nodes of the test share".to_owned(),
            "--latchkey-metrics-listen=off".to_owned(),
        ];
        arguments.extend_from_slice(settings);
        // None is kept open: a node that dies takes no other's request with it.
        let client = Client::builder().pool_max_idle_per_host(0);
        let client = client.redirect(Policy::none()).build().unwrap();
        let node = || Node {
            folder: tempfile::tempdir().unwrap(),
            process: Mutex::default(),
            base: Mutex::default(),
            jwt: Mutex::default(),
        };
        let nodes: Vec<_> = std::iter::repeat_with(node).take(NODES).collect();
        let mut application = String::new();
        for node in &nodes {
            application = node.start(&client, &arguments).await;
        }
        let mut cluster = Self {
            nodes,
            client,
            arguments,
            project: String::new(),
            verifier: String::new(),
            names: AtomicUsize::new(0),
        };
        cluster.make_room(&application).await;
        cluster
    }

    /// Lets the application's project have as many keys as it wants, one of them to verify others.
    async fn make_room(&mut self, application: &str) {
        let application = format!("/v1/applications/{application}");
        let application = self.json(0, Method::GET, &application, None).await.unwrap();
        self.project = text(&application["project_id"]);
        let project = format!("/v1/projects/{}", self.project);
        let project = self.json(0, Method::GET, &project, None).await.unwrap();
        let organization = format!("/v1/organizations/{}", text(&project["organization_id"]));
        let tier = json!({ "tier": "enterprise" });
        self.json(0, Method::PATCH, &organization, Some(&tier)).await.unwrap();
        let verifier = json!({ "name": "v", "kind": "service", "permissions": ["keys:verify"] });
        self.verifier = self.create(0, &verifier).await.unwrap().1;
    }

    /// The URL of a node; any number leads to one.
    pub(super) fn base(&self, node: usize) -> String {
        self.nodes[node % NODES].base.lock().unwrap().clone()
    }

    /// Kills a node.
    pub(super) fn kill(&self, node: usize) {
        let process = self.nodes[node % NODES].process.lock().unwrap().take().unwrap();
        process.signal("-KILL");
        assert_eq!(process.wait(), None);
    }

    /// Signals a node.
    pub(super) fn signal(&self, node: usize, name: &str) {
        self.nodes[node % NODES].process.lock().unwrap().as_ref().unwrap().signal(name);
    }

    /// Starts a node that was killed.
    pub(super) async fn start_again(&self, node: usize) {
        self.nodes[node % NODES].start(&self.client, &self.arguments).await;
    }

    /// Waits until every node has recovered by itself.
    pub(super) async fn recovered(&self) {
        for node in 0..NODES {
            until("every node is ready", async || {
                let ready = self.client.get(format!("{}/readyz", self.base(node))).send().await;
                ready.is_ok_and(|answer| answer.status() == 200)
            })
            .await;
            until("every node makes keys", async || {
                self.create(node, &json!({ "name": self.name("Recovered") })).await.is_some()
            })
            .await;
        }
    }

    /// A name that no key has.
    pub(super) fn name(&self, what: &str) -> String {
        format!("{what} {}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a key; its id and its secret, if that was acknowledged.
    pub(super) async fn create(&self, node: usize, body: &Value) -> Option<(String, String)> {
        let path = format!("/v1/projects/{}/keys", self.project);
        let made = self.json(node, Method::POST, &path, Some(body)).await?;
        Some((text(&made["api_key"]["id"]), text(&made["key"])))
    }

    /// Revokes a key; whether that was acknowledged.
    pub(super) async fn revoke(&self, node: usize, id: &str) -> bool {
        self.json(node, Method::DELETE, &format!("/v1/keys/{id}"), None).await.is_some()
    }

    /// What the check of a key comes to; none: there was no answer, or one that admits nothing.
    pub(super) async fn verify(&self, node: usize, secret: &str, cost: u64) -> Option<String> {
        let request = self.client.post(format!("{}/v1/keys/verify", self.base(node)));
        let body = json!({ "key": secret, "cost": cost });
        let answer = request.bearer_auth(&self.verifier).json(&body).send().await.ok()?;
        let answer: Value = answer.error_for_status().ok()?.json().await.ok()?;
        Some(text(&answer["code"]))
    }

    /// What is used of a key's budget, as a node tells it.
    pub(super) async fn used(&self, node: usize, id: &str) -> u64 {
        let path = format!("/v1/inference/keys/{id}/usage?range=1h");
        let usage = self.json(node, Method::GET, &path, None).await.unwrap();
        usage["budget"]["used"].as_u64().unwrap()
    }

    /// The body of a good answer.
    async fn json(
        &self,
        node: usize,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Option<Value> {
        let request = self.client.request(method, format!("{}{path}", self.base(node)));
        let jwt = self.nodes[node % NODES].jwt.lock().unwrap().clone();
        let request = request.bearer_auth(jwt);
        let request = if let Some(body) = body { request.json(body) } else { request };
        let answer = request.send().await.ok()?;
        let status = answer.status();
        let text = answer.text().await.ok()?;
        assert!(status.is_success() || status.is_server_error(), "{path}: {status} {text}");
        assert_ne!(status, 500, "an outage is a 503, never a fault: {path} {text}");
        if !status.is_success() {
            return None;
        }
        Some(if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &self.nodes {
            if let Some(process) = node.process.lock().unwrap().take() {
                process.signal("-KILL");
                process.wait();
            }
        }
    }
}
