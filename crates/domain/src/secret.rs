//! The secret of a key: generation, parsing, checksum and masking.
//!
//! A secret has the form `{prefix}_{live|test}_{body}{checksum}`: 32 base62 characters from a
//! CSPRNG (190 bits), then the CRC-32 (ISO-HDLC, as in zlib) of everything before it, as a
//! big-endian base62 number of six characters. The checksum lets a check refuse a mistyped or
//! truncated key without a look-up, and lets secret scanners avoid false positives. It proves
//! nothing. The idea is GitHub's, see
//! <https://github.blog/engineering/behind-githubs-new-authentication-token-formats/>.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::key::Environment;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BODY_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 6;
const SHOWN: usize = 4;

/// Finds these keys in text, for secret scanners (docs/secret-scanning.md). The group ends with a
/// key. The expression avoids `\b`: engines disagree about it beside non-ASCII letters, and a key
/// may follow an unrelated letter or digit (a written-out `\n`, `%22`). It matches the end of a key
/// explicitly, and the checksum determines where the key begins.
pub const SCANNER_REGEX: &str =
    r"([a-z][a-z0-9]{1,15}_(?:live|test)_[0-9A-Za-z]{38})(?:[^0-9A-Za-z]|$)";

/// Prefix of a project's keys, before the first underscore: `[a-z][a-z0-9]{1,15}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPrefix(String);

/// Why a text is not a valid key prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use 2 to 16 lower-case letters and digits, starting with a letter.")]
pub struct InvalidPrefix;

impl KeyPrefix {
    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_valid(text: &str) -> bool {
        let bytes = text.as_bytes();
        (2..=16).contains(&bytes.len())
            && bytes[0].is_ascii_lowercase()
            && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    }
}

impl Default for KeyPrefix {
    fn default() -> Self {
        Self("lk".to_owned())
    }
}

impl FromStr for KeyPrefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        if Self::is_valid(text) { Ok(Self(text.to_owned())) } else { Err(InvalidPrefix) }
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A presented key with a valid form and checksum. It borrows the text, so that a check does not
/// allocate.
#[derive(Clone, Copy)]
pub struct PresentedKey<'a> {
    text: &'a str,
    prefix_length: usize,
    environment: Environment,
}

/// Why a text is not one of our keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedSecret {
    /// Not of the form `{prefix}_{live|test}_{38 letters and digits}`.
    #[error("A key has the form prefix_live_ or prefix_test_ followed by 38 letters and digits.")]
    Form,
    /// The form is right but the checksum is not: a character is missing, added or changed.
    #[error("The checksum doesn’t match. Check that you copied the key correctly.")]
    Checksum,
}

impl<'a> PresentedKey<'a> {
    /// Parses a key by form and checksum only. It does not compare secrets.
    ///
    /// # Errors
    /// [`MalformedSecret`] says which of the two is wrong.
    pub fn parse(text: &'a str) -> Result<Self, MalformedSecret> {
        // Parse from the end, where the lengths are fixed and no search is needed.
        let (head, tail) = text
            .len()
            .checked_sub(BODY_LENGTH + CHECKSUM_LENGTH)
            .and_then(|length| text.split_at_checked(length))
            .ok_or(MalformedSecret::Form)?;
        let of = |environment: Environment| {
            let prefix = head.strip_suffix('_')?.strip_suffix(environment.as_str())?;
            Some((prefix.strip_suffix('_')?, environment))
        };
        let (prefix, environment) = [Environment::Live, Environment::Test]
            .into_iter()
            .find_map(of)
            .ok_or(MalformedSecret::Form)?;
        let well_formed =
            KeyPrefix::is_valid(prefix) && tail.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !well_formed {
            return Err(MalformedSecret::Form);
        }
        let (checked, sum) = text.split_at(text.len() - CHECKSUM_LENGTH);
        if checksum(checked) != sum.as_bytes() {
            return Err(MalformedSecret::Checksum);
        }
        Ok(Self { text, prefix_length: prefix.len(), environment })
    }

    /// The plaintext, to be digested or compared and never stored.
    pub const fn expose(&self) -> &'a str {
        self.text
    }

    /// The environment in the key's text.
    pub const fn environment(&self) -> Environment {
        self.environment
    }

    /// The part of the key that may be stored and shown.
    pub fn hint(&self) -> KeyHint {
        let body = self.prefix_length + 1 + self.environment.as_str().len() + 1;
        KeyHint {
            prefix: KeyPrefix(self.text[..self.prefix_length].to_owned()),
            environment: self.environment,
            first: self.text[body..body + SHOWN].to_owned(),
            last: self.text[self.text.len() - SHOWN..].to_owned(),
        }
    }
}

impl fmt::Debug for PresentedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedKey([redacted])")
    }
}

/// The plaintext of a new key. It is returned once, by the request that created it, and never
/// stored.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(String);

impl SecretKey {
    /// Generates a secret. `fill` fills a buffer with random bytes from a CSPRNG.
    pub fn generate(
        prefix: &KeyPrefix,
        environment: Environment,
        mut fill: impl FnMut(&mut [u8]),
    ) -> Self {
        let mut text = format!("{prefix}_{}_", environment.as_str());
        let end = text.len() + BODY_LENGTH;
        while text.len() < end {
            let mut bytes = [0; 48];
            fill(&mut bytes);
            // Bytes from 248 on would make the first eight letters more likely than the others.
            let letters = bytes.iter().filter(|byte| **byte < 248);
            text.extend(
                letters
                    .take(end - text.len())
                    .map(|byte| char::from(BASE62[usize::from(byte % 62)])),
            );
        }
        let sum = checksum(&text);
        text.extend(sum.map(char::from));
        Self(text)
    }

    /// The plaintext, for the one response that returns it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The part of the key that may be stored and shown.
    pub fn hint(&self) -> KeyHint {
        let body = self.0.len() - CHECKSUM_LENGTH - BODY_LENGTH;
        let mut parts = self.0.split('_');
        let prefix = parts.next().unwrap_or_default().to_owned();
        let environment =
            parts.next().and_then(Environment::from_name).unwrap_or(Environment::Live);
        KeyHint {
            prefix: KeyPrefix(prefix),
            environment,
            first: self.0[body..body + SHOWN].to_owned(),
            last: self.0[self.0.len() - SHOWN..].to_owned(),
        }
    }
}

impl FromStr for SecretKey {
    type Err = MalformedSecret;

    fn from_str(text: &str) -> Result<Self, MalformedSecret> {
        PresentedKey::parse(text).map(|key| Self(key.expose().to_owned()))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey([redacted])")
    }
}

/// The visible part of a key: prefix, environment, the first four characters of its body and the
/// last four of the whole. Written `lk_live_7Qm2...x9Kd`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyHint {
    /// The project's prefix when the key was created.
    pub prefix: KeyPrefix,
    /// Environment in the key's text.
    pub environment: Environment,
    /// The first four characters of the body.
    pub first: String,
    /// The last four characters of the whole key.
    pub last: String,
}

impl fmt::Display for KeyHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}...{}", self.prefix, self.environment.as_str(), self.first, self.last)
    }
}

impl FromStr for KeyHint {
    type Err = MalformedSecret;

    fn from_str(text: &str) -> Result<Self, MalformedSecret> {
        let parts = || {
            let (prefix, rest) = text.split_once('_')?;
            let (environment, rest) = rest.split_once('_')?;
            let (first, last) = rest.split_once("...")?;
            let shown = |part: &str| {
                part.len() == SHOWN && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            };
            (shown(first) && shown(last)).then_some(())?;
            Some(Self {
                prefix: prefix.parse().ok()?,
                environment: Environment::from_name(environment)?,
                first: first.to_owned(),
                last: last.to_owned(),
            })
        };
        parts().ok_or(MalformedSecret::Form)
    }
}

impl Serialize for KeyPrefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for KeyPrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for KeyPrefix {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^[a-z][a-z0-9]{1,15}$"))
            .examples(["lk"])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for KeyPrefix {}

impl Serialize for KeyHint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyHint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

fn checksum(text: &str) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for KeyHint {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some(concat!(
                "^[a-z][a-z0-9]{1,15}_(?:live|test)_",
                r"[0-9A-Za-z]{4}\.\.\.[0-9A-Za-z]{4}$"
            )))
            .examples(["lk_live_7Qm2...x9Kd"])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for KeyHint {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A stand-in for a CSPRNG: splitmix64. Its stream depends on `seed` only.
    fn stream(mut seed: u64) -> impl FnMut(&mut [u8]) {
        move |buffer| {
            for byte in buffer {
                seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                *byte = mixed.to_be_bytes()[0];
            }
        }
    }

    fn secret(seed: u64) -> SecretKey {
        SecretKey::generate(&KeyPrefix::default(), Environment::Live, stream(seed))
    }

    #[test]
    fn checksum_is_crc_32_of_zlib_in_base62() {
        // CRC-32 of "123456789" is 0xCBF43926 = 3421780262, which is 3:45:35:1:9:0 in base 62.
        let mut value = 0_u64;
        for digit in checksum("123456789") {
            let place = BASE62.iter().position(|letter| *letter == digit).unwrap();
            value = value * 62 + u64::try_from(place).unwrap();
        }
        assert_eq!(value, 0xCBF4_3926);
        assert_eq!(checksum(""), *b"000000");
    }

    #[test]
    fn debug_output_never_contains_the_secret() {
        let secret = secret(1);
        let presented = PresentedKey::parse(secret.expose()).unwrap();
        for text in [format!("{secret:?}"), format!("{presented:?}")] {
            assert!(text.contains("redacted"));
            assert!(!text.contains(&secret.expose()[8..]));
        }
    }

    #[test]
    fn truncated_and_foreign_texts_are_malformed() {
        let secret = secret(2);
        let text = secret.expose();
        for length in 0..text.len() {
            assert!(PresentedKey::parse(&text[..length]).is_err());
        }
        for foreign in ["", "_", "__", "sk-abc", "lk_live_", "lk_prod_x", "LK_live_x", "ü_live_x"]
        {
            assert_eq!(
                PresentedKey::parse(foreign).unwrap_err(),
                MalformedSecret::Form,
                "{foreign}"
            );
        }
        assert!(PresentedKey::parse(&format!("{text}0")).is_err());
        assert!(PresentedKey::parse(&format!(" {text}")).is_err());
    }

    #[test]
    fn key_prefixes_follow_their_pattern() {
        for good in ["lk", "uk", "upblit", "a1", "a23456789012345b"] {
            assert!(good.parse::<KeyPrefix>().is_ok(), "{good}");
        }
        for bad in ["", "a", "1a", "Lk", "l_k", "l-k", "a23456789012345bc", "lé"] {
            assert_eq!(bad.parse::<KeyPrefix>(), Err(InvalidPrefix), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn generated_secret_is_parsed_and_masked(seed: u64, test: bool) {
            let environment = if test { Environment::Test } else { Environment::Live };
            let prefix: KeyPrefix = "upblit".parse().unwrap();
            let secret = SecretKey::generate(&prefix, environment, stream(seed));
            let presented = PresentedKey::parse(secret.expose()).unwrap();
            prop_assert_eq!(presented.environment(), environment);
            prop_assert_eq!(presented.hint(), secret.hint());
            let hint = secret.hint();
            prop_assert!(secret.expose().ends_with(&hint.last));
            prop_assert_eq!(hint.to_string().parse::<KeyHint>().unwrap(), hint);
        }

        #[test]
        fn changed_character_is_noticed(seed: u64, place in 0_usize..38, shift in 1_usize..62) {
            let secret = secret(seed);
            let mut bytes = secret.expose().as_bytes().to_vec();
            let at = bytes.len() - 38 + place;
            let old = BASE62.iter().position(|letter| *letter == bytes[at]).unwrap();
            bytes[at] = BASE62[(old + shift) % 62];
            let mistyped = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(PresentedKey::parse(&mistyped).unwrap_err(), MalformedSecret::Checksum);
        }

        #[test]
        fn parser_never_panics(text: String) {
            let _ = PresentedKey::parse(&text);
        }
    }
}
