//! `--json` of the operator's commands, as `docs/operating/README.md` lists its fields.

use std::fs;
use std::path::Path;

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::backup::{Site, flag, latchkey};
use super::{Process, client};
use crate::test_app::text;

/// The lines that a command prints with `--json`.
fn lines(arguments: &[&str], code: i32) -> Vec<Value> {
    let output = latchkey(&[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The only line.
fn line(arguments: &[&str]) -> Value {
    let [line] = <[Value; 1]>::try_from(lines(arguments, 0)).unwrap();
    line
}

fn names(body: &Value) -> Vec<&str> {
    body.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn page_lists_the_fields_of_every_command() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating/README.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("\n## JSON\n").unwrap();
    for name in [
        "backup",
        "restore",
        "migrate",
        "tier set",
        "audit verify",
        "pepper status",
        "pepper drop-retired",
        "config check",
    ] {
        assert!(section.contains(&format!("\n| `{name}` | `")), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_beside_a_server_print_json() {
    let folder = TempDir::new().unwrap();
    let process = Process::start(&folder, &client()).await;
    let site = Site::on(&process).await;
    site.create("a key").await;
    let data = flag("latchkey-data-dir", &folder.path().join("data"));
    assert_eq!(line(&["migrate", &data]), json!({ "migrations": [] }));
    let set = line(&["tier", "set", &site.organization, "team", &data]);
    assert_eq!(names(&set), ["after", "before", "name", "organization_id"]);
    assert_eq!(set["organization_id"], site.organization);
    assert_eq!((&set["before"], &set["after"]), (&json!("free"), &json!("team")));
    assert_eq!(line(&["pepper", "status", &data]), json!({ "current": 1, "retired": 0 }));
    assert_eq!(line(&["pepper", "drop-retired", &data]), json!({ "revoked": 0 }));
    let verified = line(&["audit", "verify", &data]);
    assert_eq!(names(&verified), ["events", "logs", "modified_logs"]);
    assert_eq!((&verified["logs"], &verified["modified_logs"]), (&json!(1), &json!(0)));
    drop(process);
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_and_restore_print_json() {
    let (old, new) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let process = Process::start(&old, &client()).await;
    let site = Site::on(&process).await;
    let (_, id) = site.create("a key").await;
    let file = old.path().join("latchkey.backup");
    let from = flag("latchkey-data-dir", &old.path().join("data"));
    let made = line(&["backup", &from, &flag("to", &file)]);
    assert_eq!(names(&made), ["created_at", "file", "parts", "version"]);
    assert_eq!(made["file"], file.display().to_string());
    let parts = made["parts"].as_array().unwrap();
    let part_names: Vec<_> = parts.iter().map(|part| text(&part["name"])).collect();
    assert_eq!(part_names, ["latchkey.db", "latchkey-telemetry.db"]);
    assert!(parts.iter().all(|part| part["bytes"].as_u64().unwrap() > 0), "{made}");

    let disable = json!({ "disabled": true });
    let disabled = site.send(reqwest::Method::PATCH, &format!("/v1/keys/{id}"), &disable).await;
    assert_eq!(disabled.status(), 200);
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
    let file = file.to_str().unwrap();
    let restore = |to: &Path, more: &[&str]| {
        line(&[&["restore", file, &flag("data-dir", to)][..], more].concat())
    };
    let to = new.path().join("alone");
    let expected = json!({
        "data_dir": to, "created_at": made["created_at"], "ended": null, "audited": null,
    });
    assert_eq!(restore(&to, &[]), expected);
    let to = new.path().join("since");
    let restored = restore(&to, &[&flag("since", &old.path().join("data"))]);
    assert_eq!(restored["audited"], true);
    let ended = json!([{
        "key_id": id, "name": "a key", "organization_id": site.organization, "change": "disabled",
    }]);
    assert_eq!(restored["ended"], ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_verify_prints_each_finding_and_totals() {
    let folder = TempDir::new().unwrap();
    let process = Process::start(&folder, &client()).await;
    let site = Site::unlimited(&process).await;
    for name in ["k1", "k2", "k3"] {
        site.create(name).await;
    }
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
    let main = folder.path().join("data/latchkey.db");
    let database = sea_orm::Database::connect(format!("sqlite://{}", main.display()));
    let database = database.await.unwrap();
    for change in [
        "UPDATE audit_events SET at = at + 1 WHERE target_name = 'k1'",
        "DELETE FROM audit_events WHERE target_name = 'k2'",
    ] {
        database.execute_unprepared(change).await.unwrap();
    }
    database.close().await.unwrap();
    let data = flag("latchkey-data-dir", &folder.path().join("data"));
    let lines = lines(&["audit", "verify", &data], 1);
    let (totals, findings) = lines.split_last().unwrap();
    assert_eq!((&totals["logs"], &totals["modified_logs"]), (&json!(1), &json!(1)));
    let kinds: Vec<_> = findings.iter().map(|finding| text(&finding["finding"])).collect();
    assert_eq!(kinds, ["event_modified", "events_removed"]);
    for finding in findings {
        assert_eq!(finding["organization_id"], site.organization);
        assert_eq!(finding["first"], finding["last"]);
    }
    assert!(text(&findings[0]["event_id"]).starts_with("evt_"), "{findings:?}");
}
