//! What other systems store for a presented key, where that takes no time.

use data_encoding::HEXLOWER_PERMISSIVE;
use latchkey_domain::import::{FastAlgorithm, FastScheme, HmacAlgorithm, Part};
use ring::digest::{SHA256, SHA512, digest};
use ring::hmac;

/// What another system stores for a presented key, before its encoding. `None`: the text has not
/// the part that is digested, so that no such system has stored it.
pub(super) fn fast_digest(scheme: &FastScheme, presented: &str) -> Option<Vec<u8>> {
    let algorithm = match scheme.algorithm {
        FastAlgorithm::Sha256 => &SHA256,
        FastAlgorithm::Sha512 => &SHA512,
    };
    let of = |bytes: &[u8]| digest(algorithm, bytes).as_ref().to_vec();
    match &scheme.part {
        Part::Whole => Some(of(presented.as_bytes())),
        Part::AfterLastUnderscore => Some(of(presented.rsplit_once('_')?.1.as_bytes())),
        Part::AfterPipe => Some(of(presented.split_once('|')?.1.as_bytes())),
        Part::Unhexed => {
            let bytes = HEXLOWER_PERMISSIVE.decode(presented.as_bytes()).ok()?;
            Some(of(&bytes))
        }
        Part::Prefixed(prefix) => Some(of(&[prefix.as_bytes(), presented.as_bytes()].concat())),
        Part::Suffixed(suffix) => Some(of(&[presented.as_bytes(), suffix.as_bytes()].concat())),
    }
}

/// What another system stores for a presented key under its own secret.
pub(super) fn hmac_digest(algorithm: HmacAlgorithm, secret: &[u8], presented: &str) -> Vec<u8> {
    let algorithm = match algorithm {
        HmacAlgorithm::Sha256 => hmac::HMAC_SHA256,
        HmacAlgorithm::Sha512 => hmac::HMAC_SHA512,
    };
    hmac::sign(&hmac::Key::new(algorithm, secret), presented.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use latchkey_domain::import::DigestEncoding;

    use super::*;

    fn sha256(part: Part, presented: &str) -> Option<String> {
        let (algorithm, encoding) = (FastAlgorithm::Sha256, DigestEncoding::Hex);
        let scheme = FastScheme { algorithm, encoding, part };
        fast_digest(&scheme, presented).map(|digest| HEXLOWER.encode(&digest))
    }

    #[test]
    fn scheme_digests_its_part_of_a_key() {
        // SHA-256 of "abc", FIPS 180-4.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for (part, presented) in [
            (Part::Whole, "abc"),
            (Part::AfterLastUnderscore, "tok_1_abc"),
            (Part::AfterPipe, "7|abc"),
            (Part::Unhexed, "616263"),
            (Part::Prefixed("ab".to_owned()), "c"),
            (Part::Suffixed("bc".to_owned()), "a"),
        ] {
            assert_eq!(sha256(part, presented).as_deref(), Some(abc), "{presented}");
        }
        assert_eq!(sha256(Part::AfterPipe, "abc"), None);
        assert_eq!(sha256(Part::AfterLastUnderscore, "abc"), None);
        assert_eq!(sha256(Part::Unhexed, "xyz"), None);
    }

    /// RFC 4231, test case 2.
    #[test]
    fn hmac_matches_rfc_4231() {
        let digest = hmac_digest(HmacAlgorithm::Sha256, b"Jefe", "what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(HEXLOWER.encode(&digest), expected);
    }
}
