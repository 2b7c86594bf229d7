//! Hashes that take long on purpose, with bounds on what a check of one may cost.

use data_encoding::{BASE64, BASE64_NOPAD};

use super::scheme::Scheme;
use super::stored::InvalidStored;

/// A slow hash of another system, within the bounds of what a node computes.
#[derive(Clone, PartialEq, Eq)]
pub enum SlowHash {
    /// Django's form of PBKDF2 with HMAC-SHA-256.
    Pbkdf2Sha256 {
        /// Iterations, at most [`SlowHash::MAX_ROUNDS`].
        rounds: u32,
        /// Salt, as its text's bytes.
        salt: Vec<u8>,
        /// Derived key: 32 bytes.
        digest: Vec<u8>,
    },
    /// Bcrypt in its 60 characters, of version 2a, 2b or 2y and a cost of at most
    /// [`SlowHash::MAX_BCRYPT_COST`].
    Bcrypt(String),
    /// Scrypt in PHC form.
    Scrypt {
        /// Binary logarithm of N.
        log_n: u8,
        /// Block size.
        r: u32,
        /// Parallelism, at most [`SlowHash::MAX_SCRYPT_P`].
        p: u32,
        /// Random bytes that were hashed with the key.
        salt: Vec<u8>,
        /// Derived key, 16 to 64 bytes.
        digest: Vec<u8>,
    },
}

const PBKDF2_FORM: &str = "pbkdf2_sha256$rounds$salt$digest, the digest of 32 bytes in base64";
const BCRYPT_FORM: &str = "$2a$, $2b$ or $2y$, a cost of two digits, $ and 53 characters";
const SCRYPT_FORM: &str = "$scrypt$ln=15,r=8,p=1$salt$digest, both in base64 without padding";
const MAX_SALT: usize = 128;

impl SlowHash {
    /// Maximum iterations of PBKDF2.
    pub const MAX_ROUNDS: u32 = 1_000_000;
    /// Maximum cost of bcrypt.
    pub const MAX_BCRYPT_COST: u8 = 12;
    /// Maximum memory of scrypt, 128 × r × N, in bytes.
    pub const MAX_SCRYPT_BYTES: u64 = 64 << 20;
    /// Maximum parallelism of scrypt.
    pub const MAX_SCRYPT_P: u32 = 4;

    /// Parses the stored form of a slow scheme.
    ///
    /// # Errors
    /// The text has another form, costs too much, or the scheme is not slow.
    pub fn parse(scheme: &Scheme, stored: &str) -> Result<Self, InvalidStored> {
        match scheme {
            Scheme::Pbkdf2Sha256 => pbkdf2(stored),
            Scheme::Bcrypt => bcrypt(stored),
            Scheme::Scrypt => scrypt(stored),
            Scheme::Plaintext | Scheme::Fast(_) | Scheme::Hmac(_) => Err(InvalidStored::NotDigest),
        }
    }
}

impl std::fmt::Debug for SlowHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SlowHash([redacted])")
    }
}

/// A number in digits alone, without a sign.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn pbkdf2(stored: &str) -> Result<SlowHash, InvalidStored> {
    let parts = || {
        let mut parts = stored.strip_prefix("pbkdf2_sha256$")?.split('$');
        let (rounds, salt, digest) = (parts.next()?, parts.next()?, parts.next()?);
        let rounds: u64 = number(rounds)?;
        let digest = BASE64.decode(digest.as_bytes()).ok()?;
        let fits = parts.next().is_none()
            && rounds > 0
            && (1..=MAX_SALT).contains(&salt.len())
            && digest.len() == 32;
        fits.then(|| (rounds, salt.as_bytes().to_vec(), digest))
    };
    let (rounds, salt, digest) = parts().ok_or(InvalidStored::Form(PBKDF2_FORM))?;
    let rounds = u32::try_from(rounds).ok().filter(|rounds| *rounds <= SlowHash::MAX_ROUNDS);
    let rounds = rounds.ok_or(InvalidStored::TooCostly("1,000,000 rounds of PBKDF2"))?;
    Ok(SlowHash::Pbkdf2Sha256 { rounds, salt, digest })
}

fn bcrypt(stored: &str) -> Result<SlowHash, InvalidStored> {
    let parts = || {
        let versions = ["$2a$", "$2b$", "$2y$"];
        let rest = versions.into_iter().find_map(|version| stored.strip_prefix(version))?;
        let (cost, hash) = rest.split_once('$')?;
        let of_alphabet =
            hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'));
        let cost: u8 = number(cost).filter(|_| cost.len() == 2)?;
        (hash.len() == 53 && of_alphabet && (4..=31).contains(&cost)).then_some(cost)
    };
    let cost = parts().ok_or(InvalidStored::Form(BCRYPT_FORM))?;
    if cost > SlowHash::MAX_BCRYPT_COST {
        return Err(InvalidStored::TooCostly("cost 12 of bcrypt"));
    }
    Ok(SlowHash::Bcrypt(stored.to_owned()))
}

fn scrypt(stored: &str) -> Result<SlowHash, InvalidStored> {
    let parts = || {
        let mut parts = stored.strip_prefix("$scrypt$")?.split('$');
        let (costs, salt, digest) = (parts.next()?, parts.next()?, parts.next()?);
        let mut costs = costs.split(',');
        let mut cost = |name: &str| number::<u32>(costs.next()?.strip_prefix(name)?);
        let (log_n, r, p) = (cost("ln=")?, cost("r=")?, cost("p=")?);
        let salt = BASE64_NOPAD.decode(salt.as_bytes()).ok()?;
        let digest = BASE64_NOPAD.decode(digest.as_bytes()).ok()?;
        let fits = parts.next().is_none()
            && costs.next().is_none()
            && log_n > 0
            && r > 0
            && p > 0
            && (1..=MAX_SALT).contains(&salt.len())
            && (16..=64).contains(&digest.len());
        fits.then_some((log_n, r, p, salt, digest))
    };
    let (log_n, r, p, salt, digest) = parts().ok_or(InvalidStored::Form(SCRYPT_FORM))?;
    let too_costly = InvalidStored::TooCostly("64 MiB and p=4 of scrypt");
    let n = 1_u64.checked_shl(log_n).ok_or(too_costly)?;
    let bytes = n.checked_mul(128).and_then(|bytes| bytes.checked_mul(u64::from(r)));
    let fits = bytes.is_some_and(|bytes| bytes <= SlowHash::MAX_SCRYPT_BYTES);
    // N itself must be below 2^(16 r), as RFC 7914 has it.
    let sound = u64::from(log_n) < u64::from(r).saturating_mul(16);
    let log_n = u8::try_from(log_n).map_err(|_| too_costly)?;
    if !fits || p > SlowHash::MAX_SCRYPT_P {
        return Err(too_costly);
    }
    if !sound {
        return Err(InvalidStored::Form(SCRYPT_FORM));
    }
    Ok(SlowHash::Scrypt { log_n, r, p, salt, digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=";

    #[test]
    fn slow_hash_is_read_within_its_bounds() {
        let rounds = |rounds: &str| {
            SlowHash::parse(&Scheme::Pbkdf2Sha256, &format!("pbkdf2_sha256${rounds}$salt${DIGEST}"))
        };
        assert!(matches!(rounds("1000000"), Ok(SlowHash::Pbkdf2Sha256 { rounds: 1_000_000, .. })));
        for costly in ["1000001", "99999999999"] {
            assert!(matches!(rounds(costly), Err(InvalidStored::TooCostly(_))), "{costly}");
        }
        for wrong in ["0", "", "-1", "+1", "1e3"] {
            assert!(matches!(rounds(wrong), Err(InvalidStored::Form(_))), "{wrong}");
        }
        let cost = |version: &str, cost: &str| {
            let hash = "a".repeat(53);
            SlowHash::parse(&Scheme::Bcrypt, &format!("${version}${cost}${hash}"))
        };
        assert!(cost("2b", "12").is_ok() && cost("2a", "04").is_ok() && cost("2y", "10").is_ok());
        assert!(matches!(cost("2b", "13"), Err(InvalidStored::TooCostly(_))));
        assert!(matches!(cost("2x", "10"), Err(InvalidStored::Form(_))));
        assert!(matches!(cost("2b", "4"), Err(InvalidStored::Form(_))));
    }

    #[test]
    fn scrypt_is_bounded_in_memory_and_parallelism() {
        let digest = DIGEST.trim_end_matches('=');
        let of = |costs: &str| {
            SlowHash::parse(&Scheme::Scrypt, &format!("$scrypt${costs}$c2FsdA${digest}"))
        };
        assert!(of("ln=16,r=8,p=4").is_ok());
        for costly in ["ln=17,r=8,p=1", "ln=14,r=8,p=5", "ln=63,r=1,p=1", "ln=4000000000,r=8,p=1"] {
            assert!(matches!(of(costly), Err(InvalidStored::TooCostly(_))), "{costly}");
        }
        for wrong in ["ln=0,r=8,p=1", "r=8,ln=15,p=1", "ln=15,r=8,p=1,x=1", "ln=15,r=8", ""] {
            assert!(matches!(of(wrong), Err(InvalidStored::Form(_))), "{wrong}");
        }
        assert!(SlowHash::parse(&Scheme::Plaintext, "a").is_err());
    }
}
