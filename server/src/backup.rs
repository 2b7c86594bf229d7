//! `latchkey backup`: one file with a copy of SQLite's files, taken while a server uses them.

pub(crate) mod archive;

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use latchkey_domain::time::Timestamp;
use latchkey_services::SqliteFiles;
use latchkey_services::clock::Clock;
use serde_json::json;

use self::archive::{BackupManifest, MAIN, TELEMETRY};
use crate::cli::{BackupArguments, Storage};
use crate::config::private_files;
use crate::system::SystemClock;

/// File in the data folder with the time of the last backup.
const LAST_BACKUP: &str = "last-backup";
/// How often progress is shown.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// Copies the database to the file.
///
/// # Errors
/// The database is no SQLite file, can't be read, or the backup can't be written. No file is left
/// then, and an older backup is as it was.
pub async fn run(arguments: BackupArguments) -> anyhow::Result<()> {
    private_files::keep_new_files_private();
    let done = back_up(arguments).await;
    show_progress("");
    done
}

async fn back_up(arguments: BackupArguments) -> anyhow::Result<()> {
    let BackupArguments { json, to, force, storage } = arguments;
    let url = storage.database_url();
    let Some(files) = SqliteFiles::named(&url).context("DATABASE_URL")? else {
        bail!(
            "PostgreSQL has its own tools: pg_dump --format=custom --file={} \"$DATABASE_URL\" \
             makes a consistent backup of a running database, and pg_restore reads it",
            to.display()
        );
    };
    if !files.main.exists() {
        bail!(
            "there is no database at {}; set LATCHKEY_DATA_DIR to the server's data folder",
            files.main.display()
        );
    }
    refuse_overwriting(&to, force)?;
    let draft = BackupDraft::beside(&to)?;
    let created_at = SystemClock::start().now();
    let migrations = copy(&files, &draft.folder)
        .await
        .with_context(|| format!("can't copy the database to {}", draft.folder.display()))?;
    show_progress("Writing the backup");
    let (folder, packed) = (draft.folder.clone(), draft.folder.join("backup"));
    let packing = tokio::task::spawn_blocking({
        let packed = packed.clone();
        move || pack(&folder, &packed, created_at, migrations)
    });
    let manifest = packing.await?.with_context(|| format!("can't write {}", to.display()))?;
    refuse_overwriting(&to, force)?;
    std::fs::rename(&packed, &to).with_context(|| format!("can't write {}", to.display()))?;
    sync_folder(&to)?;
    drop(draft);
    show_progress("");
    remember(&storage, created_at);
    if json { report_json(&to, &manifest) } else { report(&to, &manifest) }
}

/// When the last backup of a data folder was made, if that is known.
pub(crate) fn last(storage: &Storage) -> Option<Timestamp> {
    let text = std::fs::read_to_string(storage.data_dir.join(LAST_BACKUP)).ok()?;
    Timestamp::parse(text.trim()).ok()
}

/// For `latchkey config check`. The backup is complete without it.
fn remember(storage: &Storage, at: Timestamp) {
    let file = storage.data_dir.join(LAST_BACKUP);
    if let Err(error) = std::fs::write(&file, format!("{at}\n")) {
        tracing::warn!(file = %file.display(), %error, "Failed to note the time of the backup");
    }
}

fn refuse_overwriting(to: &Path, force: bool) -> anyhow::Result<()> {
    if !force && to.symlink_metadata().is_ok() {
        bail!("{} exists; choose another name, or replace it with --force", to.display());
    }
    Ok(())
}

/// A hidden folder beside the backup, in which it is made, so that no half of one ever has its
/// name. It is removed in any case but a kill.
struct BackupDraft {
    folder: PathBuf,
}

impl BackupDraft {
    fn beside(to: &Path) -> anyhow::Result<Self> {
        let name = to.file_name().context("--to has to name a file")?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.partial", std::process::id()));
        let folder = to.with_file_name(hidden);
        std::fs::create_dir(&folder)
            .with_context(|| format!("can't write beside {}", to.display()))?;
        Ok(Self { folder })
    }
}

impl Drop for BackupDraft {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "Failed to remove a folder");
        }
    }
}

/// Copies both files, and shows how far that is.
async fn copy(files: &SqliteFiles, folder: &Path) -> anyhow::Result<Vec<String>> {
    let to = SqliteFiles { main: folder.join(MAIN), telemetry: folder.join(TELEMETRY) };
    let total = size(&files.main) + size(&files.telemetry);
    let mut copying = std::pin::pin!(files.copy(&to));
    let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
    loop {
        tokio::select! {
            copied = &mut copying => return Ok(copied?),
            _ = ticks.tick() => {
                let done = size(&to.main) + size(&to.telemetry);
                show_progress(&format!("Copied {} of about {}", bytes(done), bytes(total)));
            }
        }
    }
}

fn pack(
    folder: &Path,
    packed: &Path,
    created_at: Timestamp,
    migrations: Vec<String>,
) -> anyhow::Result<BackupManifest> {
    let manifest = BackupManifest::of_folder(folder, created_at, migrations)?;
    archive::write(File::create_new(packed)?, folder, &manifest)?;
    Ok(manifest)
}

/// A rename is on disk once its folder is.
#[cfg(unix)]
pub(crate) fn sync_folder(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

/// Only Unix opens folders.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_: &Path) -> anyhow::Result<()> {
    Ok(())
}

fn size(file: &Path) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}

/// In whole megabytes, at least one.
fn bytes(count: u64) -> String {
    format!("{} MB", count.div_ceil(1_000_000).max(1))
}

/// Replaces the line on a terminal; elsewhere nothing is shown.
pub(crate) fn show_progress(text: &str) {
    let mut out = std::io::stderr().lock();
    if out.is_terminal() {
        // Nobody misses it if it can't be written.
        let _ = write!(out, "\r\x1b[K{text}").and_then(|()| out.flush());
    }
}

fn report_json(to: &Path, manifest: &BackupManifest) -> anyhow::Result<()> {
    let BackupManifest { version, created_at, parts, .. } = manifest;
    let body = json!({
        "file": to.display().to_string(),
        "created_at": created_at,
        "version": version,
        "parts": parts,
    });
    writeln!(std::io::stdout().lock(), "{body}")?;
    Ok(())
}

fn report(to: &Path, manifest: &BackupManifest) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}: backup of {}", to.display(), manifest.created_at)?;
    for part in &manifest.parts {
        writeln!(out, "{}: {}", part.name, bytes(part.bytes))?;
    }
    writeln!(
        out,
        "The pepper and the JWT secret are not in it. Keep a copy of the pepper elsewhere: without \
         it no key of the backup works."
    )?;
    Ok(())
}
