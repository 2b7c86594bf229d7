//! Reads what another system stores of a key.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};

use super::scheme::{DigestEncoding, Scheme};

/// Why a stored form was refused. The stored form itself is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStored {
    /// The text is not of the scheme's encoding.
    #[error("Write the digest in {0}, as its scheme says.")]
    Encoding(&'static str),
    /// The digest is of another hash function.
    #[error("A digest of this scheme has {0} bytes.")]
    Length(usize),
    /// The scheme stores something other than one digest.
    #[error("This scheme does not store a digest.")]
    NotDigest,
    /// The text is not of the slow scheme's form.
    #[error("Write the hash as {0}.")]
    Form(&'static str),
    /// A check of the key would take too long, or too much memory.
    #[error("The hash costs too much to check: at most {0}.")]
    TooCostly(&'static str),
}

/// The bytes of a digest. Hexadecimal may be in any case, base64 with or without padding.
///
/// # Errors
/// The text is of another encoding or length, or the scheme is not fast or HMAC.
pub fn decode_stored(scheme: &Scheme, stored: &str) -> Result<Vec<u8>, InvalidStored> {
    let (encoding, length) = match scheme {
        Scheme::Fast(fast) => (fast.encoding, fast.algorithm.digest_length()),
        Scheme::Hmac(algorithm) => (DigestEncoding::Hex, algorithm.digest_length()),
        Scheme::Plaintext | Scheme::Pbkdf2Sha256 | Scheme::Bcrypt | Scheme::Scrypt => {
            return Err(InvalidStored::NotDigest);
        }
    };
    let unpadded = || stored.trim_end_matches('=').as_bytes();
    let (decoded, name) = match encoding {
        DigestEncoding::Hex => (HEXLOWER_PERMISSIVE.decode(stored.as_bytes()), "hexadecimal"),
        DigestEncoding::Base64 => (BASE64_NOPAD.decode(unpadded()), "base64"),
        DigestEncoding::Base64url => (BASE64URL_NOPAD.decode(unpadded()), "base64url"),
    };
    let digest = decoded.map_err(|_| InvalidStored::Encoding(name))?;
    if digest.len() == length { Ok(digest) } else { Err(InvalidStored::Length(length)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(scheme: &str, stored: &str) -> Result<Vec<u8>, InvalidStored> {
        decode_stored(&scheme.parse().unwrap(), stored)
    }

    #[test]
    fn digest_is_read_in_each_encoding() {
        let bytes = [0xab; 32];
        for (scheme, stored) in [
            ("sha256-hex", "ab".repeat(32)),
            ("sha256-hex", "Ab".repeat(32)),
            ("hmac-sha256-hex", "AB".repeat(32)),
            ("sha256-base64", data_encoding::BASE64.encode(&bytes)),
            ("sha256-base64", BASE64_NOPAD.encode(&bytes)),
            ("sha256-base64url", data_encoding::BASE64URL.encode(&bytes)),
            ("sha256-base64url", BASE64URL_NOPAD.encode(&bytes)),
        ] {
            assert_eq!(decoded(scheme, &stored).unwrap(), bytes, "{scheme}");
        }
        assert_eq!(decoded("sha512-hex", &"01".repeat(64)).unwrap(), [1; 64]);
    }

    #[test]
    fn digest_of_other_length_or_encoding_is_refused() {
        let hex = "ab".repeat(32);
        assert_eq!(decoded("sha512-hex", &hex), Err(InvalidStored::Length(64)));
        assert_eq!(decoded("sha256-hex", &"ab".repeat(64)), Err(InvalidStored::Length(32)));
        assert_eq!(decoded("sha256-hex", ""), Err(InvalidStored::Length(32)));
        assert_eq!(decoded("sha256-hex", &hex[1..]), Err(InvalidStored::Encoding("hexadecimal")));
        let base64url = BASE64URL_NOPAD.encode(&[0xff; 32]);
        assert_eq!(decoded("sha256-base64", &base64url), Err(InvalidStored::Encoding("base64")));
        assert_eq!(decoded("plaintext", "abc"), Err(InvalidStored::NotDigest));
        assert_eq!(decoded("bcrypt", "abc"), Err(InvalidStored::NotDigest));
    }
}
