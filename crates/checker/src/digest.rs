//! Digests of secrets, which the database stores instead of the secrets.

use std::fmt;

use latchkey_domain::digest::KeyDigest;
use ring::hmac::{self, HMAC_SHA256};
use sha2::{Digest as _, Sha256};

use data_encoding::HEXLOWER;

/// HMAC key of all key digests. It lives outside the database, so that the database alone confirms
/// no guess. If it is lost, every key is unknown.
///
/// It uses `ring`: a check computes at most two digests and does little else that takes as long. On
/// processors without SHA-256 instructions, `ring` takes two thirds of the time
/// (docs/benchmarks.md).
#[derive(Clone)]
pub struct Pepper(hmac::Key);

impl Pepper {
    /// From the raw bytes of the setting.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(HMAC_SHA256, bytes))
    }

    /// Digest of a key's plaintext.
    pub fn digest(&self, plaintext: &str) -> KeyDigest {
        let tag = hmac::sign(&self.0, plaintext.as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(tag.as_ref());
        KeyDigest::new(digest)
    }

    /// HMAC of several parts, one after the other. The caller separates parts of unknown length.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> KeyDigest {
        let mut mac = hmac::Context::with_key(&self.0);
        for part in parts {
            mac.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(mac.sign().as_ref());
        KeyDigest::new(digest)
    }

    /// Link of a hash chain: HMAC-SHA-256 of the previous link and `content`, with a key derived
    /// from the pepper.
    pub fn chain(&self, before: &[u8], content: &[u8]) -> [u8; 32] {
        let of_chains = Self::new(self.digest("latchkey audit chain").as_bytes());
        let mut mac = hmac::Context::with_key(&of_chains.0);
        mac.update(before);
        mac.update(content);
        let mut link = [0; 32];
        link.copy_from_slice(mac.sign().as_ref());
        link
    }

    /// Identifies this pepper without revealing it: the first 16 bytes, in hex, of a digest that no
    /// key can have.
    pub fn fingerprint(&self) -> String {
        HEXLOWER.encode(&self.digest("latchkey pepper fingerprint").as_bytes()[..16])
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper([redacted])")
    }
}

/// SHA-256 of a token that needs no pepper because it has 256 random bits.
pub fn sha256(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn digest_matches_rfc_4231_hmac_sha_256() {
        let digest = Pepper::new(b"Jefe").digest("what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(digest.to_hex(), expected);
        assert_eq!(KeyDigest::from_hex(expected), Some(digest));
    }
}
