//! One SQLite file, and several processes that would use it.

use std::process::Command;

use tempfile::TempDir;

use super::programs::refusal;
use crate::process::{Process, client, sign_in};

#[tokio::test(flavor = "multi_thread")]
async fn second_server_on_one_sqlite_file_fails_but_commands_work() {
    let (folder, client) = (TempDir::new().unwrap(), client());
    let server = Process::start(&folder, &client).await;
    let (jwt, application) = sign_in(&client, &server.base).await;
    let path = format!("{}/apikey?ApplicationId={application}", server.base);
    assert!(client.post(path).bearer_auth(&jwt).send().await.unwrap().status().is_success());

    let said = refusal(&folder, &[]);
    for words in ["another latchkey server already uses", "latchkey.db", "Stop it", "DATABASE_URL"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }

    let data = format!("--latchkey-data-dir={}", folder.path().join("data").display());
    let mut verify = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    let verified = verify.args(["audit", "verify", &data]).env_clear().output().unwrap();
    assert!(verified.status.success(), "{verified:?}");

    // The first goes on.
    let ready = client.get(format!("{}/readyz", server.base)).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
}
