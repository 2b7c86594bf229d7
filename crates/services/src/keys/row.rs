//! Converts between a key's row and its API forms.

use std::fmt::Display;

use latchkey_domain::api::{ApiKey, BudgetState, ListedKey, OldSecret};
use latchkey_domain::budget::{BudgetAmount, BudgetUnit, Budgets};
use latchkey_domain::id::KeyId;
use latchkey_domain::key::KeyStatus;
use latchkey_domain::query::folded;
use latchkey_domain::time::Timestamp;

use latchkey_domain::digest::KeyDigest;
use latchkey_store::entity::key;

/// The text that a search of keys matches against.
pub(crate) fn search_text(id: KeyId, name: &str, hint: &impl Display) -> String {
    folded(&format!("{name} {id} {hint}"))
}

pub(crate) fn status(row: &key::Model, now: Timestamp) -> KeyStatus {
    KeyStatus::at(now, row.revoked_at, row.expires_at, row.disabled)
}

/// Digests of all secrets of a row: the current one and the old one.
pub(super) fn digests(row: &key::Model) -> Vec<KeyDigest> {
    let both = [Some(row.digest), row.old_digest];
    both.into_iter().flatten().collect()
}

/// Budgets of which nothing was used yet.
pub(super) fn unused(budgets: &Budgets, now: Timestamp) -> Vec<BudgetState> {
    let states = budgets.as_slice().iter().map(|budget| {
        let (_, resets_at) = budget.period.around(now);
        let nothing = BudgetAmount::new(budget.unit, 0);
        BudgetState {
            unit: budget.unit,
            limit: budget.limit,
            period: budget.period,
            used: nothing,
            reserved: nothing,
            remaining: budget.limit,
            resets_at,
        }
    });
    states.collect()
}

/// Converts a row to its API form, with its status at `now` and the states of its budgets.
pub(super) fn to_api_key(row: key::Model, states: Vec<BudgetState>, now: Timestamp) -> ApiKey {
    let budgets = row.all_budgets();
    let (token_limit, token_limit_period) = budgets.token_limit().unzip();
    let (spend_limit, spend_limit_period) = budgets.spend_limit().unzip();
    ApiKey {
        id: row.id,
        kind: row.kind,
        project_id: row.project_id,
        application_id: row.application_id,
        environment: row.environment,
        status: status(&row, now),
        masked: row.hint,
        archived: row.archived_at.is_some(),
        disabled: row.disabled,
        rpm: row.rpm,
        tpm: row.tpm,
        max_parallel: row.max_parallel,
        budgets: states,
        token_limit,
        token_limit_period,
        spend_limit,
        spend_limit_period,
        external_id: row.external_id,
        metadata: row.metadata.unwrap_or_default(),
        tags: row.tags.unwrap_or_default(),
        scopes: row.scopes.unwrap_or_default(),
        allowed_models: row.allowed_models,
        allowed_cidrs: row.allowed_cidrs,
        created_at: row.created_at,
        created_by: row.created_by,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        archived_at: row.archived_at,
        last_used_at: row.last_used_at,
        permissions: row.permissions.map(|permissions| permissions.as_slice().to_vec()),
        name: row.name,
    }
}

/// Converts a row to its listed form, with the states of its budgets.
pub(super) fn to_listed(
    mut row: key::Model,
    states: Vec<BudgetState>,
    now: Timestamp,
) -> ListedKey {
    let tokens = states.iter().find(|state| state.unit == BudgetUnit::Tokens);
    let budget = tokens.map(BudgetState::as_token_budget);
    let old_secret = match (row.old_hint.take(), row.old_ends_at) {
        (Some(masked), Some(ends_at)) if ends_at > now && row.revoked_at.is_none() => {
            Some(OldSecret { masked, ends_at, last_used_at: row.old_last_used_at })
        }
        _ => None,
    };
    let last_used_ip = row.last_used_ip.take();
    ListedKey { key: to_api_key(row, states, now), last_used_ip, old_secret, budget }
}
