//! `latchkey restore --since`: no key that has ended comes back.

use std::collections::BTreeMap;
use std::fs;

use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::json;
use tempfile::TempDir;

use super::{Site, back_up, contents, copy_pepper, data, flag, latchkey, stdout, succeed};
use crate::process::{Process, client};
use crate::test_app::text;

/// Keys that end after the backup, each in its way, and one that does not: secret and ID by name.
async fn keys(site: &Site) -> BTreeMap<&'static str, (String, String)> {
    let mut keys = BTreeMap::new();
    for name in ["revoked", "deleted", "disabled", "rotated", "left"] {
        keys.insert(name, site.create(name).await);
    }
    keys
}

/// What happens to the keys after the backup. A server is killed, so that some of it is in the
/// write-ahead log alone.
async fn end_keys(folder: &TempDir, keys: &BTreeMap<&'static str, (String, String)>) {
    let process = Process::start(folder, &client()).await;
    let site = Site::on(&process).await;
    let path = |name: &str| format!("/v1/keys/{}", keys[name].1);
    site.revoke(&keys["revoked"].1).await;
    let disabled = site.send(Method::PATCH, &path("disabled"), &json!({ "disabled": true })).await;
    assert_eq!(disabled.status(), 200);
    let rotate = format!("{}/rotate", path("rotated"));
    let rotated = site.send(Method::POST, &rotate, &json!({ "grace_seconds": 0 })).await;
    assert!(rotated.status().is_success());
    let main = data(folder).join("latchkey.db");
    let database = sea_orm::Database::connect(format!("sqlite://{}", main.display()));
    let database = database.await.unwrap();
    let delete = "DELETE FROM keys WHERE name = 'deleted'";
    assert_eq!(database.execute_unprepared(delete).await.unwrap().rows_affected(), 1);
    // Not the last connection, whose end would empty the log.
    database.close().await.unwrap();
    process.signal("-KILL");
    assert_eq!(process.wait(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_ended_after_the_backup_end_again() {
    let (old, new) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let process = Process::start(&old, &client()).await;
    let keys = keys(&Site::unlimited(&process).await).await;
    let file = old.path().join("latchkey.backup");
    succeed(back_up(&old, &file));
    process.signal("-KILL");
    assert_eq!(process.wait(), None);
    end_keys(&old, &keys).await;

    let before = contents(&old);
    let (to, since) = (flag("data-dir", &data(&new)), flag("since", &data(&old)));
    let said = succeed(latchkey(&["restore", file.to_str().unwrap(), &to, &since]));
    let said = stdout(&said);
    assert!(contents(&old) == before, "the old folder is only read");
    for (name, words) in [
        ("revoked", "revoked: revoked again"),
        ("deleted", "deleted: revoked"),
        ("disabled", "disabled: disabled again"),
        ("rotated", "rotated: disabled"),
    ] {
        let line = format!("{}\t{words}\t{name}\t", keys[name].1);
        assert!(said.contains(&line), "{line} is not in {said}");
    }
    assert!(said.contains("4 keys ended again") && !said.contains(&keys["left"].1), "{said}");

    copy_pepper(&old, &new);
    let process = Process::start(&new, &client()).await;
    let site = Site::on(&process).await;
    for (name, (secret, _)) in &keys {
        let status = site.status(secret).await;
        assert_eq!(status == 200, *name == "left", "{name}: {status}");
    }
    let path = format!("/v1/organizations/{}/audit?limit=4", site.organization);
    let events = site.get(&path).await;
    for event in events["data"].as_array().unwrap() {
        assert_eq!(event["actor"]["kind"], "system", "{event}");
        assert_eq!(event["actor"]["name"], "latchkey restore");
        let action = text(&event["action"]);
        assert!(action == "key.revoked" || action == "key.disabled", "{action}");
    }
    succeed(latchkey(&["audit", "verify", &flag("latchkey-data-dir", &data(&new))]));
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_without_since_says_what_comes_back() {
    let (old, new) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let process = Process::start(&old, &client()).await;
    let file = old.path().join("latchkey.backup");
    succeed(back_up(&old, &file));
    drop(process);
    let to = flag("data-dir", &data(&new));
    let said = stdout(&succeed(latchkey(&["restore", file.to_str().unwrap(), &to])));
    assert!(said.contains("--since OLD_DIR") && said.contains("pepper"), "{said}");
    let names: Vec<_> = fs::read_dir(data(&new)).unwrap().map(|one| one.unwrap()).collect();
    let names: Vec<_> = names.iter().map(fs::DirEntry::file_name).collect();
    assert!(!names.iter().any(|name| name == "pepper"), "{names:?}");
    assert!(!names.iter().any(|name| name == "restore-in-progress"), "{names:?}");
}
