//! Litestream beside a running server, as `docs/operating/backup-and-restore.md` sets it up.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{check, create_verifier, named_program, stop};
use crate::process::backup::{Site, flag, latchkey, stdout, succeed};
use crate::process::{Process, client};

const FILES: [&str; 2] = ["latchkey.db", "latchkey-telemetry.db"];

/// The configuration on the page, for these folders.
fn configuration(data: &Path, replicas: &Path) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating/backup-and-restore.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, text) = page.split_once("```yaml\n").unwrap();
    let (text, _) = text.split_once("```").unwrap();
    let text = text.replace("/var/lib/latchkey", data.to_str().unwrap());
    text.replace("/backup/litestream", replicas.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Litestream: make test-upgrade"]
async fn litestream_restores_a_killed_server() {
    let (folder, restored) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let process = Process::start(&folder, &client()).await;
    let site = Site::unlimited(&process).await;
    let (data, file) = (folder.path().join("data"), folder.path().join("litestream.yml"));
    fs::write(&file, configuration(&data, &folder.path().join("replicas"))).unwrap();
    let program = named_program("LATCHKEY_LITESTREAM");
    let log = fs::File::create(folder.path().join("litestream.log")).unwrap();
    let mut replicating = Command::new(&program)
        .args(["replicate", "-config"])
        .arg(&file)
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let verifier = create_verifier(&site).await;
    let (used, _) = site.create("used").await;
    assert_eq!(site.status(&used).await, 200);
    let (revoked, id) = site.create("revoked").await;
    let (lost, lost_id) = site.create("revoked after the copy").await;
    site.revoke(&id).await;
    process.signal("-KILL");
    assert_eq!(process.wait(), None);
    // It copies what is left before it ends.
    let pid = replicating.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(replicating.wait().unwrap().success());

    let to = restored.path().join("data");
    fs::create_dir(&to).unwrap();
    for name in FILES {
        let mut restore = Command::new(&program);
        restore.args(["restore", "-config"]).arg(&file).arg("-o").arg(to.join(name));
        succeed(restore.arg(data.join(name)).output().unwrap());
    }
    fs::copy(data.join("pepper"), to.join("pepper")).unwrap();
    let process = Process::start(&restored, &client()).await;
    let site = Site::on(&process).await;
    assert_eq!(check(&site, &verifier, &used, 0).await, "valid");
    assert_eq!(check(&site, &verifier, &revoked, 0).await, "revoked_key");
    assert_eq!(check(&site, &verifier, &lost, 0).await, "valid");
    stop(process);
    succeed(latchkey(&["audit", "verify", &flag("latchkey-data-dir", &to)]));

    // What was revoked after the last copy ends again by way of a backup of the copy.
    let process = Process::start(&folder, &client()).await;
    Site::on(&process).await.revoke(&lost_id).await;
    stop(process);
    let backup = restored.path().join("copy.backup");
    succeed(latchkey(&["backup", &flag("latchkey-data-dir", &to), &flag("to", &backup)]));
    let new = flag("data-dir", &restored.path().join("new"));
    let said = latchkey(&["restore", backup.to_str().unwrap(), &new, &flag("since", &data)]);
    let said = stdout(&succeed(said));
    assert!(said.contains(&lost_id) && said.contains("1 keys ended again"), "{said}");
}
