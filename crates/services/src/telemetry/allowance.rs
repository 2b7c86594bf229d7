//! How much telemetry a project may have, and for how long it is kept.

use std::time::Duration;

use latchkey_domain::id::OrganizationId;
use latchkey_domain::tier::{Plan, Tier, TierLimits};
use sea_orm::EntityTrait;

use crate::error::Error;
use crate::services::Services;
use latchkey_checker::KeyRecord;
use latchkey_store::entity::organization;

/// What its organization's plan allows a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) tier: Tier,
    /// How long what live keys bring is kept, from its arrival.
    pub(super) kept: Duration,
    /// The most bytes; none: any.
    pub(super) bytes: Option<u64>,
}

impl Allowance {
    fn new(tier: Tier, limits: TierLimits) -> Self {
        let kept = Duration::from_hours(24 * u64::from(limits.telemetry_days));
        Self { tier, kept, bytes: limits.telemetry_bytes }
    }

    /// Of the project that a key belongs to.
    pub(super) fn of_key(key: &KeyRecord) -> Self {
        Self::new(key.tier, key.plan_limits())
    }

    /// Of an organization's projects.
    pub(super) fn of(plan: &Plan) -> Self {
        Self::new(plan.tier, plan.limits())
    }

    /// The same by its id.
    ///
    /// # Errors
    /// `NotFound`: there is no such organization.
    pub(super) async fn of_organization(
        services: &Services,
        id: OrganizationId,
    ) -> Result<Self, Error> {
        let row = organization::Entity::find_by_id(id)
            .one(services.database.reader())
            .await?
            .ok_or(Error::NotFound)?;
        Ok(Self::of(&row.plan()))
    }
}
