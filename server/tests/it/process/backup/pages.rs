//! The commands of `docs/operating`, as they are written there.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::{Site, data, flag, latchkey, stdout, succeed};
use crate::process::{Process, client, command};
use crate::test_app::{LOCAL_CODE, new_postgres_database};

fn page(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating");
    fs::read_to_string(Path::new(folder).join(name)).unwrap()
}

/// The lines of a page that are indented as code.
fn commands(name: &str) -> Vec<String> {
    page(name).lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
}

fn is_of_postgres(line: &str) -> bool {
    line.starts_with("pg_") || line.starts_with("psql ")
}

/// Runs a line in a folder, where the binary is on the path.
fn run(line: &str, folder: &TempDir, variables: &[(&str, &str)]) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_latchkey")).parent().unwrap().display();
    let safe = folder.path().join("safe").display().to_string();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(line.replace("/media/safe", &safe)).current_dir(folder.path());
    shell.env_clear().env("PATH", format!("{binary}:/usr/local/bin:/usr/bin:/bin"));
    shell.envs(variables.iter().copied()).output().unwrap()
}

/// Starts the server as a line says.
async fn serve(line: &str, folder: &TempDir) -> Process {
    let mut server = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    server.args(line.split(' ').skip(1)).arg(format!("--latchkey-local-code={LOCAL_CODE}"));
    server.env_clear().current_dir(folder.path());
    Process::start_command(server, folder, &client()).await
}

fn stop(process: Process) {
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_page_restores_yesterday() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("safe")).unwrap();
    let mut running = Some(Process::start(&folder, &client()).await);
    let site = Site::unlimited(running.as_ref().unwrap()).await;
    let (secret, _) = site.create("a key").await;
    let mut ran = 0;
    for line in commands("backup-and-restore.md") {
        if is_of_postgres(&line) || line.contains("$(date") {
            continue;
        }
        ran += 1;
        if line.starts_with("latchkey restore")
            && let Some(process) = running.take()
        {
            stop(process);
        }
        if line.starts_with("latchkey serve") {
            let process = serve(&line, &folder).await;
            let site = Site::on(&process).await;
            assert_eq!(site.status(&secret).await, 200);
            stop(process);
            continue;
        }
        if line.contains("--since") {
            fs::remove_dir_all(folder.path().join("new-data")).unwrap();
        }
        succeed(run(&line, &folder, &[]));
    }
    assert_eq!(ran, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_page_restores_postgres() {
    let folder = TempDir::new().unwrap();
    let (old, new) = (new_postgres_database().await, new_postgres_database().await);
    let start = async |url: &str| {
        let mut server = command(&folder);
        server.arg(format!("--database-url={url}"));
        Process::start_command(server, &folder, &client()).await
    };
    let process = start(&old).await;
    let site = Site::unlimited(&process).await;
    let (secret, _) = site.create("a key").await;
    let (revoked, id) = site.create("revoked since").await;
    fs::write(folder.path().join("end-later.sql"), page("end-later.sql")).unwrap();
    let variables = [("DATABASE_URL", old.as_str()), ("NEW_DATABASE_URL", new.as_str())];
    let lines = commands("backup-and-restore.md");
    let lines: Vec<_> = lines.iter().filter(|line| is_of_postgres(line)).collect();
    assert_eq!(lines.len(), 4);
    for line in lines {
        let said = succeed(run(line, &folder, &variables));
        if line.starts_with("pg_dump") {
            site.revoke(&id).await;
        }
        if line.contains("end-later.sql") {
            assert!(stdout(&said).contains("revoked: revoked again"), "{said:?}");
        }
    }
    stop(process);
    let process = start(&new).await;
    let site = Site::on(&process).await;
    assert_eq!(site.status(&secret).await, 200);
    assert_eq!(site.status(&revoked).await, 401);
    stop(process);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn configuration_page_runs_as_written() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let process = Process::start(&folder, &client()).await;
    let site = Site::on(&process).await;
    let text = page("configuration.md");
    let (_, file) = text.split_once("```toml\n").unwrap();
    let (file, _) = file.split_once("```").unwrap();
    let path = folder.path().join("latchkey.toml");
    fs::write(&path, file).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let said = succeed(latchkey(&["config", "check", &flag("latchkey-config", &path)]));
    assert!(stdout(&said).contains("LATCHKEY_ADMINS\tfile\tada,id:583231"), "{said:?}");
    for line in commands("configuration.md") {
        if line.ends_with("latchkey serve") {
            continue;
        }
        let line = line.replace("org_01h455vb4pex5vsknk084sn02q", &site.organization);
        succeed(run(&line, &folder, &[]));
    }
    stop(process);
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrading_page_runs_as_written() {
    let folder = TempDir::new().unwrap();
    let process = Process::start(&folder, &client()).await;
    let owner = new_postgres_database().await;
    let lines = commands("upgrading.md");
    assert_eq!(lines.len(), 2);
    for line in lines {
        succeed(run(&line, &folder, &[("OWNER_URL", owner.as_str())]));
    }
    assert!(data(&folder).join("last-backup").exists());
    stop(process);
}
