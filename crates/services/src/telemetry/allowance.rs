//! Size limit and retention of a project's telemetry.

use std::time::Duration;

use latchkey_domain::id::OrganizationId;
use latchkey_domain::tier::{Plan, Tier, TierLimits};
use sea_orm::EntityTrait;

use crate::error::Error;
use crate::services::Services;
use latchkey_checker::KeyRecord;
use latchkey_store::entity::organization;

/// What the organization's plan allows each of its projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) tier: Tier,
    /// Retention of telemetry from live keys, counted from its arrival.
    pub(super) retention: Duration,
    /// Maximum size in bytes. `None`: unlimited.
    pub(super) bytes: Option<u64>,
}

impl Allowance {
    fn new(tier: Tier, limits: TierLimits) -> Self {
        let retention = Duration::from_hours(24 * u64::from(limits.telemetry_days));
        Self { tier, retention, bytes: limits.telemetry_bytes }
    }

    /// Allowance of the key's project.
    pub(super) fn of_key(key: &KeyRecord) -> Self {
        Self::new(key.tier, key.plan_limits())
    }

    /// Allowance of the projects of an organization with this plan.
    pub(super) fn of(plan: &Plan) -> Self {
        Self::new(plan.tier, plan.limits())
    }

    /// Allowance of the projects of an organization.
    ///
    /// # Errors
    /// `NotFound` if the organization does not exist.
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
