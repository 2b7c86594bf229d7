//! The hash of a row.

use latchkey_checker::digest::Pepper;
use latchkey_store::entity::audit_event;

/// The first row's predecessor.
pub(super) const GENESIS: [u8; 32] = [0; 32];

/// HMAC-SHA-256 over the hash before and the row's content as a JSON array, so that no text can run
/// into its neighbour.
pub(super) fn hash(pepper: &Pepper, before: &[u8], row: &audit_event::Model) -> Vec<u8> {
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
    pepper.chain(before, content.to_string().as_bytes()).to_vec()
}
