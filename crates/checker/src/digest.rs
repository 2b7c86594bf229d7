//! Digests of secrets, which the database stores instead of the secrets.

use std::fmt;

use latchkey_domain::digest::KeyDigest;
use ring::hmac::{self, HMAC_SHA256};
use sha2::{Digest as _, Sha256};

use data_encoding::HEXLOWER;

/// HMAC key of all key digests. It lives outside the database, so that the database alone confirms
/// no guess. If it is lost, every key is unknown. It may know the pepper that it replaces.
///
/// It uses `ring`: a check computes at most two digests and does little else that takes as long. On
/// processors without SHA-256 instructions, `ring` takes two thirds of the time
/// (docs/benchmarks.md).
#[derive(Clone)]
pub struct Pepper {
    key: hmac::Key,
    retired: Option<Box<Pepper>>,
}

impl Pepper {
    /// Bytes of a pepper's fingerprint in the database.
    pub const ID_BYTES: usize = 16;

    /// From the raw bytes of the setting.
    pub fn new(bytes: &[u8]) -> Self {
        Self { key: hmac::Key::new(HMAC_SHA256, bytes), retired: None }
    }

    /// The same pepper, which replaces another one: that of most keys until they are used.
    #[must_use]
    pub fn replacing(self, retired: Self) -> Self {
        Self { retired: Some(Box::new(Self { retired: None, ..retired })), ..self }
    }

    /// The pepper that this one replaces.
    pub fn retired(&self) -> Option<&Self> {
        self.retired.as_deref()
    }

    /// Digest of a key's plaintext.
    pub fn digest(&self, plaintext: &str) -> KeyDigest {
        let tag = hmac::sign(&self.key, plaintext.as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(tag.as_ref());
        KeyDigest::new(digest)
    }

    /// HMAC of several parts, one after the other. The caller separates parts of unknown length.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> KeyDigest {
        let mut mac = hmac::Context::with_key(&self.key);
        for part in parts {
            mac.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(mac.sign().as_ref());
        KeyDigest::new(digest)
    }

    /// Key of the hash chains that are made under this pepper.
    pub fn chain_key(&self) -> ChainKey {
        ChainKey(*self.digest("latchkey audit chain").as_bytes())
    }

    /// Identifies this pepper without revealing it: the first 16 bytes of a digest that no key can
    /// have.
    pub fn id(&self) -> [u8; Self::ID_BYTES] {
        let digest = self.digest("latchkey pepper fingerprint");
        let mut id = [0; Self::ID_BYTES];
        id.copy_from_slice(&digest.as_bytes()[..Self::ID_BYTES]);
        id
    }

    /// [`Self::id`] in hexadecimal.
    pub fn fingerprint(&self) -> String {
        HEXLOWER.encode(&self.id())
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper([redacted])")
    }
}

/// Key of hash chains, derived from a pepper. Chains outlive the pepper.
#[derive(Clone, PartialEq, Eq)]
pub struct ChainKey([u8; 32]);

impl ChainKey {
    /// From the bytes of [`Self::expose`]; `None` if there are not 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes, to be sealed.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Link of a hash chain: HMAC-SHA-256 of the previous link and `content`.
    pub fn link(&self, before: &[u8], content: &[u8]) -> [u8; 32] {
        let mut mac = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, &self.0));
        mac.update(before);
        mac.update(content);
        let mut link = [0; 32];
        link.copy_from_slice(mac.sign().as_ref());
        link
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainKey([redacted])")
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

    #[test]
    fn pepper_knows_one_that_it_replaces() {
        let [first, second] = [Pepper::new(b"first"), Pepper::new(b"second")];
        let third = Pepper::new(b"third").replacing(second.clone().replacing(first));
        let retired = third.retired().unwrap();
        assert_eq!(retired.id(), second.id());
        assert!(retired.retired().is_none());
        assert_ne!(third.id(), second.id());
        assert_eq!(third.fingerprint().len(), 32);
    }
}
