//! `latchkey backup` and `latchkey restore`.

mod refusals;
mod since;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use latchkey_migrations::{Migrator, MigratorTrait};
use reqwest::{Client, Method, Response};
use sea_orm::{ConnectOptions, ConnectionTrait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, client, get_json, ingest, sign_in};
use crate::test_app::{query_value, text};

/// Runs a command that talks to no server, with nothing in the environment.
pub(super) fn latchkey(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_latchkey")).args(arguments).env_clear().output().unwrap()
}

pub(super) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a command says that fails.
pub(super) fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(super) fn succeed(output: Output) -> Output {
    assert!(output.status.success(), "{output:?}");
    output
}

/// A flag with a path.
pub(super) fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

/// A server on a folder of its own, with a person on a plan without limits.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) client: Client,
    pub(super) base: String,
    jwt: String,
    application: String,
    project: String,
    pub(super) organization: String,
}

impl Site {
    pub(super) async fn on(process: &Process) -> Self {
        let (client, base) = (client(), process.base.clone());
        let (jwt, application) = sign_in(&client, &base).await;
        let one = get_json(&client, &format!("{base}/v1/applications/{application}"), &jwt).await;
        let project = text(&one["project_id"]);
        let me = get_json(&client, &format!("{base}/v1/me"), &jwt).await;
        let organization = text(&me["organizations"][0]["id"]);
        Self { client, base, jwt, application, project, organization }
    }

    /// The same on a plan without limits.
    pub(super) async fn unlimited(process: &Process) -> Self {
        let site = Self::on(process).await;
        let path = format!("/v1/organizations/{}", site.organization);
        let changed = site.send(Method::PATCH, &path, &json!({ "tier": "enterprise" })).await;
        assert_eq!(changed.status(), 200);
        site
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: &Value) -> Response {
        let request = self.client.request(method, format!("{}{path}", self.base));
        request.bearer_auth(&self.jwt).json(body).send().await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        get_json(&self.client, &format!("{}{path}", self.base), &self.jwt).await
    }

    pub(super) async fn try_create(&self, body: &Value) -> Response {
        let path = format!("/v1/projects/{}/keys", self.project);
        self.send(Method::POST, &path, body).await
    }

    /// Creates a key of the application; its secret and its ID.
    pub(super) async fn create(&self, name: &str) -> (String, String) {
        let body = json!({ "name": name, "application_id": self.application });
        let made = self.try_create(&body).await;
        assert_eq!(made.status(), 201);
        let made: Value = made.json().await.unwrap();
        (text(&made["key"]), text(&made["api_key"]["id"]))
    }

    pub(super) async fn revoke(&self, id: &str) {
        let path = format!("{}/v1/keys/{id}", self.base);
        let gone = self.client.delete(path).bearer_auth(&self.jwt).send().await.unwrap();
        assert_eq!(gone.status(), 204);
    }

    /// The status of an ingest call.
    pub(super) async fn status(&self, secret: &str) -> u16 {
        ingest(&self.client, &self.base, secret).await.status().as_u16()
    }
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

/// Names and contents of the files in a data folder.
fn contents(folder: &TempDir) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(data(folder)).unwrap().map(|entry| entry.unwrap());
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    entries.map(read).collect()
}

/// Backs up a folder whose server may be running.
fn back_up(folder: &TempDir, to: &Path) -> Output {
    let data = flag("latchkey-data-dir", &data(folder));
    latchkey(&["backup", &data, &flag("to", to)])
}

/// Restores to a new folder, which has no pepper yet.
fn restore(file: &Path, more: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    let data = flag("data-dir", &data(&folder));
    let line = ["restore", file.to_str().unwrap(), &data];
    succeed(latchkey(&[&line[..], more].concat()));
    folder
}

fn copy_pepper(from: &TempDir, to: &TempDir) {
    fs::copy(data(from).join("pepper"), data(to).join("pepper")).unwrap();
}

/// Creates, uses and revokes keys until it is told to stop; how many there were.
fn load(site: &Site, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<usize> {
    let (site, stop) = (site.clone(), Arc::clone(stop));
    tokio::spawn(async move {
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            let (secret, id) = site.create(&format!("load {count}")).await;
            assert_eq!(site.status(&secret).await, 200);
            site.revoke(&id).await;
            count += 1;
        }
        count
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_under_load_has_all_that_was_acknowledged() {
    let folder = TempDir::new().unwrap();
    let process = Process::start(&folder, &client()).await;
    let site = Site::unlimited(&process).await;
    let mut secrets = Vec::new();
    for number in 0..5 {
        let (secret, _) = site.create(&format!("key {number}")).await;
        assert_eq!(site.status(&secret).await, 200);
        secrets.push(secret);
    }
    let (revoked, id) = site.create("revoked").await;
    site.revoke(&id).await;
    let stop = Arc::default();
    let loading = load(&site, &stop);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let file = folder.path().join("latchkey.backup");
    let said = tokio::task::spawn_blocking({
        let to = file.clone();
        let data = flag("latchkey-data-dir", &data(&folder));
        move || latchkey(&["backup", &data, &flag("to", &to)])
    });
    let said = stdout(&succeed(said.await.unwrap()));
    stop.store(true, Ordering::Relaxed);
    assert!(loading.await.unwrap() > 0);
    assert!(said.contains("pepper") && said.contains("not in it"), "{said}");
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));

    let restored = restore(&file, &[]);
    check_files(&restored).await;
    copy_pepper(&folder, &restored);
    let process = Process::start(&restored, &client()).await;
    let site = Site::on(&process).await;
    for secret in &secrets {
        assert_eq!(site.status(secret).await, 200, "a key from before the backup works");
    }
    assert_eq!(site.status(&revoked).await, 401);
    let data = flag("latchkey-data-dir", &data(&restored));
    succeed(latchkey(&["audit", "verify", &data]));
}

/// Telemetry from before the backup is there, and refers to nothing that is not.
async fn check_files(folder: &TempDir) {
    let main = format!("sqlite://{}", data(folder).join("latchkey.db").display());
    let mut options = ConnectOptions::new(main);
    // What is attached belongs to one connection.
    options.max_connections(1);
    let database = sea_orm::Database::connect(options).await.unwrap();
    let telemetry = data(folder).join("latchkey-telemetry.db");
    let attach = format!("ATTACH DATABASE '{}' AS telemetry", telemetry.display());
    database.execute_unprepared(&attach).await.unwrap();
    let count: i64 = query_value(&database, "SELECT count(*) FROM telemetry.traces").await;
    // The calls send the same trace, which is stored once.
    assert!(count > 0);
    for table in ["traces", "key_usage"] {
        let orphans = format!(
            "SELECT count(*) FROM telemetry.{table} WHERE key_id NOT IN (SELECT id FROM keys)"
        );
        let orphans: i64 = query_value(&database, &orphans).await;
        assert_eq!(orphans, 0, "{table}");
    }
    database.close().await.unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn backup_is_for_its_owner_and_overwrites_only_by_force() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let process = Process::start(&folder, &client()).await;
    let file = folder.path().join("latchkey.backup");
    succeed(back_up(&folder, &file));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&file).unwrap();
    let refused = refusal(&back_up(&folder, &file));
    assert!(refused.contains("--force"), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), before);
    let data = flag("latchkey-data-dir", &data(&folder));
    succeed(latchkey(&["backup", &data, &flag("to", &file), "--force"]));
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["data", "latchkey.backup", "log.jsonl"], "no draft stays behind");
    drop(process);
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_of_an_older_version_is_restored_and_migrated() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(data(&folder)).unwrap();
    let main = data(&folder).join("latchkey.db");
    // Telemetry was in the main file then.
    let url = format!("sqlite://{}?mode=rwc", main.display());
    let database = sea_orm::Database::connect(&url).await.unwrap();
    Migrator::up(&database, Some(10)).await.unwrap();
    database.close().await.unwrap();
    let file = folder.path().join("old.backup");
    succeed(back_up(&folder, &file));
    let restored = restore(&file, &[]);
    let url = format!("sqlite://{}", data(&restored).join("latchkey.db").display());
    let database = sea_orm::Database::connect(&url).await.unwrap();
    let ran: i64 = query_value(&database, "SELECT count(*) FROM seaql_migrations").await;
    assert_eq!(usize::try_from(ran).unwrap(), Migrator::migrations().len());
    assert!(data(&restored).join("latchkey-telemetry.db").exists());
    database.close().await.unwrap();

    let data = flag("latchkey-data-dir", &data(&folder));
    let said = stdout(&succeed(latchkey(&["migrate", &data])));
    assert!(said.contains("m20261128_000012_move_apart\n"), "{said}");
    assert!(!said.contains("m20261121_000003_create_keys"), "{said}");
    let said = stdout(&succeed(latchkey(&["migrate", &data])));
    assert_eq!(said, "The schema is up to date\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_names_what_it_ran_on_postgres() {
    let folder = TempDir::new().unwrap();
    let data = flag("latchkey-data-dir", &data(&folder));
    let url = format!("--database-url={}", crate::test_app::new_postgres_database().await);
    let said = stdout(&succeed(latchkey(&["migrate", &data, &url])));
    assert!(said.starts_with("m20261121_000001_create_workspace\n"), "{said}");
    let said = stdout(&succeed(latchkey(&["migrate", &data, &url])));
    assert_eq!(said, "The schema is up to date\n");
}
