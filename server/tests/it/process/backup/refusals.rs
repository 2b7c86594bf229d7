//! What is not backed up and not restored, and what is said then.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::process::Stdio;

use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use super::{back_up, contents, copy_pepper, data, flag, latchkey, refusal, restore, succeed};
use crate::process::{Process, client, command};

/// A backup of a new server, and the folder that it is in.
async fn backup() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let process = Process::start(&folder, &client()).await;
    let file = folder.path().join("latchkey.backup");
    succeed(back_up(&folder, &file));
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
    (folder, file)
}

/// What a restore to a new folder says, which it leaves empty.
fn refused(file: &Path) -> String {
    let folder = TempDir::new().unwrap();
    let to = data(&folder);
    let output = latchkey(&["restore", file.to_str().unwrap(), &flag("data-dir", &to)]);
    assert!(!to.join("latchkey.db").exists());
    refusal(&output)
}

/// What a server says that does not start on a data folder.
fn refused_start(folder: &TempDir, arguments: &[&str]) -> String {
    let mut command = command(folder);
    command.arg("--latchkey-listen=127.0.0.1:0").args(arguments).stderr(Stdio::piped());
    refusal(&command.output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_or_changed_backup_is_refused() {
    let (folder, file) = backup().await;
    let whole = fs::read(&file).unwrap();
    let broken = folder.path().join("broken.backup");
    for length in [0, 100, 4_096, whole.len() / 2, whole.len() - 1] {
        fs::write(&broken, &whole[..length]).unwrap();
        let said = refused(&broken);
        assert!(said.contains("truncated"), "{length}: {said}");
    }
    for at in [0, 200, 5_000, whole.len() / 2, whole.len() - 1_500] {
        let mut changed = whole.clone();
        changed[at] ^= 0x40;
        fs::write(&broken, &changed).unwrap();
        let said = refused(&broken);
        assert!(said.contains("damaged"), "{at}: {said}");
    }
    let said = refused(&folder.path().join("missing.backup"));
    assert!(said.contains("missing.backup"), "{said}");
    let said = refused(folder.path());
    assert!(said.contains("is not a file"), "{said}");
}

/// A limit of the size of files stands for a full disk: each write behind it fails.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn restore_and_backup_say_where_there_is_no_room() {
    let (folder, file) = backup().await;
    let limited = |arguments: &[&str]| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""]);
        shell.arg(env!("CARGO_BIN_EXE_latchkey")).args(arguments).env_clear();
        refusal(&shell.output().unwrap())
    };
    let new = TempDir::new().unwrap();
    let to = flag("data-dir", &data(&new));
    let said = limited(&["restore", file.to_str().unwrap(), &to]);
    assert!(said.contains("can't unpack") && said.contains("(os error 27)"), "{said}");
    assert!(said.contains(&data(&new).display().to_string()), "{said}");
    let names: Vec<_> = fs::read_dir(data(&new)).unwrap().map(|one| one.unwrap()).collect();
    let names: Vec<_> = names.iter().map(fs::DirEntry::file_name).collect();
    assert_eq!(names, ["latchkey.db.lock"], "nothing is left");
    succeed(latchkey(&["restore", file.to_str().unwrap(), &to]));

    let small = folder.path().join("small.backup");
    let from = flag("latchkey-data-dir", &data(&folder));
    let said = limited(&["backup", &from, &flag("to", &small)]);
    assert!(said.contains("can't copy the database to"), "{said}");
    let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("small")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_of_a_later_schema_is_refused() {
    let (folder, _) = backup().await;
    let main = data(&folder).join("latchkey.db");
    let database = sea_orm::Database::connect(format!("sqlite://{}", main.display()));
    let database = database.await.unwrap();
    let later = "INSERT INTO seaql_migrations VALUES ('m29991231_000001_later', 0)";
    database.execute_unprepared(later).await.unwrap();
    database.close().await.unwrap();
    let file = folder.path().join("later.backup");
    succeed(back_up(&folder, &file));
    let said = refused(&file);
    assert!(said.contains("later version of Latchkey (m29991231_000001_later)"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_wants_an_empty_folder_that_nobody_uses() {
    let (folder, file) = backup().await;
    let file = file.to_str().unwrap();
    let used = TempDir::new().unwrap();
    fs::write(used.path().join("notes.txt"), "mine").unwrap();
    let said = refusal(&latchkey(&["restore", file, &flag("data-dir", used.path())]));
    assert!(said.contains("not empty"), "{said}");
    assert_eq!(fs::read_dir(used.path()).unwrap().count(), 1);

    let process = Process::start(&folder, &client()).await;
    let said = refusal(&latchkey(&["restore", file, &flag("data-dir", &data(&folder))]));
    assert!(said.contains("server is running"), "{said}");
    let to = folder.path().join("to");
    let since = flag("since", &data(&folder));
    let said = refusal(&latchkey(&["restore", file, &flag("data-dir", &to), &since]));
    assert!(said.contains("--since") && said.contains("server is running"), "{said}");
    assert!(!to.exists());
    drop(process);
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_folder_without_its_pepper_is_left_alone() {
    let (folder, file) = backup().await;
    let restored = restore(&file, &[]);
    let before = contents(&restored);
    let said = refused_start(&restored, &[]);
    assert!(said.contains("LATCHKEY_PEPPER") && said.contains("data/pepper"), "{said}");
    let retired = "--latchkey-pepper-retired=a pepper of some other database....";
    let said = refused_start(&restored, &[retired]);
    assert!(said.contains("LATCHKEY_PEPPER"), "{said}");
    assert!(contents(&restored) == before, "nothing is written");
    copy_pepper(&folder, &restored);
    let process = Process::start(&restored, &client()).await;
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn node_without_the_pepper_writes_nothing_on_postgres() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let url = format!("--database-url={}", crate::test_app::new_postgres_database().await);
    let process = Process::start_with(&first, &client(), std::slice::from_ref(&url)).await;
    let said = refused_start(&second, &[&url]);
    assert!(said.contains("LATCHKEY_PEPPER"), "{said}");
    assert!(!data(&second).exists());
    drop(process);
}

#[test]
fn backup_of_postgres_names_pg_dump() {
    let folder = TempDir::new().unwrap();
    let to = flag("to", &folder.path().join("latchkey.backup"));
    let url = "--database-url=postgres://u:sesame@127.0.0.1:1/keys";
    let said = refusal(&latchkey(&["backup", &to, url]));
    assert!(said.contains("pg_dump") && !said.contains("sesame"), "{said}");
}

#[test]
fn backup_of_a_folder_without_database_is_refused() {
    let folder = TempDir::new().unwrap();
    let said = refusal(&back_up(&folder, &folder.path().join("latchkey.backup")));
    assert!(said.contains("LATCHKEY_DATA_DIR"), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is made");
}
