//! What an import is asked to do, and whether one may start.

use std::fmt;
use std::time::Duration;

use data_encoding::HEXLOWER;
use latchkey_domain::id::ProjectId;
use latchkey_domain::import::{Preset, Scheme};
use latchkey_domain::role::Permission;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::presets;
use super::room::ImportPermit;
use crate::actor::Actor;
use crate::error::Error;
use crate::scope;
use crate::services::Services;

/// An import, as it is sent.
///
/// It serializes as a digest of what was sent, which tells a repeated request from another one.
pub struct Import {
    /// The file, as text.
    pub body: String,
    /// How the file is written.
    pub format: ImportFormat,
    /// Scheme of the rows that name none.
    pub scheme: Option<Scheme>,
    /// The other system, if the rows are its own.
    pub preset: Option<Preset>,
    /// Secret of the other system's HMAC.
    pub secret: Option<ImportSecret>,
    /// Whether to change nothing.
    pub dry_run: bool,
}

impl Import {
    /// The secret under which the other system digested its keys, from the one that was sent.
    pub(super) fn digest_secret(&self) -> Option<ImportSecret> {
        let sent = self.secret.as_ref()?;
        let made = self.preset.map(|preset| presets::digest_secret(preset, sent.expose()));
        Some(made.map_or_else(|| sent.clone(), |secret| ImportSecret(secret.into_owned())))
    }
}

/// How an imported file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// A JSON object a line.
    Ndjson,
    /// CSV with a header row. Dotted names are nested members, and `;` separates items of lists.
    Csv,
}

/// Secret of another system's HMAC. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportSecret(Vec<u8>);

/// The secret is empty or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Send the other system’s HMAC secret, 1 to 1,024 bytes.")]
pub struct InvalidSecret;

impl ImportSecret {
    /// Maximum length, in bytes.
    pub const MAX_BYTES: usize = 1_024;

    /// Wraps a secret.
    ///
    /// # Errors
    /// It is empty or has more than [`Self::MAX_BYTES`].
    pub fn new(secret: &[u8]) -> Result<Self, InvalidSecret> {
        let fits = (1..=Self::MAX_BYTES).contains(&secret.len());
        if fits { Ok(Self(secret.to_vec())) } else { Err(InvalidSecret) }
    }

    /// The secret, to be sealed.
    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ImportSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportSecret([redacted])")
    }
}

impl Serialize for Import {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut hash = Sha256::new();
        let secret = self.secret.as_ref().map(ImportSecret::expose).unwrap_or_default();
        for part in [self.body.as_bytes(), secret] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        serializer.serialize_str(&HEXLOWER.encode(&hash.finalize()))
    }
}

/// Whether the actor may import into the project, and room to do so, before the file is read.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for viewers and members and for service keys
/// without `keys:write`; `TooMany` while other imports fill the node.
pub async fn begin(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
) -> Result<ImportPermit, Error> {
    let scope = scope::project(services, actor, project, Permission::KeysImport).await?;
    services.imports.try_acquire(scope.organization()).ok_or_else(|| Error::TooMany {
        detail: "Other imports are in progress. Try again when one has finished.".to_owned(),
        retry_after: Duration::from_secs(5),
    })
}
