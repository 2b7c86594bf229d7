//! Upgrades: databases of earlier versions, and nodes of two versions side by side.
//!
//! The tests of [`fixture`] always run. The others need the binary of the release before, or
//! Litestream, and are ignored unless `make test-upgrade` brings them.

mod fixture;
#[cfg(unix)]
mod litestream;
mod nodes;
mod sqlite;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Process;
use super::backup::Site;
use crate::process::command;
use crate::test_app::{LOCAL_CODE, text};

/// Which version a node is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    Previous,
    Current,
}

impl Release {
    /// Command that serves from a folder. Settings that the release before may not know are
    /// variables, which it ignores then.
    fn command(self, folder: &TempDir) -> Command {
        if self == Self::Current {
            return command(folder);
        }
        let mut command = Command::new(named_program("LATCHKEY_PREVIOUS"));
        command
            .arg("serve")
            .env_clear()
            .env("LATCHKEY_DATA_DIR", folder.path().join("data"))
            .env("LATCHKEY_LOCAL_CODE", LOCAL_CODE)
            .env("LATCHKEY_WRITES_PER_MINUTE", "1000000")
            .stdout(Stdio::null());
        command
    }
}

/// Path of a program that `make test-upgrade` has brought.
#[expect(clippy::disallowed_methods, reason = "the test script names what it has brought")]
fn named_program(variable: &str) -> PathBuf {
    std::env::var_os(variable).map(PathBuf::from).expect("run `make test-upgrade`")
}

/// The outcome of the check of a key that costs so many tokens.
async fn check(site: &Site, verifier: &str, secret: &str, cost: u64) -> String {
    let body = json!({ "key": secret, "cost": cost });
    let request = site.client.post(format!("{}/v1/keys/verify", site.base));
    let answer = request.bearer_auth(verifier).json(&body).send().await.unwrap();
    text(&answer.json::<Value>().await.unwrap()["code"])
}

/// Creates a key of these fields; its secret and its ID.
async fn create(site: &Site, body: &Value) -> (String, String) {
    let made = site.try_create(body).await;
    assert_eq!(made.status(), 201, "{body}");
    let made: Value = made.json().await.unwrap();
    (text(&made["key"]), text(&made["api_key"]["id"]))
}

/// Creates a service key that may verify others; its secret.
async fn create_verifier(site: &Site) -> String {
    let body = json!({ "name": "verifier", "kind": "service", "permissions": ["keys:verify"] });
    create(site, &body).await.0
}

/// What is used of the token budget of a key.
async fn used(site: &Site, id: &str) -> u64 {
    let usage = site.get(&format!("/v1/inference/keys/{id}/usage?range=1h")).await;
    usage["budget"]["used"].as_u64().unwrap()
}

/// Number of the newest events in the audit log of the organization, 100 at most.
async fn audit_events(site: &Site) -> usize {
    let path = format!("/v1/organizations/{}/audit?limit=100", site.organization);
    site.get(&path).await["data"].as_array().unwrap().len()
}

fn stop(process: Process) {
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}
