//! Sets tiers.

use latchkey_checker::KeyInvalidation;
use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::tier::Tier;
use sea_orm::{ActiveModelTrait, IntoActiveModel};

use super::Operator;
use crate::audit::{Changes, Event};
use crate::error::Error;
use crate::organizations;

/// What [`set_tier`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierChange {
    /// Name of the organization.
    pub organization: String,
    /// Its tier before.
    pub before: Tier,
    /// Its tier now.
    pub after: Tier,
}

/// Sets the tier of an organization, as a PATCH by an administrator of the instance does. Servers
/// that run apply it within a second. A lower tier revokes nothing; it only refuses new keys.
///
/// # Errors
/// `NotFound` if there is no such organization.
pub async fn set_tier(
    operator: &Operator,
    id: OrganizationId,
    tier: Tier,
) -> Result<TierChange, Error> {
    let transaction = operator.database.begin().await?;
    let mut row = organizations::lock(&transaction, id).await?;
    let change = TierChange { organization: row.name.clone(), before: row.tier, after: tier };
    if change.before == tier {
        transaction.rollback().await?;
        return Ok(change);
    }
    row.tier = tier;
    let row = row.into_active_model().reset_all().update(&transaction).await?;
    let event = Event {
        action: AuditAction::TierChanged,
        kind: TargetKind::Organization,
        id: id.to_string(),
        name: &row.name,
        changes: Changes::default().field("tier", change.before, tier),
    };
    operator.record(&transaction, id, event).await?;
    // Cached records of keys have the plan of their organization.
    KeyInvalidation::All.commit_and_notify(transaction).await?;
    Ok(change)
}
