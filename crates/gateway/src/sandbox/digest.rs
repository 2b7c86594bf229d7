//! Digests that yield to other tasks.

use sha2::{Digest, Sha256};

/// Yields after this many bytes of work.
pub(super) const YIELD_INTERVAL_BYTES: usize = 256 * 1024;

/// SHA-256 of a text of any length. Yields in between.
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
