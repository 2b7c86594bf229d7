//! Sealing of what imported keys need until their first use: slow hashes and HMAC secrets. With the
//! database alone nobody can open them.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::digest::Pepper;

/// Opened contents of a seal: a secret or a hash that can be guessed at. Not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened(Vec<u8>);

impl Opened {
    /// The contents, to compute with and never to store or print.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened([redacted])")
    }
}

impl Pepper {
    /// Seals `plain` with a key derived from the pepper (AES-256-GCM). `random` must not be used
    /// twice. The result is `random`, the ciphertext and a tag of 16 bytes.
    ///
    /// # Panics
    /// Never: only more than 64 GiB can't be sealed.
    pub fn seal(&self, random: [u8; NONCE_LEN], plain: &[u8]) -> Vec<u8> {
        let mut sealed = plain.to_vec();
        self.sealing_key()
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(random),
                Aad::empty(),
                &mut sealed,
            )
            .expect("AES-GCM seals up to 64 GiB");
        sealed.splice(..0, random);
        sealed
    }

    /// Opens what [`Self::seal`] has sealed. `None`: it was sealed under another pepper, or was
    /// altered.
    pub fn open(&self, sealed: &[u8]) -> Option<Opened> {
        let (random, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut buffer = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*random);
        let plain = self.sealing_key().open_in_place(nonce, Aad::empty(), &mut buffer).ok()?;
        Some(Opened(plain.to_vec()))
    }

    fn sealing_key(&self) -> LessSafeKey {
        let key = self.mac(&[b"latchkey import seal"]);
        let key = UnboundKey::new(&AES_256_GCM, key.as_bytes());
        LessSafeKey::new(key.expect("the key of AES-256 has 32 bytes, as a digest has"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pepper_that_sealed_opens() {
        let pepper = Pepper::new(b"pepper");
        let sealed = pepper.seal([7; 12], b"a secret");
        assert_eq!(sealed.len(), 12 + 8 + 16);
        assert!(!sealed.windows(8).any(|part| part == b"a secret"));
        let opened = pepper.open(&sealed).unwrap();
        assert_eq!(opened.expose(), b"a secret");
        assert!(!format!("{opened:?}").contains("115"), "bytes of the secret");
        assert_eq!(Pepper::new(b"another").open(&sealed), None);
        for place in [0, 12, sealed.len() - 1] {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert_eq!(pepper.open(&altered), None, "{place}");
        }
        assert_eq!(pepper.open(&sealed[..11]), None);
    }
}
