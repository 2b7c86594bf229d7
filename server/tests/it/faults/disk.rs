//! A disk without room for SQLite: a small `tmpfs` that only the server sees.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::rounds::rounds;
use super::until;
use crate::process::{Process, client, sign_in};
use crate::test_app::{query_value, text};

/// Mounts a small disk over the folder that is the first word, and becomes the command that
/// follows.
const ON_SMALL_DISK: &str = "mount -t tmpfs -o size=16m none \"$0\" && exec \"$@\"";
const MAIN: &str = "latchkey.db";
const TELEMETRY: &str = "latchkey-telemetry.db";
/// Tokens of a call.
const COST: u64 = 10;
/// Tokens of a round's budget: more than its calls can spend.
const BUDGET: u64 = 100_000;
/// What a node holds ahead of it at most: 256 calls' worth, and a quarter of that before
/// (`crates/checker/src/budget_slot.rs`).
const LEASE: u64 = 322 * COST;
/// How many keys are made in a round before there is no room.
const BEFORE: usize = 20;
/// How many have to be refused before there is room again.
const REFUSED: usize = 20;

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
        let mut command = in_own_world(&data);
        command
            .args(["sh", "-c", ON_SMALL_DISK])
            .arg(&data)
            .args([env!("CARGO_BIN_EXE_latchkey"), "serve", "--latchkey-metrics-listen=off"])
            .arg(format!("--latchkey-data-dir={}", data.display()))
            .arg(format!("--latchkey-local-code={}", crate::test_app::LOCAL_CODE))
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

    /// What copies of both files of the database say of themselves.
    async fn integrity(&self) -> String {
        let copy = tempfile::tempdir().unwrap();
        self.process.signal("-STOP");
        for file in
            [MAIN, TELEMETRY].iter().flat_map(|file| [(*file).to_owned(), format!("{file}-wal")])
        {
            std::fs::copy(self.inside().join(&file), copy.path().join(file)).unwrap();
        }
        self.process.signal("-CONT");
        let mut said = Vec::new();
        for file in [MAIN, TELEMETRY] {
            let url = format!("sqlite://{}", copy.path().join(file).display());
            let database = sea_orm::Database::connect(url).await.unwrap();
            said.push(query_value::<String>(&database, "PRAGMA integrity_check").await);
        }
        said.join(", ")
    }
}

/// A command that may mount what nobody else sees, to be followed by what it shall run.
fn in_own_world(data: &Path) -> Command {
    let is_root = std::fs::metadata("/proc/self")
        .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    // Whoever is not root may be root in a user namespace of their own.
    let arguments = if is_root { &["--mount"][..] } else { &["--mount", "--map-root-user"] };
    let command = || {
        let mut command = Command::new("unshare");
        command.args(arguments);
        command
    };
    let tried = command().args(["sh", "-c", ON_SMALL_DISK]).arg(data).arg("true").output();
    let tried = tried.expect("unshare, of util-linux, gives the server a disk of its own");
    assert!(
        tried.status.success(),
        "the test mounts a small disk: it needs CAP_SYS_ADMIN, or user namespaces that anybody may make \
         (kernel.unprivileged_userns_clone, AppArmor): {}",
        String::from_utf8_lossy(&tried.stderr)
    );
    command()
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

#[derive(Default)]
struct Acknowledged {
    active: Vec<String>,
    revoked: Vec<String>,
}

/// A key with a budget.
struct Metered {
    id: String,
    secret: String,
    calls: u64,
    spent: u64,
}

impl Metered {
    async fn of(disk: &SmallDisk, round: usize) -> Self {
        let body = json!({ "name": format!("Metered {round}"), "kind": "inference",
            "token_limit": BUDGET, "token_limit_period": "month" });
        let (id, secret) = disk.create(&body).await.unwrap();
        Self { id, secret, calls: 0, spent: 0 }
    }

    /// Spends of the budget; what comes of it.
    async fn spend(&mut self, disk: &SmallDisk, tokens: u64) -> String {
        let outcome = disk.verify(&self.secret, tokens).await;
        if outcome == "valid" {
            self.calls += 1;
            self.spent += tokens;
        }
        outcome
    }

    /// Spends the rest: no more than all was admitted, and no less than what may have been leased
    /// when it could not be given back. Every call is counted.
    async fn spend_rest(&mut self, disk: &SmallDisk) {
        for tokens in [BUDGET / 100, COST] {
            while self.spend(disk, tokens).await == "valid" {}
        }
        assert_eq!(self.spend(disk, COST).await, "token_budget_exhausted");
        let least = BUDGET - 2 * LEASE;
        assert!((least..=BUDGET).contains(&self.spent), "{} of {BUDGET}", self.spent);
        let usage = format!("/v1/keys/{}/usage?range=1h", self.id);
        until("every call is counted", async || {
            disk.get(&usage).await["totals"]["valid"].as_u64() == Some(self.calls)
        })
        .await;
    }
}

impl Acknowledged {
    /// Makes and revokes keys and spends until the disk has been full for a while.
    async fn work(&mut self, disk: &SmallDisk, round: usize, metered: &mut Metered) {
        let mut refused = 0;
        for number in 0..2_000 {
            if number == BEFORE {
                assert_eq!((refused, metered.calls), (0, BEFORE as u64), "there is room");
                // There may be a little room in what SQLite has already.
                disk.fill();
            }
            match disk.create(&json!({ "name": format!("Key {round} {number}") })).await {
                Some((id, secret)) if number % 3 == 0 => {
                    // Cached, so that the revocation has something to forget.
                    assert_eq!(disk.verify(&secret, 0).await, "valid");
                    if disk.revoke(&id).await {
                        self.revoked.push(secret);
                    }
                }
                Some((_, secret)) => self.active.push(secret),
                None => refused += 1,
            }
            let outcome = metered.spend(disk, COST).await;
            assert!(["valid", "unavailable"].contains(&outcome.as_str()), "{outcome}");
            // Reading needs no room.
            if let Some(secret) = self.active.last() {
                assert_eq!(disk.verify(secret, 0).await, "valid");
            }
            if let Some(secret) = self.revoked.last() {
                assert_eq!(disk.verify(secret, 0).await, "revoked_key");
            }
            if refused == REFUSED {
                return;
            }
        }
        panic!("the disk is not full");
    }

    async fn hold(&self, disk: &SmallDisk) {
        assert!(!self.active.is_empty() && !self.revoked.is_empty(), "nothing was acknowledged");
        for secret in &self.active {
            assert_eq!(disk.verify(secret, 0).await, "valid", "an acknowledged key is lost");
        }
        for secret in &self.revoked {
            assert_eq!(disk.verify(secret, 0).await, "revoked_key");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_keeps_acknowledged_writes_and_recovers() {
    let disk = SmallDisk::start().await;
    let mut acknowledged = Acknowledged::default();
    for round in 0..rounds() {
        let mut metered = Metered::of(&disk, round).await;
        acknowledged.work(&disk, round, &mut metered).await;
        // The counters can't be written meanwhile, and are kept.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        disk.make_room();
        until("keys are made again", async || {
            disk.create(&json!({ "name": format!("Again {round}") })).await.is_some()
        })
        .await;
        acknowledged.hold(&disk).await;
        metered.spend_rest(&disk).await;
    }
    assert_eq!(disk.integrity().await, "ok, ok");
    disk.process.signal("-TERM");
    assert_eq!(disk.process.wait(), Some(0));
}
