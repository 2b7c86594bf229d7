//! Tables on a terminal, colors, and readers that close the pipe.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::json;

use super::latchkey;
use crate::test_app::{Backend, Session, TestApp, text};

/// Runs a command on a terminal of so many columns; its exit code and what the terminal got.
async fn on_terminal(mut command: Command, columns: u16) -> (Option<i32>, String) {
    let running = tokio::task::spawn_blocking(move || {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let open = || rustix::fs::open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
        command.stdin(Stdio::null()).stdout(open().unwrap()).stderr(open().unwrap());
        let mut child = command.spawn().unwrap();
        // Only the child holds its end now, so that the end of the child is the end of the text.
        drop(command);
        let mut shown = Vec::new();
        let mut terminal = File::from(terminal);
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = terminal.read(&mut bytes) {
            shown.extend_from_slice(&bytes[..count]);
        }
        (child.wait().unwrap().code(), String::from_utf8(shown).unwrap().replace("\r\n", "\n"))
    });
    running.await.unwrap()
}

async fn app_with_a_key() -> (TestApp, Session, String) {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let name = "a name that is so long that a table has to cut it somewhere";
    let created = app.create(&who, &json!({ "name": name })).await;
    let id = text(&created["api_key"]["id"]);
    (app, who, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn table_fits_the_terminal() {
    let (app, who, id) = app_with_a_key().await;
    for columns in [40, 80, 120, 250] {
        let mut command = latchkey(&app.base, &who.jwt);
        command.args(["keys", "list", "--project", &who.project]);
        let (code, shown) = on_terminal(command, columns).await;
        assert_eq!(code, Some(0), "{shown}");
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 2, "{shown}");
        assert!(lines[0].starts_with("ID "), "{shown}");
        assert!(lines[1].starts_with(&id), "IDs are whole: {shown}");
        for line in &lines {
            assert!(line.chars().count() <= usize::from(columns), "{columns}: {line}");
        }
        assert_eq!(shown.contains('…'), columns < 250, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn color_is_on_terminals_without_no_color() {
    let (app, who, _) = app_with_a_key().await;
    for (variable, value, expected) in
        [("TERM", "xterm-256color", true), ("NO_COLOR", "1", false), ("TERM", "dumb", false)]
    {
        let mut command = latchkey(&app.base, &who.jwt);
        command.env("TERM", "xterm-256color").env(variable, value);
        command.args(["keys", "list", "--project", &who.project]);
        let (_, shown) = on_terminal(command, 120).await;
        assert_eq!(shown.contains('\u{1b}'), expected, "{variable}={value}: {shown:?}");
    }
    let mut command = latchkey(&app.base, &who.jwt);
    command.env("TERM", "xterm-256color").args(["keys", "list", "--project", &who.project]);
    let piped = super::finish(command, "").await;
    assert!(!piped.stdout.contains('\u{1b}'), "{piped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_has_a_sparkline_on_a_terminal() {
    let (app, who, id) = app_with_a_key().await;
    let mut command = latchkey(&app.base, &who.jwt);
    command.args(["keys", "usage", &id]);
    let (code, shown) = on_terminal(command, 80).await;
    assert_eq!(code, Some(0), "{shown}");
    let line = shown.lines().find(|line| line.starts_with("activity ")).unwrap();
    assert_eq!(line.matches('▁').count(), 48, "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_pipe_ends_a_list_in_silence() {
    let (app, who, _) = app_with_a_key().await;
    let mut command = latchkey(&app.base, &who.jwt);
    command.args(["keys", "list", "--project", &who.project]);
    assert_eq!(without_a_reader(command).await, (Some(0), String::new()));
    let mut command = latchkey(&app.base, &who.jwt);
    command.args(["completions", "bash"]);
    let (code, stderr) = without_a_reader(command).await;
    assert!(!stderr.contains("panicked"), "{code:?}: {stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_disabled_though_nobody_reads() {
    let (app, who, id) = app_with_a_key().await;
    let other = text(&app.create(&who, &json!({"name": "b"})).await["api_key"]["id"]);
    let mut command = latchkey(&app.base, &who.jwt);
    command.args(["keys", "disable", &id, &other, "--json"]);
    let (code, stderr) = without_a_reader(command).await;
    assert_eq!(code, Some(0), "{stderr}");
    for id in [id, other] {
        assert_eq!(app.json(&format!("/v1/keys/{id}"), &who.jwt).await["status"], "disabled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_though_nobody_reads() {
    let (app, who, _) = app_with_a_key().await;
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.ndjson");
    std::fs::write(&rows, "no row\n").unwrap();
    let import = ["import", rows.to_str().unwrap(), "--project", &who.project];
    let check = ["check", "lk_live_0"];
    let jwt = who.jwt.as_str();
    for (token, arguments, code) in
        [(jwt, &import[..], 1), (jwt, &check[..], 4), ("", &check[..], 4)]
    {
        let mut command = latchkey(&app.base, token);
        command.args(arguments);
        let (exit, stderr) = without_a_reader(command).await;
        assert_eq!(exit, Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{arguments:?}: {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secret_that_nobody_reads_is_told() {
    let (app, who, id) = app_with_a_key().await;
    let mut command = latchkey(&app.base, &who.jwt);
    command.args(["keys", "rotate", &id]);
    let (code, stderr) = without_a_reader(command).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(&format!("latchkey keys rotate {id}")), "{stderr}");
}

/// Runs a command whose standard output nobody reads; its exit code and its standard error.
async fn without_a_reader(mut command: Command) -> (Option<i32>, String) {
    let running = tokio::task::spawn_blocking(move || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    });
    running.await.unwrap()
}
