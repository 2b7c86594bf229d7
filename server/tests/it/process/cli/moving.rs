//! `latchkey import` and `latchkey export`.

use std::fs;

use serde_json::Value;

use super::{finish, latchkey};
use crate::test_app::{Backend, TestApp};

const ROWS: &str = r#"{"name":"a","stored":"acme_0123456789abcdefghij","scheme":"plaintext"}
{"name":"b","stored":"acme_zyxwvutsrqponmlkjihg","scheme":"plaintext"}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_imported_checked_and_exported() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.pro("ada").await;
    let import = |more: &[&str]| {
        let mut command = latchkey(&app.base, &who.jwt);
        command.args(["import", "-", "--project", &who.project]).args(more);
        command
    };
    let dry = finish(import(&["--dry-run"]), ROWS).await;
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert!(dry.stderr.contains("Nothing was imported"), "{dry:?}");
    assert_eq!(dry.cells(), [["1", ""], ["2", ""]]);
    let imported = finish(import(&[]), ROWS).await;
    assert_eq!(imported.code, Some(0), "{imported:?}");
    assert_eq!(imported.stderr, "Imported 2 keys.\n");
    assert!(imported.cells().iter().all(|row| row[1].starts_with("key_")), "{imported:?}");
    let mut check = latchkey(&app.base, "");
    check.args(["check", "-"]);
    assert_eq!(finish(check, "acme_0123456789abcdefghij").await.stdout, "valid\n");
    let again = finish(import(&["--json"]), ROWS).await;
    assert_eq!(again.code, Some(1), "{again:?}");
    let problem: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(problem["code"], "invalid");
    let export = app.done(&who, &["export", "--project", &who.project]).await;
    let lines: Vec<Value> =
        export.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert!(!export.stdout.contains("acme_0123456789"), "{export:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_are_listed_and_nothing_is_imported() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.csv");
    fs::write(&file, "name,stored,scheme\na,not-hex,sha256-hex\nb,acme_1,no-such-scheme\n")
        .unwrap();
    let import = ["import", file.to_str().unwrap(), "--project", &who.project];
    let refused = app.latchkey(&who, &import).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.error().starts_with("Nothing was imported"), "{refused:?}");
    assert!(refused.cells().iter().all(|row| row[0].starts_with("rows[")), "{refused:?}");
    let list = app.done(&who, &["keys", "list", "--project", &who.project]).await;
    assert_eq!(list.stdout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn import_says_which_file_it_cannot_read() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("keys.txt");
    fs::write(&odd, ROWS).unwrap();
    let (odd, missing) = (odd.display().to_string(), folder.path().join("none.csv"));
    let missing = missing.display().to_string();
    for (file, code, told) in [(odd.as_str(), 2, "--format"), (missing.as_str(), 1, "none.csv")] {
        let refused = app.latchkey(&who, &["import", file, "--project", &who.project]).await;
        assert_eq!(refused.code, Some(code), "{refused:?}");
        assert!(refused.error().contains(told), "{refused:?}");
    }
    let format = ["import", &odd, "--format=ndjson", "--dry-run", "--project", &who.project];
    assert_eq!(app.latchkey(&who, &format).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn import_names_the_flag_that_is_missing() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let row = r#"{"name":"a","stored":"00"}"#;
    for (more, flag) in [(None, "--scheme"), (Some("--scheme=hmac-sha256-hex"), "--secret-file")] {
        let mut command = latchkey(&app.base, &who.jwt);
        command.args(["import", "-", "--project", &who.project]).args(more);
        let refused = finish(command, row).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stdout.contains(flag) && refused.error().contains(flag), "{refused:?}");
    }
}
