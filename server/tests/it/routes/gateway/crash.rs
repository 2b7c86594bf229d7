//! `kill -9` while calls under a budget are on their way: what all calls together have used, those
//! before the crash and those after it, is never more than the budget.

use std::time::Duration;

use futures::StreamExt;
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::asks;
use super::upstream::{Script, Upstream};
use crate::process::{Process, client, sign_in};
use crate::test_app::{Backend, new_postgres_database, text};

/// 50 calls of 10 tokens.
const BUDGET: u64 = 500;
/// What a call uses beside its prompt of 6.
const WANTS: u64 = 4;

#[derive(Clone, Copy)]
struct Load {
    calls: usize,
    at_once: usize,
    /// What a call says that it may use; beyond [`WANTS`] it is reserved and given back.
    max_tokens: u64,
}

/// A database, a slow upstream, and what a process needs to be started on both.
struct Ground {
    folder: TempDir,
    client: Client,
    upstream: Upstream,
    arguments: Vec<String>,
}

impl Ground {
    async fn on(backend: Backend) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (upstream, base_url) = Upstream::start().await;
        upstream.script("slow", Script::Metered { wants: WANTS, delay: Duration::from_millis(40) });
        let file = folder.path().join("upstreams.toml");
        let toml = format!(
            "[[upstream]]\nname = \"slow\"\nbase_url = \"{base_url}\"\nmodels = [\"qwen3.6-27b\"]"
        );
        std::fs::write(&file, toml).unwrap();
        let mut arguments = vec![format!("--latchkey-upstreams={}", file.display())];
        if backend == Backend::Postgres {
            arguments.push(format!("--database-url={}", new_postgres_database().await));
        }
        Self { folder, client: client(), upstream, arguments }
    }

    async fn start(&self) -> Process {
        Process::start_with(&self.folder, &self.client, &self.arguments).await
    }

    /// Makes a key with the budget; its secret and its id.
    async fn key(&self, base: &str) -> (String, String) {
        let (jwt, application) = sign_in(&self.client, base).await;
        let application = self.get(&format!("{base}/v1/applications/{application}"), &jwt).await;
        let project = text(&application["project_id"]);
        let path = format!("{base}/v1/projects/{project}/inference/keys");
        let body = json!({ "name": "b", "token_limit": BUDGET, "token_limit_period": "month" });
        let made = self.client.post(path).bearer_auth(&jwt).json(&body).send().await.unwrap();
        let made: Value = made.json().await.unwrap();
        (text(&made["key"]), text(&made["api_key"]["id"]))
    }

    async fn get(&self, url: &str, jwt: &str) -> Value {
        self.client.get(url).bearer_auth(jwt).send().await.unwrap().json().await.unwrap()
    }

    /// Calls; the status of each, none for those whose server went away.
    async fn call(&self, base: &str, key: &str, load: Load) -> Vec<Option<u16>> {
        let mut body = asks("qwen3.6-27b", "slow");
        body["max_tokens"] = json!(load.max_tokens);
        let url = format!("{base}/v1/chat/completions");
        let calls = (0..load.calls)
            .map(|_| async { self.client.post(&url).bearer_auth(key).json(&body).send().await });
        let answers: Vec<_> =
            futures::stream::iter(calls).buffer_unordered(load.at_once).collect().await;
        answers.into_iter().map(|answer| answer.ok().map(|one| one.status().as_u16())).collect()
    }

    /// Waits until the upstream has been called `more` times, or the load is over without it.
    async fn called(&self, more: usize) {
        let enough = self.upstream.seen().len() + more;
        while self.upstream.seen().len() < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Some of them are answered by now, some are not.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    /// Calls, and kills the process when the upstream has been called often enough.
    async fn kill_during(&self, process: Process, key: &str, load: Load, after: usize) {
        let base = process.base.clone();
        let calls = self.call(&base, key, load);
        let kill = async {
            tokio::time::timeout(Duration::from_secs(2), self.called(after)).await.ok();
            process.signal("-KILL");
            assert_eq!(process.wait(), None);
        };
        let (answers, ()) = tokio::join!(calls, kill);
        assert!(
            answers.iter().flatten().all(|status| [200, 402, 429].contains(status)),
            "{answers:?}"
        );
    }

    /// Whoever kills the process `kills` times spends no more than the budget.
    async fn is_never_overspent(&self, load: Load, kills: &[usize]) {
        let process = self.start().await;
        let (key, id) = self.key(&process.base).await;
        let mut next = Some(process);
        for after in kills {
            let process = match next.take() {
                Some(process) => process,
                None => self.start().await,
            };
            self.kill_during(process, &key, load, *after).await;
        }
        let before = self.upstream.seen().len();
        assert!(before >= kills[0], "calls were on their way: {before}");
        let process = self.start().await;
        let answers = self.call(&process.base, &key, load).await;
        assert!(
            answers.iter().all(|status| matches!(status, Some(200 | 402 | 429))),
            "it goes on as ever: {answers:?}"
        );
        assert!(answers.contains(&Some(402)), "the budget has an end");
        let used = self.upstream.metered(WANTS);
        assert!(used <= BUDGET, "{used} tokens of {BUDGET}");
        let (jwt, _) = sign_in(&self.client, &process.base).await;
        let usage = format!("{}/v1/inference/keys/{id}/usage?range=1h", process.base);
        let told = self.get(&usage, &jwt).await["budget"]["used"].as_u64().unwrap();
        assert!((used..=BUDGET).contains(&told), "{told} told, {used} used");
        process.signal("-TERM");
        assert_eq!(process.wait(), Some(0));
    }
}

/// All at once: a process that dies while everything is taken.
const BURST: Load = Load { calls: 200, at_once: 200, max_tokens: WANTS };
/// One after the other, each giving back half of what it took: a process that dies in between.
const STREAM: Load = Load { calls: 200, at_once: 4, max_tokens: 14 };

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_in_a_burst_overspends_no_budget_on_sqlite() {
    Ground::on(Backend::Sqlite).await.is_never_overspent(BURST, &[20]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_in_a_burst_overspends_no_budget_on_postgres() {
    Ground::on(Backend::Postgres).await.is_never_overspent(BURST, &[20]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_again_and_again_overspends_no_budget_on_sqlite() {
    Ground::on(Backend::Sqlite).await.is_never_overspent(STREAM, &[8, 8, 8]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_again_and_again_overspends_no_budget_on_postgres() {
    Ground::on(Backend::Postgres).await.is_never_overspent(STREAM, &[8, 8, 8]).await;
}
