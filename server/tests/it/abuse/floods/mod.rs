//! Floods against the binary itself: its memory stays bounded, honest callers are answered,
//! refusals say why.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "what honest callers wait is timed by a real clock")]

mod bodies;
mod guesses;
mod heads;
mod slow;

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, client, generate, get_json, sign_in};
use crate::test_app::{text, traces};

/// What a flood may take beside what its clients do, whatever its size.
const ROOM_KB: u64 = 64 * 1024;
/// On a machine that is busy with the flood and with other tests.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A server that is attacked, and an honest caller.
struct Attacked {
    process: Process,
    client: Client,
    key: String,
    jwt: String,
    project: String,
    /// What it took before the attack.
    before: u64,
    _folder: TempDir,
}

impl Attacked {
    async fn start() -> Self {
        let (folder, client) = (tempfile::tempdir().unwrap(), client());
        let process = Process::start(&folder, &client).await;
        let base = &process.base;
        let (jwt, application) = sign_in(&client, base).await;
        let key = generate(&client, base, &jwt, &application).await;
        let url = format!("{base}/v1/applications/{application}");
        let application = get_json(&client, &url, &jwt).await;
        let project = text(&application["project_id"]);
        let mut attacked = Self { process, client, key, jwt, project, before: 0, _folder: folder };
        attacked.honest_call().await;
        attacked.before = attacked.process.peak_memory();
        attacked
    }

    /// The secret of a new inference key.
    async fn inference_key(&self) -> String {
        let path = format!("{}/v1/projects/{}/inference/keys", self.process.base, self.project);
        let body = serde_json::json!({"name": "gateway"});
        let create = self.client.post(path).bearer_auth(&self.jwt).json(&body);
        let created: Value = create.send().await.unwrap().json().await.unwrap();
        text(&created["key"])
    }

    fn address(&self) -> &str {
        self.process.base.trim_start_matches("http://")
    }

    /// Somebody with a good key, on a new connection.
    async fn honest_call(&self) {
        let began = Instant::now();
        let client = client();
        let call = client.post(format!("{}/ingest/traces", self.process.base));
        let answer = call.header("x-api-key", &self.key).json(&traces(1)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(began.elapsed() < ANSWER_LIMIT, "an honest caller waits {:?}", began.elapsed());
    }

    /// How many kilobytes more it has taken since it is attacked.
    fn took(&self) -> u64 {
        // The kernel counts on each processor, and the sum may lag behind by a few pages.
        self.process.peak_memory().saturating_sub(self.before)
    }

    /// It has taken little, an honest caller is answered, and it ends as an operator ends it.
    async fn survived(self, room: u64) {
        self.honest_call().await;
        let took = self.took();
        assert!(took < room, "{} MiB more", took / 1024);
        drop(self.client);
        self.process.signal("-TERM");
        assert_eq!(self.process.wait(), Some(0));
    }
}

/// The status of an answer.
fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or_default()
}
