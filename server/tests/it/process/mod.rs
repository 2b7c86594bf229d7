//! The binary itself: starting, draining, dying.

mod backup;
mod cli;
mod config;
mod docs;
pub(crate) mod edge;
mod json;
pub(crate) mod otel;
mod pepper;
mod security;
mod tier;
mod upgrade;

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::{Args, CommandFactory};
use latchkey_server::cli::{CargoLeptos, Cli};
use reqwest::Client;
use sea_orm::ConnectionTrait;
use serde_json::Value;
use tempfile::TempDir;

use crate::ports::free_port;
use crate::test_app::{LOCAL_CODE, client_builder, count_rows, refresh_cookie, text, traces};

pub(crate) struct Process {
    child: Child,
    pub(crate) base: String,
}

impl Process {
    /// Starts the binary on a free port and waits until it is ready.
    pub(crate) async fn start(folder: &TempDir, client: &Client) -> Self {
        Self::start_with(folder, client, &[]).await
    }

    /// The same with other settings too.
    pub(crate) async fn start_with(
        folder: &TempDir,
        client: &Client,
        arguments: &[String],
    ) -> Self {
        let mut command = command(folder);
        command.args(arguments);
        Self::start_command(command, folder, client).await
    }

    /// The same by a command that the binary's arguments may be added to.
    pub(crate) async fn start_command(command: Command, folder: &TempDir, client: &Client) -> Self {
        Self::start_on(free_port(), command, folder, client).await
    }

    /// The same on a port that the command may have to know.
    async fn start_on(port: u16, mut command: Command, folder: &TempDir, client: &Client) -> Self {
        let log = File::options().create(true).append(true).open(log_file(folder)).unwrap();
        command.arg(format!("--latchkey-listen=127.0.0.1:{port}")).stderr(log);
        let child = command.spawn().unwrap();
        let mut process = Self { child, base: format!("http://127.0.0.1:{port}") };
        for _ in 0..600 {
            let ready = client.get(format!("{}/readyz", process.base)).send().await;
            if ready.is_ok_and(|answer| answer.status() == 200) {
                return process;
            }
            if let Some(status) = process.child.try_wait().unwrap() {
                let log = std::fs::read_to_string(log_file(folder)).unwrap();
                panic!("the server ended with {status}: {log}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server was not ready within 30 s");
    }

    /// The most memory that it had at once, in kilobytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill =
            Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }

    /// Ends it as `kill -9` does, at once; the exit code, if it had ended by itself.
    pub(crate) fn kill(mut self) -> Option<i32> {
        self.child.kill().unwrap();
        self.wait()
    }

    /// Waits for the end and returns the exit code.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

/// A test that fails midway leaves no server behind.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the processes on this folder have said.
pub(crate) fn log_file(folder: &TempDir) -> PathBuf {
    folder.path().join("log.jsonl")
}

pub(crate) fn command(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command
        .args(["serve", &format!("--latchkey-data-dir={}", folder.path().join("data").display())])
        .arg(format!("--latchkey-local-code={LOCAL_CODE}"))
        .env_clear()
        .env("LATCHKEY_WRITES_PER_MINUTE", "1000000")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

pub(crate) async fn sign_in(client: &Client, base: &str) -> (String, String) {
    let code = serde_json::json!({ "code": LOCAL_CODE });
    let signed_in = client.post(format!("{base}/auth/local")).header("origin", base).json(&code);
    let signed_in = signed_in.send().await.unwrap();
    let body = serde_json::json!({ "refreshToken": refresh_cookie(&signed_in).unwrap() });
    let tokens = client.post(format!("{base}/refresh")).json(&body).send().await.unwrap();
    let tokens: Value = tokens.json().await.unwrap();
    let jwt = text(&tokens["token"]);
    let get = async |path: String| get_json(client, &format!("{base}{path}"), &jwt).await;
    let me = get("/v1/me".to_owned()).await;
    let projects = format!("/v1/organizations/{}/projects", text(&me["organizations"][0]["id"]));
    let projects = get(projects).await;
    // The first project, which has an application; the list begins with the newest.
    let project = text(&projects["data"].as_array().unwrap().last().unwrap()["id"]);
    let application = get(format!("/v1/projects/{project}/applications")).await;
    (jwt, text(&application["data"][0]["id"]))
}

pub(crate) async fn get_json(client: &Client, url: &str, jwt: &str) -> Value {
    client.get(url).bearer_auth(jwt).send().await.unwrap().json().await.unwrap()
}

/// Generates a key of an application; its secret.
pub(crate) async fn generate(client: &Client, base: &str, jwt: &str, application: &str) -> String {
    let url = format!("{base}/apikey?ApplicationId={application}");
    client.post(url).bearer_auth(jwt).send().await.unwrap().json().await.unwrap()
}

pub(crate) fn client() -> Client {
    client_builder().build().unwrap()
}

async fn ingest(client: &Client, base: &str, key: &str) -> reqwest::Response {
    client
        .post(format!("{base}/ingest/traces"))
        .header("x-api-key", key)
        .json(&traces(1))
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn kill_9_loses_no_acknowledged_key_or_revocation() {
    let (folder, client) = (tempfile::tempdir().unwrap(), client());
    let process = Process::start(&folder, &client).await;
    let (jwt, application) = sign_in(&client, &process.base).await;
    let secret = generate(&client, &process.base, &jwt, &application).await;
    process.signal("-KILL");
    assert_eq!(process.wait(), None);

    let process = Process::start(&folder, &client).await;
    assert_eq!(ingest(&client, &process.base, &secret).await.status(), 200);
    let (jwt, _) = sign_in(&client, &process.base).await;
    let url = format!("{}/apikey?ApplicationId={application}", process.base);
    let list = get_json(&client, &url, &jwt).await;
    let path = format!("{}/apikey/{}", process.base, text(&list["data"][0]["id"]));
    assert_eq!(client.delete(path).bearer_auth(&jwt).send().await.unwrap().status(), 204);
    process.signal("-KILL");
    assert_eq!(process.wait(), None);

    let process = Process::start(&folder, &client).await;
    assert_eq!(ingest(&client, &process.base, &secret).await.status(), 401);
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}

#[tokio::test]
async fn sigterm_drains_and_writes_the_last_counters() {
    let (folder, client) = (tempfile::tempdir().unwrap(), client());
    let process = Process::start(&folder, &client).await;
    let base = process.base.clone();
    let (jwt, application) = sign_in(&client, &base).await;
    let secret = generate(&client, &base, &jwt, &application).await;

    // A request whose body is still on its way when the signal comes.
    let (sender, receiver) = futures::channel::mpsc::channel::<Result<String, std::io::Error>>(4);
    let body = traces(1).to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let mut sender = sender;
    sender.try_send(Ok(first.to_owned())).unwrap();
    let slow = client
        .post(format!("{base}/ingest/traces"))
        .header("x-api-key", &secret)
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(receiver))
        .send();
    let slow = tokio::spawn(slow);
    tokio::time::sleep(Duration::from_millis(300)).await;
    process.signal("-TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    sender.try_send(Ok(second.to_owned())).unwrap();
    drop(sender);
    assert_eq!(slow.await.unwrap().unwrap().status(), 200, "an accepted request is finished");
    assert_eq!(process.wait(), Some(0));

    let process = Process::start(&folder, &client).await;
    let (jwt, _) = sign_in(&client, &process.base).await;
    let url = format!("{}/apikey?ApplicationId={application}", process.base);
    let list = get_json(&client, &url, &jwt).await;
    assert!(list["data"][0]["last_used_at"].is_string(), "the use was written at the end");
    let url = format!("{}/v1/keys/{}/usage", process.base, text(&list["data"][0]["id"]));
    let usage = get_json(&client, &url, &jwt).await;
    assert_eq!(usage["totals"]["valid"], 1, "the counters were written at the end");
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}

#[tokio::test]
async fn sigterm_loses_no_log_line() {
    let (folder, client) = (tempfile::tempdir().unwrap(), client());
    let process = Process::start(&folder, &client).await;
    let url = format!("{}/v1/chat/completions", process.base);
    for _ in 0..10 {
        let calls = (0..40).map(|_| client.post(&url).body("{}").send());
        for answer in futures::future::join_all(calls).await {
            assert_eq!(answer.unwrap().status(), 401);
        }
    }
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
    let log = std::fs::read_to_string(log_file(&folder)).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_calls = lines.filter(|line| line["path"] == "/v1/chat/completions");
    let ids: HashSet<String> = of_calls.map(|line| text(&line["span"]["request_id"])).collect();
    assert_eq!(ids.len(), 400, "a line for each");
}

#[tokio::test]
async fn expired_data_is_purged_at_start_after_any_shutdown() {
    let (folder, client) = (tempfile::tempdir().unwrap(), client());
    let process = Process::start(&folder, &client).await;
    let (jwt, application) = sign_in(&client, &process.base).await;
    let path = format!("{}/apikey?ApplicationId={application}", process.base);
    for environment in ["test", "live"] {
        let body = serde_json::json!({ "environment": environment });
        let key = client.post(&path).bearer_auth(&jwt).json(&body).send().await.unwrap();
        let key: String = key.json().await.unwrap();
        assert_eq!(ingest(&client, &process.base, &key).await.status(), 200);
    }
    process.signal("-KILL");
    assert_eq!(process.wait(), None);

    let url = format!("sqlite://{}/data/latchkey-telemetry.db", folder.path().display());
    let database = sea_orm::Database::connect(&url).await.unwrap();
    // A day and a second pass.
    database
        .execute_unprepared("UPDATE traces SET received_at = received_at - 86401000")
        .await
        .unwrap();
    let process = Process::start(&folder, &client).await;
    for _ in 0..200 {
        if count_rows(&database, "traces").await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(count_rows(&database, "traces").await, 1, "the live one");
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
    let log = std::fs::read_to_string(log_file(&folder)).unwrap();
    let purge = log.lines().find(|line| line.contains("Purged telemetry")).unwrap();
    assert!(purge.contains("\"traces\":1,\"logs\":0"), "{purge}");
}

#[test]
fn server_refuses_to_start_on_public_address_without_github() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(&folder)
        .arg("--latchkey-listen=0.0.0.0:0")
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("LATCHKEY_GITHUB_CLIENT_ID") && told.contains("LATCHKEY_LISTEN"),
        "{told}"
    );
}

#[test]
fn local_sign_in_with_a_public_url_elsewhere_refuses_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(&folder)
        .args(["--latchkey-listen=127.0.0.1:0", "--latchkey-public-url=https://keys.example"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("LATCHKEY_PUBLIC_URL") && told.contains("LATCHKEY_GITHUB_CLIENT_ID"),
        "{told}"
    );
}

#[tokio::test]
async fn log_shows_the_link_of_local_sign_in_and_no_other_secret() {
    let (folder, client) = (tempfile::tempdir().unwrap(), client());
    let process = Process::start(&folder, &client).await;
    sign_in(&client, &process.base).await;
    let link = format!("{}/login#code=the%20code", process.base);
    drop(process);
    let log = std::fs::read_to_string(log_file(&folder)).unwrap();
    assert_eq!(log.matches("the%20code").count(), 1, "{log}");
    assert!(log.contains(&link), "{log}");
    for secret in ["pepper", "jwt-secret"] {
        let secret = std::fs::read_to_string(folder.path().join("data").join(secret)).unwrap();
        assert!(!log.contains(secret.trim_end()));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn data_folder_and_database_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, client) = (tempfile::tempdir().unwrap(), client());
    let process = Process::start(&folder, &client).await;
    sign_in(&client, &process.base).await;
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let data = folder.path().join("data");
    assert_eq!(mode(&data), 0o700);
    let files: Vec<PathBuf> =
        std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().any(|file| file.ends_with("latchkey.db-wal")), "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    drop(process);
}

/// The settings are those that the command line declares, but for what cargo-leptos sets.
#[test]
fn help_lists_every_setting() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_latchkey")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let cli = <Cli as CommandFactory>::command();
    let serve = cli.find_subcommand("serve").unwrap();
    let of_leptos = CargoLeptos::augment_args(clap::Command::new("cargo-leptos"));
    let is_ours = |id: &clap::Id| of_leptos.get_arguments().all(|other| other.get_id() != id);
    let mut count = 0;
    for setting in serve.get_arguments().filter(|argument| is_ours(argument.get_id())) {
        let (flag, name) = (setting.get_long().unwrap(), setting.get_env().unwrap());
        let name = name.to_str().unwrap();
        assert_eq!(flag.replace('-', "_").to_uppercase(), name, "a flag is named as its variable");
        assert!(help.contains(&format!("--{flag} ")), "{flag} is not in\n{help}");
        // The value follows, unless it is secret.
        let shown = ["=", "]"].map(|end| help.contains(&format!("[env: {name}{end}")));
        assert!(shown.contains(&true), "{name} is not in\n{help}");
        count += 1;
    }
    assert!(count >= 25, "{count} settings");
}
