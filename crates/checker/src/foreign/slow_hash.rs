//! Slow hashes of other systems: whether a presented key has one.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use bcrypt::bcrypt;
use data_encoding::{Encoding, Specification};
use latchkey_domain::import::SlowHash;
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use subtle::ConstantTimeEq;

/// Bcrypt's own order of the alphabet.
static BCRYPT_BASE64: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    specification.check_trailing_bits = false;
    specification.encoding().ok()
});

/// Characters of a salt of bcrypt, and bytes that it digests at most.
const BCRYPT_SALT: usize = 22;
const BCRYPT_BYTES: usize = 72;

/// Whether the presented key has this hash. It takes up to a second of one processor, and what is
/// compared last takes the same time wherever it differs.
pub(super) fn is_of(hash: &SlowHash, presented: &str) -> bool {
    match hash {
        SlowHash::Pbkdf2Sha256 { rounds, salt, digest } => {
            NonZeroU32::new(*rounds).is_some_and(|rounds| {
                let secret = presented.as_bytes();
                pbkdf2::verify(PBKDF2_HMAC_SHA256, rounds, salt, secret, digest).is_ok()
            })
        }
        SlowHash::Bcrypt(text) => is_of_bcrypt(text, presented).unwrap_or(false),
        SlowHash::Scrypt { log_n, r, p, salt, digest } => {
            let Ok(costs) = scrypt::Params::new(*log_n, *r, *p) else { return false };
            let mut computed = vec![0; digest.len()];
            scrypt::scrypt(presented.as_bytes(), salt, &costs, &mut computed).is_ok()
                && bool::from(computed.as_slice().ct_eq(digest.as_slice()))
        }
    }
}

/// `$2b$10$`, 22 characters of salt and 31 of the digest.
fn is_of_bcrypt(text: &str, presented: &str) -> Option<bool> {
    let encoding = BCRYPT_BASE64.as_ref()?;
    let (cost, hash) = text.get(4..)?.split_once('$')?;
    let (salt, digest) = hash.split_at_checked(BCRYPT_SALT)?;
    let salt: [u8; 16] = encoding.decode(salt.as_bytes()).ok()?.try_into().ok()?;
    let digest = encoding.decode(digest.as_bytes()).ok()?;
    let mut secret: Vec<u8> = presented.bytes().chain([0]).collect();
    secret.truncate(BCRYPT_BYTES);
    let computed = bcrypt(cost.parse::<u32>().ok().filter(|cost| *cost < 32)?, salt, &secret);
    let computed = computed.get(..digest.len())?;
    Some(digest.len() == 23 && bool::from(computed.ct_eq(&digest)))
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Scheme;

    use super::*;

    fn hash(scheme: &Scheme, stored: &str) -> SlowHash {
        SlowHash::parse(scheme, stored).unwrap()
    }

    /// Vectors of jBCrypt, which has them from OpenBSD.
    #[test]
    fn bcrypt_matches_published_vectors() {
        for (stored, key) in [
            ("$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe", "a"),
            (
                "$2a$08$aTsUwsyowQuzRrDqFflhgekJ8d9/7Z3GV3UcgvzQW3J5zMyrTvlz.",
                "abcdefghijklmnopqrstuvwxyz",
            ),
        ] {
            let hash = hash(&Scheme::Bcrypt, stored);
            assert!(is_of(&hash, key), "{stored}");
            assert!(!is_of(&hash, "b"), "{stored}");
        }
    }

    /// Made by Python's hashlib.
    #[test]
    fn scrypt_and_pbkdf2_match_other_implementations() {
        let scrypt = "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$1wTRcSklqiLUZkXU8mETOQVL9eGf3oVjrObjmTKGrWw";
        let pbkdf2 = "pbkdf2_sha256$1000$saltsalt$9RIm9pKUdplwcukibI0pYHwP8PPpPSElGzFYBvg1Z5A=";
        for (scheme, stored) in [(Scheme::Scrypt, scrypt), (Scheme::Pbkdf2Sha256, pbkdf2)] {
            let hash = hash(&scheme, stored);
            assert!(is_of(&hash, "a key of another system"));
            assert!(!is_of(&hash, "a key of another systen"));
        }
    }
}
