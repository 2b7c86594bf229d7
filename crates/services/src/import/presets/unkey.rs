//! Unkey: the table `keys`, SHA-256 in base64.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, DigestEncoding, FastAlgorithm, ImportRow, Part};
use latchkey_domain::key::{Environment, KeyKind, KeyStatus};
use latchkey_domain::limit::Period;
use latchkey_domain::problem::FieldError;
use serde::Deserialize;

use super::forms::{disabled, fast};
use super::requests::Requests;
use super::row::{ForeignRow, hint_of_start, scopes, shape};

/// A limit of the table `ratelimits`.
#[derive(Deserialize)]
struct RateLimit {
    limit: u64,
    /// Milliseconds.
    duration: u64,
    /// Whether it holds for checks that don't name it. MySQL writes 0 or 1.
    #[serde(default)]
    auto_apply: serde_json::Value,
}

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["hash"])?;
    let start = row.text(&["start"]).unwrap_or_default();
    let id = row.text(&["id", "keyId"]).unwrap_or_default();
    let mut key = KeyRequest::new(row.name(&["name"], &format!("Unkey {id}"))?, KeyKind::Api);
    if row.text(&["environment"]).is_some_and(|environment| environment == "test") {
        key.environment = Environment::Test;
    }
    key.expires_at = row.time(&["expires"])?;
    key.external_id = row.external_id(&["external_id", "externalId", "owner_id"])?;
    key.metadata = row.metadata(&["meta"])?;
    key.scopes = scopes("permissions", &row.list(&["permissions"])?)?;
    let requests = limits(row)?;
    let is_disabled = row.flag(&["enabled"])? == Some(false) || requests.admit_nothing();
    requests.set(&mut key);
    let status = match row.time(&["deleted_at_m"])? {
        Some(_) => Some(KeyStatus::Revoked),
        None => disabled(is_disabled),
    };
    // Keys whose migration to Unkey is pending stand under what their former system digested.
    let is_pending = row.text(&["pending_migration_id"]).is_some();
    let is_hex = stored.expose().len() == 64;
    let (encoding, part) = if is_pending && is_hex {
        (DigestEncoding::Hex, Part::AfterLastUnderscore)
    } else {
        (DigestEncoding::Base64, Part::Whole)
    };
    let prefix = start.rfind('_').and_then(|end| start.get(..=end)).unwrap_or_default();
    let (lengths, alphabet) = if part == Part::Whole {
        // 18 to 257 bytes in base58.
        (prefix.len() + 22..=prefix.len() + 352, Alphabet::Base62)
    } else {
        (prefix.len() + 20..=prefix.len() + 128, Alphabet::Base64url)
    };
    Ok(ImportRow {
        scheme: Some(fast(FastAlgorithm::Sha256, encoding, part)),
        hint: hint_of_start(&start),
        status,
        created_at: row.time(&["created_at_m", "created_at"])?,
        last_used_at: row.time(&["last_used_at"])?,
        shape: shape("start", prefix, lengths, alphabet)?,
        ..ImportRow::new(key, stored)
    })
}

/// Limits that hold for every check, and the credits that are left or come again.
fn limits(row: &ForeignRow) -> Result<Requests, FieldError> {
    let mut requests = Requests::default();
    let rates: Option<Vec<RateLimit>> = row.json(
        &["ratelimits"],
        "Use a list of objects with limit, duration (milliseconds) and auto_apply.",
    )?;
    for rate in rates.unwrap_or_default() {
        if rate.auto_apply == true || rate.auto_apply == 1 {
            requests.limit(rate.limit, rate.duration);
        }
    }
    let refill = row.whole(&["refill_amount"])?;
    match (row.whole(&["remaining_requests", "remaining"])?, refill) {
        (Some(remaining), None) => requests.limit_period(remaining, Period::Total),
        (Some(_), Some(amount)) => {
            let monthly = row.whole(&["refill_day"])?.is_some();
            requests.limit_period(amount, if monthly { Period::Month } else { Period::Day });
        }
        (None, _) => {}
    }
    Ok(requests)
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;

    use super::super::tests::{found, read};
    use super::*;

    const KEY: &str = "prod_3ZgVqwEJkMnRc9TfXh2sYb4d";
    // python3 -c 'import base64,hashlib; print(base64.b64encode(hashlib.sha256(KEY).digest()))'
    const ROW: &str = r#"{"id": "key_2cGKbMxRyIzhCxo1Idjz8q", "hash": "4/7XoDiEJZBiw/Iyh74jU5+UQzfnnAfc2RWM1QBHDEo=", "start": "prod_3ZgV",
        "name": "web", "meta": "{\"plan\":\"pro\"}", "expires": "2027-01-01 00:00:00.000",
        "created_at_m": 1796050053120, "last_used_at": 0, "enabled": 1, "external_id": "user_1",
        "remaining_requests": 5, "refill_amount": 100, "refill_day": null, "environment": null,
        "permissions": ["docs.read"], "ratelimits": [
            {"name": "default", "limit": 10, "duration": 1000, "auto_apply": 1},
            {"name": "heavy", "limit": 1, "duration": 1000, "auto_apply": 0}]}"#;

    #[test]
    fn unkey_row_is_read_with_its_limits() {
        let row = found(Preset::Unkey, ROW, KEY);
        assert_eq!(row.scheme.unwrap().to_string(), "sha256-base64");
        assert_eq!(row.stored.expose(), "4/7XoDiEJZBiw/Iyh74jU5+UQzfnnAfc2RWM1QBHDEo=");
        assert_eq!(row.hint.unwrap().as_str(), "prod_3ZgV...");
        assert_eq!((row.status, row.last_used_at), (None, None));
        assert_eq!(row.created_at.unwrap().to_string(), "2026-11-30T14:47:33.120Z");
        assert_eq!(row.key.rpm.flatten().unwrap().get(), 600);
        let budgets = row.key.budgets.flatten().unwrap();
        assert_eq!(
            serde_json::to_string(&budgets).unwrap(),
            r#"[{"unit":"requests","limit":100,"period":"day"}]"#
        );
        assert_eq!(row.key.metadata.unwrap().as_str(), r#"{"plan":"pro"}"#);
        assert_eq!(row.key.external_id.unwrap().as_str(), "user_1");
        assert_eq!(row.key.expires_at.unwrap().to_string(), "2027-01-01T00:00:00.000Z");
    }

    #[test]
    fn unkey_key_without_credits_or_deleted_is_off() {
        let spent = ROW.replace("\"refill_amount\": 100", "\"refill_amount\": null");
        let spent = spent.replace("\"remaining_requests\": 5", "\"remaining_requests\": 0");
        assert_eq!(read(Preset::Unkey, &spent).unwrap().status, Some(KeyStatus::Disabled));
        let deleted = ROW.replace("\"last_used_at\": 0", "\"deleted_at_m\": 1796050053120");
        assert_eq!(read(Preset::Unkey, &deleted).unwrap().status, Some(KeyStatus::Revoked));
    }

    #[test]
    fn key_of_pending_migration_has_its_former_digest() {
        let hex = "ab".repeat(32);
        let row =
            format!(r#"{{"hash": "{hex}", "start": "acme_", "pending_migration_id": "acme"}}"#);
        let row = found(Preset::Unkey, &row, "acme_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG");
        assert_eq!(row.scheme.unwrap().to_string(), "sha256-hex:after-last-underscore");
    }
}
