//! A disk without room for SQLite: a small `tmpfs` that only the server sees.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{rounds, until};
use crate::process::{Process, client, sign_in};
use crate::world::text;

/// Mounts a small disk over the folder that is the first word, and becomes the command that follows.
const ON_SMALL_DISK: &str = "mount -t tmpfs -o size=16m none \"$0\" && exec \"$@\"";
/// The most of a budget.
const BUDGET: u64 = 5_000;

/// A server on a small disk.
struct SmallDisk {
    process: Process,
    client: reqwest::Client,
    jwt: String,
    project: String,
    // Deleted when the test ends.
    _folder: TempDir,
    data: PathBuf,
}

impl SmallDisk {
    async fn start() -> Self {
        let (folder, client) = (tempfile::tempdir().unwrap(), client());
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let mut command = Command::new("unshare");
        // Whoever is not root may mount in a world of their own.
        let is_root = std::fs::metadata("/proc/self")
            .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        command
            .args(if is_root { &["--mount"][..] } else { &["--mount", "--map-root-user"] })
            .args(["sh", "-c", ON_SMALL_DISK])
            .arg(&data)
            .args([env!("CARGO_BIN_EXE_latchkey"), "serve", "--latchkey-metrics-listen=off"])
            .arg(format!("--latchkey-data-dir={}", data.display()))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdout(Stdio::null());
        let process = Process::start_command(command, &folder, &client).await;
        let (jwt, application) = sign_in(&client, &process.base).await;
        let mut disk = Self { process, client, jwt, project: String::new(), _folder: folder, data };
        let application = disk.get(&format!("/v1/applications/{application}")).await;
        disk.project = text(&application["project_id"]);
        let project = disk.get(&format!("/v1/projects/{}", disk.project)).await;
        let organization = format!("/v1/organizations/{}", text(&project["organization_id"]));
        let request = disk.client.patch(format!("{}{organization}", disk.process.base));
        let tier = request.bearer_auth(&disk.jwt).json(&json!({ "tier": "enterprise" }));
        assert_eq!(tier.send().await.unwrap().status(), 200);
        disk
    }

    /// The data folder as the server sees it.
    fn inside(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.process.id(), self.data.display()))
    }

    /// Leaves no room on it.
    fn fill(&self) {
        let mut filler = File::create(self.inside().join("filler")).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.inside().join("filler")).unwrap();
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.client.get(format!("{}{path}", self.process.base));
        let answer = request.bearer_auth(&self.jwt).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// Makes a key; its id and its secret, if that was acknowledged.
    async fn create(&self, body: &Value) -> Option<(String, String)> {
        let url = format!("{}/v1/projects/{}/keys", self.process.base, self.project);
        let request = self.client.post(url).bearer_auth(&self.jwt).json(body);
        let made = good(request.send().await.unwrap()).await?;
        Some((text(&made["api_key"]["id"]), text(&made["key"])))
    }

    /// Revokes a key; whether that was acknowledged.
    async fn revoke(&self, id: &str) -> bool {
        let request = self.client.delete(format!("{}/v1/keys/{id}", self.process.base));
        good(request.bearer_auth(&self.jwt).send().await.unwrap()).await.is_some()
    }

    async fn verify(&self, secret: &str, cost: u64) -> String {
        let request = self.client.post(format!("{}/v1/keys/verify", self.process.base));
        let body = json!({ "key": secret, "cost": cost });
        let answer = request.bearer_auth(&self.jwt).json(&body).send().await.unwrap();
        text(&good(answer).await.expect("reading needs no room")["code"])
    }

    /// What a copy of the database says of itself.
    async fn integrity(&self) -> String {
        let copy = tempfile::tempdir().unwrap();
        self.process.signal("-STOP");
        for file in ["latchkey.db", "latchkey.db-wal"] {
            std::fs::copy(self.inside().join(file), copy.path().join(file)).unwrap();
        }
        self.process.signal("-CONT");
        let url = format!("sqlite://{}", copy.path().join("latchkey.db").display());
        let database = sea_orm::Database::connect(url).await.unwrap();
        let asked = Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check");
        let row = database.query_one_raw(asked).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }
}

/// The body of a good answer; none: 503, the one way to refuse for want of room.
async fn good(answer: reqwest::Response) -> Option<Value> {
    let (status, url) = (answer.status(), answer.url().clone());
    let text = answer.text().await.unwrap();
    if status == 503 {
        return None;
    }
    assert!(status.is_success(), "{url}: {status} {text}");
    Some(if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_that_was_acknowledged_and_writing_goes_on_when_there_is_room() {
    let disk = SmallDisk::start().await;
    let metered = json!({ "name": "Metered", "kind": "inference", "token_limit": BUDGET,
        "token_limit_period": "month" });
    let (id, metered) = disk.create(&metered).await.unwrap();
    let (mut active, mut revoked, mut spent) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds() {
        let mut refused = 0;
        for number in 0..2_000 {
            if number == 20 {
                // There may be a little room in what SQLite has already.
                disk.fill();
            }
            match disk.create(&json!({ "name": format!("Key {round} {number}") })).await {
                Some((id, secret)) if number % 3 == 0 => {
                    if disk.revoke(&id).await {
                        revoked.push(secret);
                    }
                }
                Some((_, secret)) => active.push(secret),
                None => refused += 1,
            }
            if disk.verify(&metered, 10).await == "valid" {
                spent += 10;
            }
            for secret in active.last().iter().chain(&revoked.last()) {
                assert_ne!(disk.verify(secret, 0).await, "unavailable", "reading needs no room");
            }
            if refused == 20 {
                break;
            }
        }
        assert_eq!(refused, 20, "the disk is full");
        // The counters can't be written meanwhile, and are kept.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        disk.make_room();
        until("keys are made again", async || {
            disk.create(&json!({ "name": format!("Again {round}") })).await.is_some()
        })
        .await;
    }
    assert_eq!(disk.integrity().await, "ok");
    assert!(!active.is_empty() && !revoked.is_empty(), "nothing was acknowledged");
    for secret in &active {
        assert_eq!(disk.verify(secret, 0).await, "valid", "an acknowledged key is lost");
    }
    for secret in &revoked {
        assert_eq!(disk.verify(secret, 0).await, "revoked_key");
    }
    while disk.verify(&metered, 10).await == "valid" {
        spent += 10;
    }
    assert!(spent <= BUDGET, "{spent} of {BUDGET}");
    let usage = format!("/v1/keys/{id}/usage?range=1h");
    until("every call is counted", async || {
        disk.get(&usage).await["totals"]["valid"].as_u64() == Some(spent / 10)
    })
    .await;
    disk.process.signal("-TERM");
    assert_eq!(disk.process.wait(), Some(0));
}
