//! `kill -9` while responses are made in the background: nothing of what they have reserved is free
//! afterwards, and they are settled by the next process.

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::super::upstream::{Script, Upstream};
use super::{CAP, USED, answer, asks_in_background, response, untold};
use crate::process::{Process, client, sign_in};
use crate::test_app::{Backend, new_postgres_database, text};

/// A process, what it needs to be started again, and a key with a budget.
struct Ground {
    folder: TempDir,
    client: Client,
    upstream: Upstream,
    arguments: Vec<String>,
    key: String,
    id: String,
}

impl Ground {
    async fn start(backend: Backend) -> (Self, Process) {
        let folder = tempfile::tempdir().unwrap();
        let (upstream, base_url) = Upstream::start().await;
        let file = folder.path().join("upstreams.toml");
        let toml = format!(
            "[[upstream]]\nname = \"local\"\nbase_url = \"{base_url}\"\nmodels = [\"qwen3.6-27b\"]"
        );
        std::fs::write(&file, toml).unwrap();
        let mut arguments = vec![format!("--latchkey-upstreams={}", file.display())];
        if backend == Backend::Postgres {
            arguments.push(format!("--database-url={}", new_postgres_database().await));
        }
        let (client, key, id) = (client(), String::new(), String::new());
        let mut ground = Self { folder, client, upstream, arguments, key, id };
        let process = ground.again().await;
        let (jwt, application) = sign_in(&ground.client, &process.base).await;
        let url = format!("{}/v1/applications/{application}", process.base);
        let application = ground.get(&url, &jwt).await.json::<Value>().await.unwrap();
        let project = text(&application["project_id"]);
        let url = format!("{}/v1/projects/{project}/inference/keys", process.base);
        let body = json!({ "name": "b", "token_limit": 1_000, "token_limit_period": "total" });
        let made = ground.client.post(url).bearer_auth(&jwt).json(&body).send().await.unwrap();
        let made: Value = made.json().await.unwrap();
        (ground.key, ground.id) = (text(&made["key"]), text(&made["api_key"]["id"]));
        (ground, process)
    }

    async fn again(&self) -> Process {
        Process::start_with(&self.folder, &self.client, &self.arguments).await
    }

    async fn get(&self, url: &str, credential: &str) -> reqwest::Response {
        self.client.get(url).bearer_auth(credential).send().await.unwrap()
    }

    /// What is used and what is reserved of the budget.
    async fn budget(&self, process: &Process) -> (u64, u64) {
        let (jwt, _) = sign_in(&self.client, &process.base).await;
        let key = self.get(&format!("{}/v1/keys/{}", process.base, self.id), &jwt).await;
        let budget = key.json::<Value>().await.unwrap()["budgets"][0].clone();
        (budget["used"].as_u64().unwrap(), budget["reserved"].as_u64().unwrap())
    }

    async fn survives_kill_9(self, process: Process) {
        for id in ["resp_1", "resp_2"] {
            self.upstream.script("make", answer(&untold(id, "queued")));
            let url = format!("{}/v1/responses", process.base);
            let call = self.client.post(url).bearer_auth(&self.key).json(&asks_in_background());
            let made = call.send().await.unwrap();
            assert_eq!(made.status(), 200);
            made.bytes().await.unwrap();
        }
        let (used, reserved) = self.budget(&process).await;
        assert!(used == 0 && reserved > 2 * CAP, "{used} used, {reserved} reserved");
        process.kill();
        let process = self.again().await;
        // The lease that the process held is lost, and counts as used.
        let (lost, left) = self.budget(&process).await;
        assert_eq!(left, reserved, "{lost} used");
        self.upstream.script("responses/resp_1", answer(&response("resp_1")));
        for _ in 0..2 {
            let url = format!("{}/v1/responses/resp_1", process.base);
            let read = self.get(&url, &self.key).await;
            assert_eq!(read.text().await.unwrap(), response("resp_1").to_string());
            assert_eq!(self.budget(&process).await, (lost + USED, reserved / 2));
        }
        process.kill();
        let process = self.again().await;
        assert_eq!(self.budget(&process).await, (lost + USED, reserved / 2));
        self.upstream.script("responses/resp_2", answer(&response("resp_2")));
        let url = format!("{}/v1/responses/resp_2", process.base);
        // It is settled when the last byte is sent, which a status alone does not wait for.
        let read = self.get(&url, &self.key).await;
        assert_eq!(read.text().await.unwrap(), response("resp_2").to_string());
        assert_eq!(self.budget(&process).await, (lost + 2 * USED, 0));
    }

    /// The process ends before the upstream has said anything.
    async fn loses_no_charge(self, process: Process) {
        self.upstream.script("make", Script::Silent);
        let url = format!("{}/v1/responses", process.base);
        let call = self.client.post(url).bearer_auth(&self.key).json(&asks_in_background());
        let call = tokio::spawn(call.send());
        while self.upstream.seen().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        process.kill();
        assert!(call.await.unwrap().is_err());
        let process = self.again().await;
        let (used, reserved) = self.budget(&process).await;
        assert!(used > CAP && reserved == 0, "{used} used, {reserved} reserved");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn background_responses_survive_kill_9_on_sqlite() {
    let (ground, process) = Ground::start(Backend::Sqlite).await;
    ground.survives_kill_9(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn background_responses_survive_kill_9_on_postgres() {
    let (ground, process) = Ground::start(Backend::Postgres).await;
    ground.survives_kill_9(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_before_the_answer_frees_nothing_on_sqlite() {
    let (ground, process) = Ground::start(Backend::Sqlite).await;
    ground.loses_no_charge(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_before_the_answer_frees_nothing_on_postgres() {
    let (ground, process) = Ground::start(Backend::Postgres).await;
    ground.loses_no_charge(process).await;
}
