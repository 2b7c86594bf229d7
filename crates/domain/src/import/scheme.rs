//! Schemes: what another system digested of a key, and how.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What another system stores of a key. Written as in the API: `sha256-hex:after-pipe`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// The key itself.
    Plaintext,
    /// One digest without a secret.
    Fast(FastScheme),
    /// A digest under a secret of the other system, in hexadecimal.
    Hmac(HmacAlgorithm),
    /// Django's `pbkdf2_sha256$rounds$salt$digest`.
    Pbkdf2Sha256,
    /// `$2b$cost$…`.
    Bcrypt,
    /// `$scrypt$ln=…,r=…,p=…$salt$digest`.
    Scrypt,
}

/// A digest of a key, or of a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FastScheme {
    /// Hash function.
    pub algorithm: FastAlgorithm,
    /// How the digest is written.
    pub encoding: DigestEncoding,
    /// What of the key was digested.
    pub part: Part,
}

/// Hash function of a [`FastScheme`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FastAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// Hash function of a HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HmacAlgorithm {
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// How a digest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigestEncoding {
    /// Hexadecimal, in any case.
    Hex,
    /// Base64, with or without padding.
    Base64,
    /// Base64 for URLs, with or without padding.
    Base64url,
}

/// What of a presented key was digested.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// The whole text.
    Whole,
    /// What follows the last `_`.
    AfterLastUnderscore,
    /// What follows the first `|`.
    AfterPipe,
    /// The bytes that the text is the hexadecimal form of.
    Unhexed,
    /// The text behind this one: `Bearer ` and the key.
    Prefixed(String),
    /// The text before this one: the key and a salt that all keys of the system share.
    Suffixed(String),
}

/// The text is not the name of a scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "Use plaintext, sha256-hex, sha256-base64, sha256-base64url or the same of sha512, each \
     alone or with :whole, :after-last-underscore, :after-pipe, :unhexed, :prefixed=TEXT or \
     :suffixed=TEXT; hmac-sha256-hex, hmac-sha512-hex, pbkdf2-sha256, bcrypt or scrypt."
)]
pub struct InvalidScheme;

/// What is written as it is in the text of [`Part::Prefixed`] and [`Part::Suffixed`].
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Longest text of [`Part::Prefixed`] and [`Part::Suffixed`], in bytes.
const MAX_FIXED: usize = 64;

impl FastAlgorithm {
    /// The name in a scheme: `sha256`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of a digest, in bytes.
    pub const fn digest_length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl HmacAlgorithm {
    /// The name without the encoding: `hmac-sha256`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "hmac-sha256",
            Self::Sha512 => "hmac-sha512",
        }
    }

    /// Length of a digest, in bytes.
    pub const fn digest_length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl DigestEncoding {
    /// The name in a scheme: `hex`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Base64url => "base64url",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole"),
            Self::AfterLastUnderscore => f.write_str("after-last-underscore"),
            Self::AfterPipe => f.write_str("after-pipe"),
            Self::Unhexed => f.write_str("unhexed"),
            Self::Prefixed(text) => {
                write!(f, "prefixed={}", utf8_percent_encode(text, UNRESERVED))
            }
            Self::Suffixed(text) => {
                write!(f, "suffixed={}", utf8_percent_encode(text, UNRESERVED))
            }
        }
    }
}

impl FromStr for Part {
    type Err = InvalidScheme;

    fn from_str(text: &str) -> Result<Self, InvalidScheme> {
        match text {
            "whole" => Ok(Self::Whole),
            "after-last-underscore" => Ok(Self::AfterLastUnderscore),
            "after-pipe" => Ok(Self::AfterPipe),
            "unhexed" => Ok(Self::Unhexed),
            other => match other.split_once('=') {
                Some(("prefixed", text)) => fixed(text).map(Self::Prefixed),
                Some(("suffixed", text)) => fixed(text).map(Self::Suffixed),
                _ => Err(InvalidScheme),
            },
        }
    }
}

/// The text that all keys of a system are digested with.
fn fixed(text: &str) -> Result<String, InvalidScheme> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| InvalidScheme)?;
    let fits = (1..=MAX_FIXED).contains(&text.len());
    if !fits || text.chars().any(char::is_control) {
        return Err(InvalidScheme);
    }
    Ok(text.into_owned())
}

impl Scheme {
    /// Whether a check of such a key takes long on purpose. Only these need `lookup`.
    pub const fn is_slow(&self) -> bool {
        matches!(self, Self::Pbkdf2Sha256 | Self::Bcrypt | Self::Scrypt)
    }

    /// The name without the encoding, which says how a digest was written and not what it is of:
    /// `sha256:whole`, `hmac-sha512`, `bcrypt`. What the database and digests under a pepper have.
    pub fn canonical(&self) -> String {
        match self {
            Self::Fast(fast) => format!("{}:{}", fast.algorithm.as_str(), fast.part),
            Self::Hmac(algorithm) => algorithm.as_str().to_owned(),
            Self::Plaintext | Self::Pbkdf2Sha256 | Self::Bcrypt | Self::Scrypt => self.to_string(),
        }
    }

    /// The inverse of [`Self::canonical`], with hexadecimal as the encoding.
    pub fn from_canonical(text: &str) -> Option<Self> {
        match text {
            "hmac-sha256" => return Some(Self::Hmac(HmacAlgorithm::Sha256)),
            "hmac-sha512" => return Some(Self::Hmac(HmacAlgorithm::Sha512)),
            _ => {}
        }
        let Some((algorithm, part)) = text.split_once(':') else {
            let scheme: Self = text.parse().ok()?;
            return (scheme == Self::Plaintext || scheme.is_slow()).then_some(scheme);
        };
        let algorithm = match algorithm {
            "sha256" => FastAlgorithm::Sha256,
            "sha512" => FastAlgorithm::Sha512,
            _ => return None,
        };
        let part = part.parse().ok()?;
        Some(Self::Fast(FastScheme { algorithm, encoding: DigestEncoding::Hex, part }))
    }
}

impl fmt::Display for FastScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.algorithm.as_str(), self.encoding.as_str())?;
        match &self.part {
            Part::Whole => Ok(()),
            part => write!(f, ":{part}"),
        }
    }
}

impl FromStr for FastScheme {
    type Err = InvalidScheme;

    fn from_str(text: &str) -> Result<Self, InvalidScheme> {
        let (digest, part) = text.split_once(':').unwrap_or((text, "whole"));
        let (algorithm, encoding) = digest.split_once('-').ok_or(InvalidScheme)?;
        let algorithm = match algorithm {
            "sha256" => FastAlgorithm::Sha256,
            "sha512" => FastAlgorithm::Sha512,
            _ => return Err(InvalidScheme),
        };
        let encoding = match encoding {
            "hex" => DigestEncoding::Hex,
            "base64" => DigestEncoding::Base64,
            "base64url" => DigestEncoding::Base64url,
            _ => return Err(InvalidScheme),
        };
        Ok(Self { algorithm, encoding, part: part.parse()? })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plaintext => f.write_str("plaintext"),
            Self::Fast(fast) => fast.fmt(f),
            Self::Hmac(algorithm) => write!(f, "{}-hex", algorithm.as_str()),
            Self::Pbkdf2Sha256 => f.write_str("pbkdf2-sha256"),
            Self::Bcrypt => f.write_str("bcrypt"),
            Self::Scrypt => f.write_str("scrypt"),
        }
    }
}

impl FromStr for Scheme {
    type Err = InvalidScheme;

    fn from_str(text: &str) -> Result<Self, InvalidScheme> {
        match text {
            "plaintext" => Ok(Self::Plaintext),
            "hmac-sha256-hex" => Ok(Self::Hmac(HmacAlgorithm::Sha256)),
            "hmac-sha512-hex" => Ok(Self::Hmac(HmacAlgorithm::Sha512)),
            "pbkdf2-sha256" => Ok(Self::Pbkdf2Sha256),
            "bcrypt" => Ok(Self::Bcrypt),
            "scrypt" => Ok(Self::Scrypt),
            other => other.parse().map(Self::Fast),
        }
    }
}

impl Serialize for Scheme {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scheme {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Scheme {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some(concat!(
                "^(?:plaintext|pbkdf2-sha256|bcrypt|scrypt|hmac-sha(?:256|512)-hex",
                "|sha(?:256|512)-(?:hex|base64|base64url)",
                "(?::(?:whole|after-last-underscore|after-pipe|unhexed",
                "|(?:pre|suf)fixed=[A-Za-z0-9._~-]{1,60}(?:%20)?))?)$"
            )))
            .description(Some(
                "What the other system digested of a key, and how it is written. The text after \
                 `prefixed=` and `suffixed=` is percent-encoded",
            ))
            .examples(["sha256-hex", "sha256-base64url:after-pipe"])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Scheme {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_round_trips_through_its_name() {
        for name in [
            "plaintext",
            "sha256-hex",
            "sha512-base64",
            "sha256-base64url:after-pipe",
            "sha512-hex:unhexed",
            "sha256-hex:after-last-underscore",
            "sha256-hex:prefixed=Bearer%20",
            "sha256-hex:suffixed=a%2Fb",
            "hmac-sha256-hex",
            "hmac-sha512-hex",
            "pbkdf2-sha256",
            "bcrypt",
            "scrypt",
        ] {
            let scheme: Scheme = name.parse().unwrap();
            assert_eq!(scheme.to_string(), name);
            let canonical = scheme.canonical();
            assert_eq!(Scheme::from_canonical(&canonical).unwrap().canonical(), canonical);
        }
        assert_eq!("sha256-hex:whole".parse::<Scheme>(), "sha256-hex".parse());
    }

    #[test]
    fn canonical_name_leaves_out_the_encoding() {
        for (name, canonical) in [
            ("sha256-hex", "sha256:whole"),
            ("sha256-base64", "sha256:whole"),
            ("sha512-base64url:after-pipe", "sha512:after-pipe"),
            ("hmac-sha256-hex", "hmac-sha256"),
            ("bcrypt", "bcrypt"),
        ] {
            assert_eq!(name.parse::<Scheme>().unwrap().canonical(), canonical);
        }
        for not in ["sha256-hex", "sha1:whole", "sha256:", "hmac-sha256-hex", ""] {
            assert_eq!(Scheme::from_canonical(not), None, "{not}");
        }
    }

    #[test]
    fn unknown_scheme_is_refused() {
        for text in [
            "",
            "sha256",
            "SHA256-hex",
            "sha1-hex",
            "sha256-hex:",
            "sha256-hex:prefixed=",
            "sha256-hex:suffixed=",
            "sha256-hex:fixed=a",
            "sha256-hex:prefixed=%0a",
            "sha256-hex:prefixed=%ff",
            "hmac-sha256",
            "hmac-sha256-base64",
            "sha256-hex:whole:whole",
        ] {
            assert_eq!(text.parse::<Scheme>(), Err(InvalidScheme), "{text}");
        }
    }
}
