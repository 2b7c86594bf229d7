//! `LATCHKEY_CONFIG` and `latchkey config check`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::backup::{flag, latchkey, stdout};
use crate::process::{Process, client, command};

/// A file of settings, for its owner alone.
fn config(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("latchkey.toml");
    fs::write(&path, text).unwrap();
    set_mode(&path, 0o600);
    path
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Checks settings, on a data folder that does not exist.
fn check(folder: &TempDir, arguments: &[&str]) -> Output {
    let data = flag("latchkey-data-dir", &folder.path().join("data"));
    let output = latchkey(&[&["config", "check", &data][..], arguments].concat());
    assert!(!folder.path().join("data").exists(), "it creates nothing");
    output
}

const GITHUB: [&str; 2] =
    ["--latchkey-github-client-id=id", "--latchkey-github-client-secret=sesame"];

#[test]
fn defaults_are_safe_and_a_missing_backup_is_a_note() {
    let folder = TempDir::new().unwrap();
    let output = check(&folder, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = stdout(&output);
    for line in [
        "LATCHKEY_LISTEN\tdefault\t127.0.0.1:3000",
        "LATCHKEY_PEPPER\tdefault\t(a file in the data folder)",
        "LATCHKEY_METRICS_LISTEN\tdefault\t(127.0.0.1:9464, unless it is in use)",
        "LATCHKEY_GITHUB_CLIENT_ID\tdefault\t(not set)",
    ] {
        assert!(said.lines().any(|one| one == line), "{line} is not in\n{said}");
    }
    assert!(said.contains("note: no backup was seen"), "{said}");
    assert!(!said.contains("unsafe:") && !said.contains("invalid:"), "{said}");
}

#[test]
fn each_setting_has_the_source_that_wins() {
    let folder = TempDir::new().unwrap();
    let text = "listen = \"127.0.0.1:4000\"\nsession_ttl = 60\naccess_token_ttl = 30\n\
                jwt_secret = \"sesame sesame sesame sesame sesame\"\nadmins = [\"ada\", \"bob\"]";
    let file = flag("latchkey-config", &config(&folder, text));
    let output = Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(["config", "check", &file, "--latchkey-session-ttl=90"])
        .env_clear()
        .env("LATCHKEY_SESSION_TTL", "80")
        .env("LATCHKEY_ACCESS_TOKEN_TTL", "70")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = stdout(&output);
    for line in [
        "LATCHKEY_LISTEN\tfile\t127.0.0.1:4000",
        "LATCHKEY_SESSION_TTL\tflag\t90",
        "LATCHKEY_ACCESS_TOKEN_TTL\tvariable\t70",
        "LATCHKEY_REFRESH_TOKEN_TTL\tdefault\t2592000",
        "LATCHKEY_ADMINS\tfile\tada,bob",
        "LATCHKEY_JWT_SECRET\tfile\t(secret)",
    ] {
        assert!(said.lines().any(|one| one == line), "{line} is not in\n{said}");
    }
    assert!(!said.contains("sesame"), "{said}");
}

#[test]
fn unsafe_settings_are_named_and_fail() {
    let folder = TempDir::new().unwrap();
    let upstream = "[[upstream]]\nname = \"vllm\"\nbase_url = \"http://127.0.0.1:1\"\n\
                    models = [\"m\"]\n";
    let path = folder.path().join("upstreams.toml");
    let upstreams = flag("latchkey-upstreams", &path);
    let secret = config(&folder, "jwt_secret = \"sesame sesame sesame sesame sesame\"");
    set_mode(&secret, 0o644);
    let secret = flag("latchkey-config", &secret);
    let https = "--latchkey-public-url=https://keys.example";
    let invited = "--latchkey-signup=invited";
    for (audience, arguments, words) in [
        ("", vec![https, upstreams.as_str()], Some("open sign-up with paid upstreams")),
        ("tiers = [\"free\"]", vec![https, upstreams.as_str()], Some("vllm")),
        ("tiers = [\"pro\"]", vec![https, upstreams.as_str()], None),
        ("", vec![https, upstreams.as_str(), invited], None),
        ("", vec!["--latchkey-public-url=http://keys.example"], Some("no TLS")),
        ("", vec!["--latchkey-listen=0.0.0.0:3000"], Some("no TLS")),
        ("", vec![https, "--latchkey-metrics-listen=0.0.0.0:9464"], Some("metrics are public")),
        ("", vec![https, "--latchkey-metrics-listen=10.0.0.1:9464"], None),
        ("", vec![https, secret.as_str()], Some("chmod 600")),
        ("", vec![https], None),
    ] {
        fs::write(&path, format!("{upstream}{audience}")).unwrap();
        let output = check(&folder, &[&GITHUB[..], arguments.as_slice()].concat());
        let said = stdout(&output);
        let code = i32::from(words.is_some());
        assert_eq!(output.status.code(), Some(code), "{audience} {arguments:?}\n{said}");
        let found = said.lines().find(|line| line.starts_with("unsafe: "));
        assert_eq!(found.is_some(), words.is_some(), "{said}");
        if let Some(words) = words {
            assert!(found.unwrap().contains(words), "{said}");
        }
        assert!(!said.contains("sesame"), "{said}");
    }
}

#[test]
fn invalid_settings_are_named_and_fail() {
    let folder = TempDir::new().unwrap();
    for (argument, words) in [
        ("--latchkey-public-url=keys.example", "LATCHKEY_PUBLIC_URL"),
        ("--latchkey-github-client-id=x", "LATCHKEY_GITHUB_CLIENT_SECRET"),
        ("--latchkey-metrics-listen=everywhere", "LATCHKEY_METRICS_LISTEN"),
        ("--latchkey-cors-origins=shop", "LATCHKEY_CORS_ORIGINS"),
        ("--latchkey-pepper=sesame", "LATCHKEY_PEPPER"),
        ("--latchkey-upstreams=/nowhere.toml", "LATCHKEY_UPSTREAMS"),
        ("--database-url=mysql://u:sesame@h/d", "DATABASE_URL"),
    ] {
        let output = check(&folder, &[argument]);
        assert_eq!(output.status.code(), Some(1), "{argument}: {output:?}");
        let said = stdout(&output);
        let found = said.lines().find(|line| line.starts_with("invalid: ")).unwrap_or_default();
        assert!(found.contains(words), "{argument}: {said}");
        assert!(!said.contains("sesame"), "{said}");
    }
}

#[test]
fn unknown_setting_in_the_file_is_refused_with_the_nearest() {
    let folder = TempDir::new().unwrap();
    let file = flag("latchkey-config", &config(&folder, "lisen = \"127.0.0.1:4000\""));
    for line in [&["serve", &file][..], &["config", "check", &file], &["migrate", &file]] {
        let output = latchkey(line);
        assert!(!output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("did you mean listen?"), "{said}");
    }
}

#[test]
fn config_check_prints_json() {
    let folder = TempDir::new().unwrap();
    let output = check(&folder, &["--json", "--latchkey-public-url=http://keys.example"]);
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(body["unsafe"].as_array().unwrap().len(), 1, "{body}");
    let settings = body["settings"].as_array().unwrap();
    let found = settings.iter().find(|one| one["name"] == "LATCHKEY_PUBLIC_URL").unwrap();
    assert_eq!(found["source"], "flag");
    assert_eq!(found["value"], "http://keys.example");
}

#[test]
fn closed_pipe_changes_only_what_was_read() {
    let folder = TempDir::new().unwrap();
    for (url, code) in [("https://keys.example", 0), ("http://keys.example", 1)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        command.args(["config", "check", &format!("--latchkey-public-url={url}")]).args(GITHUB);
        command.arg(flag("latchkey-data-dir", folder.path())).env_clear();
        command.stdout(writer).stderr(Stdio::piped());
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(!said.contains("pipe"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_takes_its_settings_from_the_file() {
    let folder = TempDir::new().unwrap();
    let file = config(&folder, "security_contact = \"security@example.com\"");
    let mut server = command(&folder);
    server.env("LATCHKEY_CONFIG", &file);
    let process = Process::start_command(server, &folder, &client()).await;
    let path = format!("{}/.well-known/security.txt", process.base);
    let page = client().get(path).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("security@example.com"), "{page}");
    let data = flag("latchkey-data-dir", &folder.path().join("data"));
    let backup = flag("to", &folder.path().join("latchkey.backup"));
    assert!(latchkey(&["backup", &data, &backup]).status.success());
    let said = stdout(&latchkey(&["config", "check", &data]));
    assert!(!said.contains("no backup was seen"), "{said}");
    drop(process);
}
