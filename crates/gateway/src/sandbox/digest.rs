//! Digests that leave time for others.

use sha2::{Digest, Sha256};

/// After so many bytes of work without a pause, others go on.
pub(super) const YIELD_INTERVAL_BYTES: usize = 256 * 1024;

/// The digest of a text, however long: others go on meanwhile.
pub(super) async fn digest(text: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in text.chunks(YIELD_INTERVAL_BYTES) {
        hash.update(part);
        if part.len() == YIELD_INTERVAL_BYTES {
            tokio::task::yield_now().await;
        }
    }
    hash.finalize().into()
}
