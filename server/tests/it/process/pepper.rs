//! `latchkey pepper`, and the settings that replace secrets, as `docs/operating/secrets.md` says.

use std::fs;
use std::process::Output;

use tempfile::TempDir;

use super::backup::{Site, latchkey, refusal, stdout};
use super::{Process, client};

const NEW: &str = "--latchkey-pepper=a new pepper of enough bytes....";

/// Runs `latchkey pepper` on the folder of a server.
fn pepper(folder: &TempDir, arguments: &[&str]) -> Output {
    let data = format!("--latchkey-data-dir={}", folder.path().join("data").display());
    latchkey(&[&["pepper"][..], arguments, &[data.as_str()]].concat())
}

fn status(folder: &TempDir, arguments: &[&str]) -> String {
    stdout(&pepper(folder, &[&["status"][..], arguments].concat())).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn pepper_is_replaced_while_keys_go_on() {
    let folder = TempDir::new().unwrap();
    let process = Process::start(&folder, &client()).await;
    let site = Site::on(&process).await;
    let (used, _) = site.create("used").await;
    let (unused, _) = site.create("unused").await;
    assert_eq!(status(&folder, &[]), r#"{"current":2,"retired":0}"#);
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
    let before = fs::read_to_string(folder.path().join("data").join("pepper")).unwrap();
    let retired = format!("--latchkey-pepper-retired={}", before.trim());
    let both = [NEW.to_owned(), retired.clone()];
    let process = Process::start_with(&folder, &client(), &both).await;
    let site = Site::on(&process).await;
    assert_eq!(site.status(&used).await, 200);
    let began = status(&folder, &[NEW, &retired]);
    assert!(began.contains(r#""retired":"#), "{began}");
    let left = pepper(&folder, &["drop-retired", NEW, &retired]);
    assert!(refusal(&left).contains("--force"));
    assert_eq!(site.status(&unused).await, 200);
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
    assert_eq!(status(&folder, &[NEW, &retired]), r#"{"current":2,"retired":0}"#);
    let dropped = pepper(&folder, &["drop-retired", "--force", NEW, &retired]);
    assert!(stdout(&dropped).starts_with("0 keys revoked"), "{dropped:?}");
    let process = Process::start_with(&folder, &client(), &both[..1]).await;
    let site = Site::on(&process).await;
    for secret in [&used, &unused] {
        assert_eq!(site.status(secret).await, 200);
    }
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}
