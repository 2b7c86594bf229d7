//! `latchkey restore`: a data folder from a backup.
//!
//! Everything is made in a folder of its own within the new data folder, migrations included, and
//! moved to its place at the end. The folder is locked meanwhile, as by a server.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use latchkey_domain::time::Timestamp;
use latchkey_services::clock::Clock;
use latchkey_services::operator::{self, EndedKey, LaterChange, Operator};
use latchkey_services::{Database, Pepper, SqliteFiles, StartError, later_migration};
use serde_json::json;

use crate::backup::archive::{self, BackupManifest, MAIN};
use crate::backup::{show_progress, sync_folder};
use crate::cli::RestoreArguments;
use crate::config::{self, SqliteLock, private_files};
use crate::system::{SystemClock, SystemRandom};

/// Folder within the data folder in which it is made.
const DRAFT: &str = "restore-in-progress";

/// Makes the data folder.
///
/// # Errors
/// The backup is truncated, damaged or of a later version, the folder is not empty or is used by a
/// server, or reading or writing fails. The data folder stays empty then.
pub async fn run(arguments: RestoreArguments) -> anyhow::Result<()> {
    private_files::keep_new_files_private();
    let done = restore(arguments).await;
    show_progress("");
    done
}

async fn restore(arguments: RestoreArguments) -> anyhow::Result<()> {
    let RestoreArguments { json, file, data_dir, since, pepper } = arguments;
    let main = data_dir.join(MAIN);
    refuse_used_folder(&data_dir, &main)?;
    let old = since.as_deref().map(old_files).transpose()?;
    show_progress("Checking the backup");
    let manifest = blocking({
        let file = file.clone();
        move || check(&file)
    })
    .await?;
    let url = format!("sqlite://{}", main.display());
    private_files::prepare(&data_dir, &url)?;
    let lock = SqliteLock::on(&url).await?;
    let draft = RestoreDraft::within(&data_dir)?;
    show_progress("Unpacking the backup");
    blocking({
        let (file, folder, manifest) = (file.clone(), draft.folder.clone(), manifest.clone());
        move || archive::unpack(&file, &folder, &manifest)
    })
    .await
    .with_context(|| format!("can't unpack {} to {}", file.display(), data_dir.display()))?;
    show_progress("Preparing the database");
    let pepper = match &since {
        Some(old) => config::pepper_if_any(pepper.as_deref(), &old.join("pepper"))?,
        None => None,
    };
    let ended = prepare(&draft.folder, old.as_ref(), pepper).await?;
    draft.move_to(&data_dir).with_context(|| format!("can't write to {}", data_dir.display()))?;
    drop(lock);
    show_progress("");
    let report = if json { report_json } else { report };
    report(&data_dir, manifest.created_at, ended.as_ref())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

/// Refuses a folder that has anything in it but a lock that nobody holds.
fn refuse_used_folder(folder: &Path, main: &Path) -> anyhow::Result<()> {
    if config::is_in_use(main) {
        bail!(
            "a latchkey server is running on {}; stop it, and restore to an empty folder",
            folder.display()
        );
    }
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("can't read {}", folder.display()));
        }
    };
    let lock = main.with_added_extension("lock");
    for entry in entries {
        let path = entry?.path();
        if path.ends_with(DRAFT) {
            bail!(
                "a restore to {} was interrupted; delete {} and try again",
                folder.display(),
                path.display()
            );
        }
        if path != lock {
            bail!("{} is not empty; restore to an empty folder", folder.display());
        }
    }
    Ok(())
}

/// The files of the database that was used after the backup.
fn old_files(folder: &Path) -> anyhow::Result<SqliteFiles> {
    let files = SqliteFiles::beside(folder.join(MAIN));
    if !files.main.exists() {
        bail!("--since: there is no database at {}", files.main.display());
    }
    if config::is_in_use(&files.main) {
        bail!("--since: a latchkey server is running on {}; stop it first", folder.display());
    }
    Ok(files)
}

/// Refuses a backup that can't be restored before anything is written.
fn check(file: &Path) -> anyhow::Result<BackupManifest> {
    archive::verify(file)?;
    let manifest = archive::read_manifest(file)
        .with_context(|| format!("can't restore {}", file.display()))?;
    if let Some(later) = later_migration(&manifest.migrations) {
        bail!(
            "{} has the schema of a later version of Latchkey ({later}); restore it with version \
             {} or a later one",
            file.display(),
            manifest.version
        );
    }
    Ok(manifest)
}

/// What `--since` came to.
struct Since {
    ended: Vec<EndedKey>,
    is_audited: bool,
}

/// Migrates the unpacked database, and ends what had ended in the old one.
async fn prepare(
    draft: &Path,
    old: Option<&SqliteFiles>,
    pepper: Option<Pepper>,
) -> anyhow::Result<Option<Since>> {
    let database = open(&draft.join(MAIN)).await.context("can't migrate the backup")?;
    let since = match old {
        Some(old) => Some(end_since(&database, draft, old, pepper).await?),
        None => None,
    };
    database.close().await?;
    Ok(since)
}

async fn open(main: &Path) -> anyhow::Result<Database> {
    Ok(Database::open(&format!("sqlite://{}", main.display())).await?)
}

async fn end_since(
    database: &Database,
    draft: &Path,
    old: &SqliteFiles,
    pepper: Option<Pepper>,
) -> anyhow::Result<Since> {
    let folder = draft.join("since");
    std::fs::create_dir(&folder)?;
    let copy = copy_unopened(&old.main, &folder).context("--since: can't copy the database")?;
    let later = open(&copy).await.context("--since: can't read the database")?;
    let clock = Arc::new(SystemClock::start());
    let now = clock.now();
    let operator = match pepper {
        Some(pepper) => {
            let random = Arc::new(SystemRandom);
            let command = "latchkey restore";
            match Operator::new(database.clone(), pepper, clock, random, command).await {
                Ok(operator) => Some(operator),
                Err(StartError::OtherPepper(_)) => None,
                Err(error) => return Err(error.into()),
            }
        }
        None => None,
    };
    let ended = operator::end_since(database, &later, operator.as_ref(), now).await?;
    later.close().await?;
    std::fs::remove_dir_all(&folder)?;
    Ok(Since { ended, is_audited: operator.is_some() })
}

/// Copies a database that no server uses, with the log of what its last one has not yet moved into
/// it. Opening the original, even for reading, would create files beside it.
fn copy_unopened(main: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let copy = folder.join(MAIN);
    std::fs::copy(main, &copy)?;
    for end in ["-wal", "-journal"] {
        let (from, to) = (with_end(main, end), with_end(&copy, end));
        if from.exists() {
            std::fs::copy(from, to)?;
        }
    }
    Ok(copy)
}

fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The folder in which the data folder is made. It is removed in any case but a kill.
struct RestoreDraft {
    folder: PathBuf,
}

impl RestoreDraft {
    fn within(data_dir: &Path) -> anyhow::Result<Self> {
        let folder = data_dir.join(DRAFT);
        std::fs::create_dir(&folder)
            .with_context(|| format!("can't write to {}", data_dir.display()))?;
        Ok(Self { folder })
    }

    /// Moves the database to its place. The main file comes last: without it there is none.
    fn move_to(self, data_dir: &Path) -> anyhow::Result<()> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            names.push(entry?.file_name());
        }
        names.sort_by_key(|name| *name == MAIN);
        for name in names {
            std::fs::rename(self.folder.join(&name), data_dir.join(&name))?;
        }
        sync_folder(&data_dir.join(MAIN))
    }
}

impl Drop for RestoreDraft {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "Failed to remove a folder");
        }
    }
}

fn report_json(
    data_dir: &Path,
    created_at: Timestamp,
    since: Option<&Since>,
) -> anyhow::Result<()> {
    let ended = since.map(|since| {
        let ended = since.ended.iter().map(|key| {
            json!({
                "key_id": key.id,
                "name": key.name,
                "organization_id": key.organization,
                "change": word(key.change),
            })
        });
        ended.collect::<Vec<_>>()
    });
    let body = json!({
        "data_dir": data_dir.display().to_string(),
        "created_at": created_at,
        "ended": ended,
        "audited": since.map(|since| since.is_audited),
    });
    writeln!(std::io::stdout().lock(), "{body}")?;
    Ok(())
}

fn report(data_dir: &Path, created_at: Timestamp, since: Option<&Since>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let folder = data_dir.display();
    match since {
        Some(Since { ended, is_audited }) => {
            for key in ended {
                writeln!(
                    out,
                    "{}\t{}\t{}\t{}",
                    key.id,
                    says(key.change),
                    key.name,
                    key.organization
                )?;
            }
            writeln!(out, "{} keys ended again that had ended after the backup", ended.len())?;
            if !is_audited && !ended.is_empty() {
                writeln!(
                    out,
                    "The audit log does not have these: there was no pepper of the backup's keys. \
                     Set LATCHKEY_PEPPER, or leave the file pepper in OLD_DIR."
                )?;
            }
        }
        None => writeln!(
            out,
            "Keys that were revoked, disabled or rotated after {created_at} are as they were then. \
             If you still have the data folder that was used since, delete {folder} and restore \
             with --since OLD_DIR."
        )?,
    }
    writeln!(out, "{folder}: restored the backup of {created_at}")?;
    writeln!(
        out,
        "The pepper and the JWT secret were not in it. Copy the file pepper to {folder}, or set \
         LATCHKEY_PEPPER, before you start the server. With a new JWT secret everybody's access \
         token is renewed."
    )?;
    Ok(())
}

/// What had happened to a key, in one word.
const fn word(change: LaterChange) -> &'static str {
    match change {
        LaterChange::Revoked => "revoked",
        LaterChange::Deleted => "deleted",
        LaterChange::Disabled => "disabled",
        LaterChange::Rotated => "rotated",
        LaterChange::GraceEnded => "grace_ended",
    }
}

/// What had happened to a key, and what was done.
const fn says(change: LaterChange) -> &'static str {
    match change {
        LaterChange::Revoked => "revoked: revoked again",
        LaterChange::Deleted => "deleted: revoked",
        LaterChange::Disabled => "disabled: disabled again",
        LaterChange::Rotated => "rotated: disabled",
        LaterChange::GraceEnded => "grace period ended: ended again",
    }
}
