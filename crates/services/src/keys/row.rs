//! Between a key's row and its shapes.

use latchkey_domain::api::{ApiKey, BudgetState, ListedKey, OldSecret};
use latchkey_domain::id::KeyId;
use latchkey_domain::key::KeyStatus;
use latchkey_domain::limit::Limit;
use latchkey_domain::query::folded;
use latchkey_domain::secret::KeyHint;
use latchkey_domain::time::Timestamp;
use serde::Serialize;

use crate::error::Error;
use latchkey_checker::digest::KeyDigest;
use latchkey_store::decode::{environment, kind, limits};
use latchkey_store::entity::key;

/// A limit as a column has it.
pub(super) fn to_column<const MAX: u64>(limit: Option<Limit<MAX>>) -> Option<i64> {
    limit.and_then(|limit| i64::try_from(limit.get()).ok())
}

/// A list as a column has it. Lists of names always have a JSON form.
pub(super) fn to_json<T: Serialize>(list: Option<&T>) -> Option<String> {
    list.and_then(|list| serde_json::to_string(list).ok())
}

/// What a search of the keys looks in.
pub(super) fn search_text(id: KeyId, name: &str, hint: &KeyHint) -> String {
    folded(&format!("{name} {id} {hint}"))
}

/// The status of a row at `now`.
pub(crate) fn status(row: &key::Model, now: Timestamp) -> KeyStatus {
    KeyStatus::at(now, time(row.revoked_at), time(row.expires_at))
}

/// The digests that lead to a row.
pub(super) fn digests(row: &key::Model) -> Vec<KeyDigest> {
    let both = [Some(&row.digest), row.old_digest.as_ref()];
    both.into_iter().flatten().filter_map(|bytes| KeyDigest::from_bytes(bytes)).collect()
}

fn time(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(Timestamp::from_millis)
}

/// A row as the API shows it, with its status at `now`.
///
/// # Errors
/// `Corrupt`.
pub(super) fn to_api_key(row: key::Model, now: Timestamp) -> Result<ApiKey, Error> {
    let limits = limits(&row)?;
    Ok(ApiKey {
        id: row.id.into(),
        kind: kind(&row)?,
        project_id: row.project_id.into(),
        application_id: row.application_id.map(Into::into),
        environment: environment(&row)?,
        masked: hint(&row.hint)?,
        status: status(&row, now),
        archived: row.archived_at.is_some(),
        rpm: limits.rpm,
        tpm: limits.tpm,
        max_parallel: limits.max_parallel,
        token_limit: limits.token_limit,
        token_limit_period: limits.token_limit_period,
        allowed_models: limits.allowed_models,
        allowed_cidrs: limits.allowed_cidrs,
        created_at: Timestamp::from_millis(row.created_at),
        created_by: row.created_by.into(),
        expires_at: time(row.expires_at),
        revoked_at: time(row.revoked_at),
        archived_at: time(row.archived_at),
        last_used_at: time(row.last_used_at),
        permissions: limits.permissions.map(|permissions| permissions.as_slice().to_vec()),
        name: row.name,
    })
}

/// A row as the pages list it, with where its token budget stands.
///
/// # Errors
/// `Corrupt`.
pub(super) fn to_listed(
    row: key::Model,
    budget: Option<BudgetState>,
    now: Timestamp,
) -> Result<ListedKey, Error> {
    let old_secret = match (row.old_hint.as_deref(), time(row.old_ends_at)) {
        (Some(masked), Some(ends_at)) if ends_at > now && row.revoked_at.is_none() => {
            let last_used_at = time(row.old_last_used_at);
            Some(OldSecret { masked: hint(masked)?, ends_at, last_used_at })
        }
        _ => None,
    };
    let last_used_ip = row.last_used_ip.clone();
    Ok(ListedKey { key: to_api_key(row, now)?, last_used_ip, old_secret, budget })
}

fn hint(text: &str) -> Result<KeyHint, Error> {
    text.parse().map_err(|_| Error::corrupt("key hint"))
}
