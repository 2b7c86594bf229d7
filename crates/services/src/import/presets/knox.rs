//! django-rest-knox: the table `knox_authtoken`.
//!
//! Version 4.2 digests the bytes that the token is the hexadecimal form of; version 5 the token's
//! text. The length of `token_key`, the token's start, tells them apart: 8 characters before 5, 15
//! since. Version 4.1 adds a salt of each row, which no scheme here has.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, DigestEncoding, FastAlgorithm, ImportRow, Part};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;

use super::forms::fast;
use super::row::{ForeignRow, hint_of_start, refused, shape};

/// Characters of `token_key` before version 5.
const OLD_TOKEN_KEY: usize = 8;
/// Characters of a token without its prefix.
const TOKEN: usize = 64;
/// Most characters of a token's prefix.
const MAX_PREFIX: usize = 10;

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["digest"])?;
    if row.text(&["salt"]).is_some() {
        return Err(refused(
            "salt",
            "Tokens of django-rest-knox before 4.2 are salted and can’t be imported; it makes no \
             use of them after an upgrade either. Issue new ones.",
        ));
    }
    let algorithm = match stored.expose().len() {
        128 => FastAlgorithm::Sha512,
        64 => FastAlgorithm::Sha256,
        _ => return Err(refused("digest", "Only SHA-512 and SHA-256 can be imported.")),
    };
    let start = row.required(&["token_key"])?;
    let is_old = start.len() == OLD_TOKEN_KEY;
    let name = row.name(&["name"], &format!("Knox token {start}"))?;
    let mut key = KeyRequest::new(name, KeyKind::Api);
    key.expires_at = row.time(&["expiry"])?;
    key.external_id = row.external_id(&["user_id", "user"])?;
    // Version 5 can put a prefix before the token. What is not hexadecimal ends it.
    let end = start.rfind(|character: char| !character.is_ascii_hexdigit());
    let prefix = end.and_then(|end| start.get(..=end)).unwrap_or_default();
    let shape = if prefix.is_empty() {
        let longest = if is_old { TOKEN } else { TOKEN + MAX_PREFIX };
        shape("token_key", "", TOKEN..=longest, Alphabet::Hex)?
    } else {
        shape("token_key", prefix, prefix.len() + TOKEN..=TOKEN + MAX_PREFIX, Alphabet::Hex)?
    };
    let part = if is_old { Part::Unhexed } else { Part::Whole };
    Ok(ImportRow {
        scheme: Some(fast(algorithm, DigestEncoding::Hex, part)),
        hint: hint_of_start(&start),
        created_at: row.time(&["created"])?,
        shape,
        ..ImportRow::new(key, stored)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;

    use super::super::tests::{found, read};

    const TOKEN_TEXT: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn row(digest: &str, token_key: &str) -> String {
        format!(
            r#"{{"digest": "{digest}", "token_key": "{token_key}", "user_id": 7,
                "created": "2026-11-30 14:47:33.120000+00", "expiry": null}}"#
        )
    }

    #[test]
    fn knox_4_token_is_digested_without_its_encoding() {
        let row = found(
            Preset::Knox,
            &row(
                "70611ed00e1fa7da86f17bd15cf384569dd9d342b9810f1d359fd492022d328e1668505db7b1341084b0f06acfeca1f5de473b643544176f97589008693c0f19",
                "9f86d081",
            ),
            TOKEN_TEXT,
        );
        assert_eq!(row.scheme.unwrap().to_string(), "sha512-hex:unhexed");
        assert_eq!(row.key.name.as_str(), "Knox token 9f86d081");
        assert_eq!(row.key.external_id.unwrap().as_str(), "7");
        assert_eq!(row.hint.unwrap().as_str(), "9f86d081...");
    }

    #[test]
    fn knox_5_token_is_digested_as_text() {
        let plain = found(
            Preset::Knox,
            &row(
                "286f37dd952ff65ef75ffdc183e73b33e111d0d1652c3356e4bc54c714a34df8c3bb4c8d48b799e11e97ff2bd86f4d396bd13e764c81d2be8ead32d47bd8f848",
                "9f86d081884c7d6",
            ),
            TOKEN_TEXT,
        );
        assert_eq!(plain.scheme.unwrap().to_string(), "sha512-hex");
        let prefixed = format!("acme_{TOKEN_TEXT}");
        let row = row(&"ab".repeat(64), "acme_9f86d08188");
        let row = found(Preset::Knox, &row, &prefixed);
        assert_eq!(row.shape.unwrap().prefix(), "acme_");
    }

    #[test]
    fn knox_token_with_salt_or_other_digest_is_refused() {
        let salted = row(&"ab".repeat(64), "9f86d081")
            .replace("\"expiry\"", "\"salt\": \"00ff\", \"expiry\"");
        assert_eq!(read(Preset::Knox, &salted).unwrap_err().field, "salt");
        let short = row(&"ab".repeat(20), "9f86d081");
        assert_eq!(read(Preset::Knox, &short).unwrap_err().field, "digest");
    }
}
