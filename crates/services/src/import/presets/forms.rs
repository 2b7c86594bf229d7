//! What several systems have in common: their schemes, and the states of their keys.

use latchkey_domain::import::{DigestEncoding, FastAlgorithm, FastScheme, Part, Scheme};
use latchkey_domain::key::KeyStatus;

/// A scheme without a secret.
pub(super) const fn fast(algorithm: FastAlgorithm, encoding: DigestEncoding, part: Part) -> Scheme {
    Scheme::Fast(FastScheme { algorithm, encoding, part })
}

/// SHA-256 of the whole key, in hexadecimal: what most systems store.
pub(super) const SHA256_HEX: Scheme = fast(FastAlgorithm::Sha256, DigestEncoding::Hex, Part::Whole);

/// The status of a key that the other system has switched off; absent if it has not.
pub(super) fn disabled(is_disabled: bool) -> Option<KeyStatus> {
    is_disabled.then_some(KeyStatus::Disabled)
}

/// The status of a key that the other system has revoked or deleted; absent if it has not.
pub(super) fn revoked(is_revoked: bool) -> Option<KeyStatus> {
    is_revoked.then_some(KeyStatus::Revoked)
}
