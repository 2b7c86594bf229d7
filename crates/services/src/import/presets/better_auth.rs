//! Better Auth's API key plugin: the table `apikey`, SHA-256 in base64 for URLs without padding.

use std::collections::BTreeMap;

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, DigestEncoding, FastAlgorithm, ImportRow, Part, Scheme};
use latchkey_domain::key::KeyKind;
use latchkey_domain::limit::Period;
use latchkey_domain::problem::FieldError;

use super::forms::{disabled, fast};
use super::requests::Requests;
use super::row::{ForeignRow, hint_of_start, scopes, shape};

/// Characters of SHA-256 in base64 without padding.
const DIGEST_CHARACTERS: usize = 43;

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["key"])?;
    let start = row.text(&["start"]).unwrap_or_default();
    let id = row.text(&["id"]).unwrap_or_default();
    let mut key = KeyRequest::new(row.name(&["name"], &format!("Better Auth {id}"))?, KeyKind::Api);
    key.expires_at = row.time(&["expiresAt", "expires_at"])?;
    key.external_id = row.external_id(&["referenceId", "reference_id", "userId", "user_id"])?;
    key.metadata = row.metadata(&["metadata"])?;
    key.scopes = scopes("permissions", &permissions(row)?)?;
    let requests = limits(row)?;
    let is_off = row.flag(&["enabled"])? == Some(false) || requests.admit_nothing();
    requests.set(&mut key);
    // With `disableKeyHashing` the column holds the key itself, which is longer by default.
    let is_digest = stored.expose().len() == DIGEST_CHARACTERS;
    let digest = Some(fast(FastAlgorithm::Sha256, DigestEncoding::Base64url, Part::Whole));
    let prefix = row.text(&["prefix"]).unwrap_or_default();
    let (lengths, alphabet) = if prefix.len() < 2 {
        (32..=128, Alphabet::Base62)
    } else {
        (prefix.len() + 16..=prefix.len() + 256, Alphabet::Visible)
    };
    let prefix = if prefix.len() < 2 { "" } else { prefix.as_str() };
    Ok(ImportRow {
        scheme: if is_digest { digest } else { Some(Scheme::Plaintext) },
        hint: hint_of_start(&start),
        status: disabled(is_off),
        created_at: row.time(&["createdAt", "created_at"])?,
        last_used_at: row.time(&["lastRequest", "last_request"])?,
        shape: shape("prefix", prefix, lengths, alphabet)?,
        ..ImportRow::new(key, stored)
    })
}

/// `{"files": ["read"]}` as `files:read`.
fn permissions(row: &ForeignRow) -> Result<Vec<String>, FieldError> {
    let granted: Option<BTreeMap<String, Vec<String>>> =
        row.json(&["permissions"], "Use an object of lists of texts.")?;
    let scopes = granted.unwrap_or_default().into_iter().flat_map(|(resource, actions)| {
        actions.into_iter().map(move |action| format!("{resource}:{action}"))
    });
    Ok(scopes.collect())
}

/// The rate, and the uses that are left or come again.
fn limits(row: &ForeignRow) -> Result<Requests, FieldError> {
    let mut requests = Requests::default();
    let is_limited = row.flag(&["rateLimitEnabled", "rate_limit_enabled"])? != Some(false);
    let most = row.whole(&["rateLimitMax", "rate_limit_max"])?;
    let window = row.whole(&["rateLimitTimeWindow", "rate_limit_time_window"])?;
    if let (true, Some(most), Some(window)) = (is_limited, most, window) {
        requests.limit(most, window);
    }
    let amount = row.whole(&["refillAmount", "refill_amount"])?;
    let interval = row.whole(&["refillInterval", "refill_interval"])?;
    match (row.whole(&["remaining"])?, amount, interval) {
        (Some(_), Some(amount), Some(interval)) => requests.limit(amount, interval),
        (Some(remaining), _, _) => requests.limit_period(remaining, Period::Total),
        (None, _, _) => {}
    }
    Ok(requests)
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;
    use latchkey_domain::key::KeyStatus;

    use super::super::tests::{found, read};
    use super::*;

    const KEY: &str = "shop_pSoQyTYxqYmmbZPrgkUeJTaWRnDqfdtYsZGNLGnkVqYQKwXhPdVmxTLAmcBvRzJE";
    const ROW: &str = r#"{"id": "Vp1", "configId": "default", "name": "Web", "start": "shop_p",
        "prefix": "shop_", "key": "oort6m9ey8qQvL9E-va9-8N9wyGp1DoE-psVZHGwOJo", "referenceId": "u1",
        "enabled": 1, "rateLimitEnabled": 1, "rateLimitTimeWindow": 86400000, "rateLimitMax": 10,
        "requestCount": 0, "remaining": 7, "refillInterval": null, "refillAmount": null,
        "lastRequest": null, "expiresAt": "2027-01-01T00:00:00.000Z",
        "createdAt": "2026-11-30T14:47:33.120Z", "permissions": "{\"files\":[\"read\",\"write\"]}",
        "metadata": "{\"plan\":\"pro\"}"}"#;

    #[test]
    fn better_auth_row_is_read_with_its_limits() {
        let row = found(Preset::BetterAuth, ROW, KEY);
        assert_eq!(row.scheme.unwrap().to_string(), "sha256-base64url");
        assert_eq!(row.hint.unwrap().as_str(), "shop_p...");
        assert_eq!(
            serde_json::to_string(&row.key.budgets.flatten().unwrap()).unwrap(),
            r#"[{"unit":"requests","limit":10,"period":"day"},{"unit":"requests","limit":7,"period":"total"}]"#
        );
        let scopes = serde_json::to_string(&row.key.scopes.unwrap()).unwrap();
        assert_eq!(scopes, r#"["files:read","files:write"]"#);
        assert_eq!(row.key.external_id.unwrap().as_str(), "u1");
        assert_eq!((row.status, row.last_used_at), (None, None));
    }

    #[test]
    fn better_auth_key_that_is_not_hashed_is_plaintext() {
        let plain = ROW
            .replace("oort6m9ey8qQvL9E-va9-8N9wyGp1DoE-psVZHGwOJo", KEY)
            .replace("\"enabled\": 1", "\"enabled\": false");
        let row = read(Preset::BetterAuth, &plain).unwrap();
        assert_eq!(row.scheme, Some(Scheme::Plaintext));
        assert_eq!(row.status, Some(KeyStatus::Disabled));
    }

    #[test]
    fn better_auth_prefix_of_ours_is_refused() {
        let ours = ROW.replace("\"shop_\"", "\"lk_live_\"");
        assert_eq!(read(Preset::BetterAuth, &ours).unwrap_err().field, "prefix");
    }
}
