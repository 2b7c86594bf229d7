//! Hash of a row.

use latchkey_checker::digest::ChainKey;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use latchkey_store::entity::audit_event;

/// Predecessor of the first row.
pub(super) const GENESIS: [u8; 32] = [0; 32];

/// A row with raw column types. A tampered row may hold values that the typed entity rejects, and
/// verification must report it instead of failing.
#[derive(FromQueryResult)]
pub(super) struct Link {
    organization_id: Uuid,
    pub(super) sequence: i64,
    pub(super) id: Uuid,
    at: i64,
    actor_kind: String,
    actor_id: Option<String>,
    actor_name: String,
    action: String,
    target_kind: String,
    target_id: String,
    target_name: String,
    ip: Option<String>,
    changes: String,
    pub(super) hash: Vec<u8>,
}

impl Link {
    /// The link of a row that is about to be inserted.
    pub(super) fn of(row: &audit_event::Model) -> Self {
        let row = row.clone();
        Self {
            organization_id: row.organization_id.into(),
            sequence: row.sequence,
            id: row.id.into(),
            at: row.at.as_millis(),
            actor_kind: row.actor_kind.as_str().to_owned(),
            actor_id: row.actor_id,
            actor_name: row.actor_name,
            action: row.action.as_str().to_owned(),
            target_kind: row.target_kind.as_str().to_owned(),
            target_id: row.target_id,
            target_name: row.target_name,
            ip: row.ip,
            changes: row.changes,
            hash: row.hash,
        }
    }
}

/// HMAC-SHA-256 over the previous hash and the row's content as a JSON array. The array keeps
/// fields apart, so content can't be moved from one field to the next.
pub(super) fn hash(key: &ChainKey, before: &[u8], row: &Link) -> Vec<u8> {
    let content = serde_json::json!([
        row.organization_id,
        row.sequence,
        row.id,
        row.at,
        row.actor_kind,
        row.actor_id,
        row.actor_name,
        row.action,
        row.target_kind,
        row.target_id,
        row.target_name,
        row.ip,
        row.changes,
    ]);
    key.link(before, content.to_string().as_bytes()).to_vec()
}
