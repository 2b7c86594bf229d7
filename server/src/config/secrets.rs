//! The secrets that live outside the database: settings, or files that only their owner can read.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use anyhow::{Context, bail};
use latchkey_services::random::Random;

use crate::system::SystemRandom;

const MIN_BYTES: usize = 32;

/// The setting's raw bytes, or those of the file, which is made with a random secret on first
/// start.
///
/// # Errors
/// The secret is shorter than 32 bytes, or the file can't be read or made.
pub(super) fn setting_or_file(
    name: &str,
    setting: Option<&str>,
    file: &Path,
) -> anyhow::Result<Vec<u8>> {
    let (secret, origin) = match setting.filter(|text| !text.is_empty()) {
        Some(text) => (text.as_bytes().to_vec(), name.to_owned()),
        None => (read_or_create(file)?, format!("{} (instead of {name})", file.display())),
    };
    if secret.len() < MIN_BYTES {
        bail!("{origin} has {} bytes; at least {MIN_BYTES} are required", secret.len());
    }
    Ok(secret)
}

/// The setting's raw bytes, if it is set.
///
/// # Errors
/// The secret is shorter than 32 bytes.
pub(super) fn setting(name: &str, setting: Option<&str>) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(text) = setting.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.len() < MIN_BYTES {
        bail!("{name} has {} bytes; at least {MIN_BYTES} are required", text.len());
    }
    Ok(Some(text.as_bytes().to_vec()))
}

fn read_or_create(path: &Path) -> anyhow::Result<Vec<u8>> {
    match File::open(path) {
        Ok(file) => read(file, path),
        Err(error) if error.kind() == ErrorKind::NotFound => make(path),
        Err(error) => Err(error).with_context(|| format!("can't open {}", path.display())),
    }
}

fn read(mut file: File, path: &Path) -> anyhow::Result<Vec<u8>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            bail!(
                "{} is readable by other users (mode {:03o}); run chmod 600 on it",
                path.display(),
                mode & 0o777
            );
        }
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("can't read {}", path.display()))?;
    Ok(text.trim_end().as_bytes().to_vec())
}

/// Writes the secret beside its place and links it there, so that a crash leaves no half of one,
/// and of two processes that start at once both end up with the same.
fn make(path: &Path) -> anyhow::Result<Vec<u8>> {
    let random: &dyn Random = &SystemRandom;
    let secret = random.token();
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let result = write_and_link(&draft, path, &secret);
    // The draft is ours alone; what stays is the link.
    let _ = std::fs::remove_file(&draft);
    match result {
        Ok(()) => {
            tracing::info!(file = %path.display(), "Generated a secret file; include it in your \
                                                    backups");
            Ok(secret.into_bytes())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(File::open(path)?, path),
        Err(error) => Err(error).with_context(|| format!("can't write {}", path.display())),
    }
}

fn write_and_link(draft: &Path, path: &Path, secret: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(draft)?;
    writeln!(file, "{secret}")?;
    file.sync_all()?;
    std::fs::hard_link(draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_file_is_created_once_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pepper");
        let first = setting_or_file("LATCHKEY_PEPPER", None, &path).unwrap();
        assert_eq!(setting_or_file("LATCHKEY_PEPPER", None, &path).unwrap(), first);
        assert_eq!(first.len(), 64);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft stays behind");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn secret_file_readable_by_others_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pepper");
        std::fs::write(&path, "s".repeat(64)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = setting_or_file("LATCHKEY_PEPPER", None, &path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
