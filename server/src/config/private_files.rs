//! Stored files are readable only by their owner: the data folder, and the database's files
//! wherever they are.
//!
//! They contain digests, names, addresses and telemetry. Earlier versions created files with the
//! default mask; their permissions are restricted when the server starts.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// From here on what this process makes is its owner's alone: the database's files are SQLite's to
/// make.
#[cfg(unix)]
pub(crate) fn keep_new_files_private() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// From here on what this process makes is its owner's alone: the database's files are SQLite's to
/// make.
#[cfg(not(unix))]
pub(crate) fn keep_new_files_private() {}

/// Makes the data folder, for its owner alone, if it is not there; and takes from others what they
/// may do with it and with the database's files.
///
/// # Errors
/// The folder can't be made.
pub(crate) fn prepare(folder: &Path, database_url: &str) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .with_context(|| format!("can't create the data folder {}", folder.display()))?;
    restrict_permissions(folder);
    for file in database_files(folder, database_url) {
        restrict_permissions(&file);
    }
    Ok(())
}

/// The files of SQLite databases in the data folder, and of the one that the URL names, with its
/// WAL and shared-memory files.
fn database_files(folder: &Path, database_url: &str) -> Vec<PathBuf> {
    let mut files = beside(folder, |name| name.contains(".db"));
    let Some(path) = database_url.strip_prefix("sqlite:") else { return files };
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = Path::new(path.split('?').next().unwrap_or_default());
    // `latchkey.db` has `latchkey.db-wal` beside it, and its telemetry in `latchkey-telemetry.db`.
    if let (Some(parent), Some(stem)) = (path.parent(), path.file_stem().and_then(|it| it.to_str()))
    {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let own = path.file_name().and_then(|name| name.to_str()).unwrap_or(stem);
        let telemetry = format!("{stem}-telemetry");
        files.extend(beside(parent, |name| name.starts_with(own) || name.starts_with(&telemetry)));
    }
    files
}

/// The plain files of a folder with such names.
fn beside(folder: &Path, is_ours: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        is_file && entry.file_name().to_str().is_some_and(&is_ours)
    });
    ours.map(|entry| entry.path()).collect()
}

/// If another user owns it, as with some volumes, log that and leave it.
#[cfg(unix)]
fn restrict_permissions(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = std::fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o7777;
    let private = mode & 0o700;
    if mode == private {
        return;
    }
    let permissions = std::fs::Permissions::from_mode(private);
    if let Err(error) = std::fs::set_permissions(path, permissions) {
        tracing::warn!(path = %path.display(), %error, "File is readable by other users, and its \
                                                        permissions could not be changed");
    } else {
        tracing::info!(path = %path.display(), "Restricted file permissions to the owner; other \
                                                users could read the file");
    }
}

#[cfg(not(unix))]
fn restrict_permissions(_: &Path) {}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn make(path: &Path, mode: u32) {
        std::fs::write(path, "x").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn data_folder_is_made_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep/data");
        prepare(&data, "sqlite://unused").unwrap();
        assert_eq!(mode(&data), 0o700);
    }

    #[test]
    fn existing_data_folder_and_database_files_are_tightened() {
        let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let names = ["latchkey.db", "latchkey.db-wal", "latchkey.db-shm", "latchkey-telemetry.db"];
        for folder in [data.path(), elsewhere.path()] {
            for name in names {
                make(&folder.join(name), 0o644);
            }
            make(&folder.join("of-somebody.txt"), 0o644);
        }
        let url = format!("sqlite://{}/latchkey.db?mode=rwc", elsewhere.path().display());
        prepare(data.path(), &url).unwrap();
        assert_eq!(mode(data.path()), 0o700);
        for folder in [data.path(), elsewhere.path()] {
            for name in names {
                assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
            }
            assert_eq!(mode(&folder.join("of-somebody.txt")), 0o644);
        }
    }
}
