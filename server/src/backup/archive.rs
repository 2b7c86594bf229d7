//! The file of a backup: a tar archive that any tar can list and unpack.
//!
//! ```text
//! manifest.json           format, version, time, migrations; name, size and SHA-256 of each part
//! latchkey.db             everything but telemetry and usage
//! latchkey-telemetry.db   telemetry and usage, if there is such a file
//! checksum.sha256         SHA-256 of all bytes before this entry, in hex
//! ```
//! The last entry and the end of the archive have a fixed length, so a reader finds a truncated
//! file at once, and a changed byte anywhere before it reads anything else.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, IntoInnerError, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use data_encoding::HEXLOWER;
use latchkey_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of the format. A reader refuses another.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const CHECKSUM: &str = "checksum.sha256";
/// The last entry, its header and content, and the end of the archive: four blocks of 512 bytes.
const TRAILER_BYTES: usize = 4 * 512;
/// Greatest size of the manifest.
const MANIFEST_BYTES: u64 = 1 << 20;
/// The part with everything but telemetry and usage.
pub(crate) const MAIN: &str = "latchkey.db";
/// The part with telemetry and usage.
pub(crate) const TELEMETRY: &str = "latchkey-telemetry.db";
/// In the order of the archive.
const PARTS: [&str; 2] = [MAIN, TELEMETRY];

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackupManifest {
    /// Version of the format.
    pub(crate) format: u32,
    /// Version of Latchkey that wrote it.
    pub(crate) version: String,
    /// When the copy began.
    pub(crate) created_at: Timestamp,
    /// Names of the migrations that the databases have had.
    pub(crate) migrations: Vec<String>,
    /// The databases, in the order of the archive.
    pub(crate) parts: Vec<BackupPart>,
}

/// A database in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackupPart {
    /// Name of the file.
    pub(crate) name: String,
    /// Size of the file.
    pub(crate) bytes: u64,
    /// SHA-256 of the file, in hex.
    pub(crate) sha256: String,
}

impl BackupManifest {
    /// Describes the parts that are in a folder.
    ///
    /// # Errors
    /// A part can't be read.
    pub(crate) fn of_folder(
        folder: &Path,
        created_at: Timestamp,
        migrations: Vec<String>,
    ) -> anyhow::Result<Self> {
        let mut parts = Vec::new();
        for name in PARTS {
            let path = folder.join(name);
            if !path.exists() {
                continue;
            }
            let mut digest = Digested::new(File::open(&path)?);
            let bytes = io::copy(&mut digest, &mut io::sink())?;
            parts.push(BackupPart { name: name.to_owned(), bytes, sha256: digest.hex() });
        }
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Self { format: FORMAT, version, created_at, migrations, parts })
    }
}

/// A reader or a writer that digests what passes.
struct Digested<T> {
    inner: T,
    digest: Sha256,
}

impl<T> Digested<T> {
    fn new(inner: T) -> Self {
        Self { inner, digest: Sha256::new() }
    }

    /// The digest until now, in hex.
    fn hex(&self) -> String {
        HEXLOWER.encode(self.digest.clone().finalize().as_slice())
    }
}

impl<T: Read> Read for Digested<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.digest.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

impl<T: Write> Write for Digested<T> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(buffer)?;
        self.digest.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes the parts in `folder` to `file`, and waits until they are on disk.
///
/// # Errors
/// Reading or writing fails.
pub(crate) fn write(file: File, folder: &Path, manifest: &BackupManifest) -> anyhow::Result<()> {
    let mut archive = tar::Builder::new(Digested::new(BufWriter::new(file)));
    let at = u64::try_from(manifest.created_at.as_millis() / 1_000).unwrap_or_default();
    let text = serde_json::to_vec_pretty(manifest)?;
    let length = u64::try_from(text.len())?;
    archive.append(&header(MANIFEST, length, at)?, text.as_slice())?;
    for part in &manifest.parts {
        let source = BufReader::new(File::open(folder.join(&part.name))?);
        archive.append(&header(&part.name, part.bytes, at)?, source.take(part.bytes))?;
    }
    let digest = archive.get_ref().hex();
    archive.append(&checksum_header(&digest)?, digest.as_bytes())?;
    let out = archive.into_inner()?.inner;
    let file = out.into_inner().map_err(IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(())
}

fn header(name: &str, bytes: u64, at: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(at);
    header.set_cksum();
    Ok(header)
}

fn checksum_header(digest: &str) -> anyhow::Result<tar::Header> {
    Ok(header(CHECKSUM, u64::try_from(digest.len())?, 0)?)
}

/// The end of a file whose bytes before have this digest.
fn trailer(digest: &str) -> anyhow::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&checksum_header(digest)?, digest.as_bytes())?;
    Ok(archive.into_inner()?)
}

/// Checks every byte of a backup.
///
/// # Errors
/// The file can't be read, is no whole backup, or was changed.
pub(crate) fn verify(path: &Path) -> anyhow::Result<()> {
    let mut file = File::open(path).with_context(|| format!("can't open {}", path.display()))?;
    let metadata = file.metadata()?;
    ensure!(metadata.is_file(), "{} is not a file; name one that backup wrote", path.display());
    let length = metadata.len();
    let incomplete = || format!("{} is truncated, or is no backup of Latchkey", path.display());
    let body = length.checked_sub(u64::try_from(TRAILER_BYTES)?).with_context(incomplete)?;
    file.seek(SeekFrom::Start(body))?;
    let mut end = Vec::with_capacity(TRAILER_BYTES);
    file.read_to_end(&mut end)?;
    ensure!(end.starts_with(CHECKSUM.as_bytes()), incomplete());
    file.seek(SeekFrom::Start(0))?;
    let mut digest = Digested::new(file.take(body));
    io::copy(&mut digest, &mut io::sink())?;
    if end != trailer(&digest.hex())? {
        bail!("{} is damaged: its checksum is wrong. Use another backup", path.display());
    }
    Ok(())
}

/// Reads the manifest of a backup that was verified.
///
/// # Errors
/// The file can't be read, or is of another format.
pub(crate) fn read_manifest(path: &Path) -> anyhow::Result<BackupManifest> {
    let mut archive = tar::Archive::new(File::open(path)?);
    let mut entries = archive.entries()?;
    let entry = entries.next().context("the backup is empty")??;
    ensure!(is_named(&entry, MANIFEST)?, "the backup has no manifest");
    let mut text = Vec::new();
    entry.take(MANIFEST_BYTES).read_to_end(&mut text)?;
    let head: FormatOnly = serde_json::from_slice(&text).context("the manifest is unreadable")?;
    if head.format != FORMAT {
        bail!("the backup has format {}; restore it with the version that made it", head.format);
    }
    serde_json::from_slice(&text).context("the manifest is unreadable")
}

/// What every format has.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

fn is_named<R: Read>(entry: &tar::Entry<'_, R>, name: &str) -> io::Result<bool> {
    Ok(&*entry.path()? == Path::new(name))
}

/// Unpacks the parts of a backup into a folder, and waits until they are on disk.
///
/// # Errors
/// Reading or writing fails, or a part is not what the manifest says.
pub(crate) fn unpack(path: &Path, folder: &Path, manifest: &BackupManifest) -> anyhow::Result<()> {
    let mut archive = tar::Archive::new(BufReader::new(File::open(path)?));
    let mut entries = archive.entries()?.skip(1);
    for part in &manifest.parts {
        let name = part.name.as_str();
        ensure!(PARTS.contains(&name), "the backup has an unknown part");
        let entry = entries.next().with_context(|| format!("the backup has no {name}"))??;
        ensure!(is_named(&entry, name)?, "the backup has no {name}");
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(folder.join(name))?;
        let mut content = Digested::new(entry);
        let bytes = io::copy(&mut content, &mut file)?;
        file.sync_all()?;
        ensure!(
            bytes == part.bytes && content.hex() == part.sha256,
            "{name} is not what the manifest of the backup says"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A backup of two small files, in a folder of its own.
    fn backup() -> (tempfile::TempDir, std::path::PathBuf, BackupManifest) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("latchkey.db"), "main".repeat(300)).unwrap();
        std::fs::write(folder.path().join("latchkey-telemetry.db"), "telemetry").unwrap();
        let at = Timestamp::from_millis(1_795_000_000_000);
        let manifest = BackupManifest::of_folder(folder.path(), at, vec!["m1".to_owned()]).unwrap();
        let path = folder.path().join("backup.tar");
        write(File::create(&path).unwrap(), folder.path(), &manifest).unwrap();
        (folder, path, manifest)
    }

    #[test]
    fn backup_is_read_as_it_was_written() {
        let (folder, path, manifest) = backup();
        verify(&path).unwrap();
        assert_eq!(read_manifest(&path).unwrap(), manifest);
        assert_eq!(manifest.parts.len(), 2);
        let to = folder.path().join("to");
        std::fs::create_dir(&to).unwrap();
        unpack(&path, &to, &manifest).unwrap();
        assert_eq!(std::fs::read(to.join("latchkey-telemetry.db")).unwrap(), b"telemetry");
        assert_eq!(std::fs::read(to.join("latchkey.db")).unwrap().len(), 1_200);
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_found() {
        let (_folder, path, _) = backup();
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole.len() % 512, 0);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert!(verify(&path).is_err(), "byte {at}");
        }
        for length in [0, 1, 511, 512, 2_047, 2_048, whole.len() - 512, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = verify(&path).unwrap_err().to_string();
            assert!(error.contains("truncated"), "{length}: {error}");
        }
    }

    #[test]
    fn backup_of_a_later_format_is_refused() {
        let (folder, path, manifest) = backup();
        let later = BackupManifest { format: FORMAT + 1, ..manifest };
        write(File::create(&path).unwrap(), folder.path(), &later).unwrap();
        verify(&path).unwrap();
        let error = read_manifest(&path).unwrap_err().to_string();
        assert!(error.contains("format 2"), "{error}");
    }
}
