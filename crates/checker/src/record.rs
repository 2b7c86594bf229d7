//! Key record: what a check needs to know of a key.

use latchkey_domain::attribute::{ExternalId, Metadata, Tag, Tags};
use latchkey_domain::budget::{BudgetUnit, Budgets, LevelLimits};
use latchkey_domain::digest::KeyDigest;
use latchkey_domain::id::{ApplicationId, KeyId, OrganizationId, ProjectId, UserId};
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::limit::{AllowList, Cidr, MaxParallel, ModelName, Rpm, Tokens};
use latchkey_domain::permission::ServicePermission;
use latchkey_domain::scope::{ScopePattern, ScopeQuery, Scopes};
use latchkey_domain::tier::{Tier, TierLimits, TierOverrides};
use latchkey_domain::time::Timestamp;

use crate::budget_slot::BudgetSlot;
use crate::budget_slots::LimitedBudget;

/// What a check needs to know of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// ID of the key.
    pub id: KeyId,
    /// Project that the key belongs to.
    pub project: ProjectId,
    /// Organization that the project belongs to.
    pub organization: OrganizationId,
    /// Tier of the organization.
    pub tier: Tier,
    /// The only application that the key is for. `None`: any of the project.
    pub application: Option<ApplicationId>,
    /// What the key authenticates.
    pub kind: KeyKind,
    /// Name of the key.
    pub name: Box<str>,
    /// Environment of the key.
    pub environment: Environment,
    /// User who created the key.
    pub created_by: UserId,
    /// Time of revocation.
    pub revoked_at: Option<Timestamp>,
    /// Time from which the key is refused.
    pub expires_at: Option<Timestamp>,
    /// Whether the key is refused until somebody enables it again.
    pub disabled: bool,
    /// Maximum requests per minute.
    pub rpm: Option<Rpm>,
    /// Boxed, since few keys have any: the cache holds many records.
    pub(crate) extended: Option<Box<ExtendedLimits>>,
}

/// Limits, restrictions and attributes that few keys have. What is absent is `None`, so that the
/// defaults are a constant and cost nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtendedLimits {
    /// Maximum tokens per minute.
    pub tpm: Option<Tokens>,
    /// Maximum concurrent gateway calls.
    pub max_parallel: Option<MaxParallel>,
    /// Budgets of the key.
    pub budgets: Budgets,
    /// Limits of its project, over all keys.
    pub project_limits: LevelLimits,
    /// Limits of its organization, over all keys.
    pub organization_limits: LevelLimits,
    /// The budgets of all three, in the order in which they are locked.
    pub(crate) limited_budgets: Vec<LimitedBudget>,
    /// Models that the key may use. `None`: all.
    pub models: Option<AllowList<ModelName>>,
    /// Networks that the key may be used from. `None`: any.
    pub networks: Option<AllowList<Cidr>>,
    /// Permissions of a service key.
    pub permissions: Option<AllowList<ServicePermission>>,
    /// Limits of the organization that differ from its tier.
    pub overrides: TierOverrides,
    /// The customer's own ID of whoever uses the key.
    pub external_id: Option<ExternalId>,
    /// JSON object that the customer keeps with the key.
    pub metadata: Option<Metadata>,
    /// Words that the customer finds the key by.
    pub tags: Option<Tags>,
    /// What the key may be used for. `None`: it meets no question for scopes.
    pub scopes: Option<Scopes>,
    /// Digest of the secret before the last rotation, and when that secret expires.
    pub(crate) old: Option<(KeyDigest, Timestamp)>,
}

pub(crate) static NOTHING: ExtendedLimits = ExtendedLimits {
    tpm: None,
    max_parallel: None,
    budgets: Budgets::NONE,
    project_limits: LevelLimits::NONE,
    organization_limits: LevelLimits::NONE,
    limited_budgets: Vec::new(),
    models: None,
    networks: None,
    permissions: None,
    overrides: TierOverrides::NONE,
    external_id: None,
    metadata: None,
    tags: None,
    scopes: None,
    old: None,
};

impl KeyRecord {
    /// Limits, restrictions and attributes that few keys have; the defaults if this one has none.
    pub fn extended(&self) -> &ExtendedLimits {
        self.extended.as_deref().unwrap_or(&NOTHING)
    }

    /// Whether the key has the scopes that a call asks for.
    pub(crate) fn meets(&self, asked: &ScopeQuery) -> bool {
        match &self.extended().scopes {
            Some(scopes) => asked.is_met_by(scopes),
            None => asked.is_met_by(&Scopes::default()),
        }
    }

    /// Bytes of the record's texts and budgets, about. They differ a thousandfold between keys.
    pub(crate) fn variable_bytes(&self) -> usize {
        let Some(extended) = &self.extended else { return self.name.len() };
        let ExtendedLimits { models, external_id, metadata, tags, scopes, .. } = &**extended;
        let slots = extended.budgets.as_slice().len() * size_of::<BudgetSlot>();
        let budgets = size_of_val(extended.limited_budgets.as_slice()) + slots;
        let models = models.iter().flat_map(AllowList::as_slice).map(ModelName::as_str);
        let tags = tags.iter().flat_map(Tags::as_slice).map(Tag::as_str);
        let scopes = scopes.iter().flat_map(Scopes::as_slice).map(ScopePattern::as_str);
        let texts = models.chain(tags).chain(scopes).chain(metadata.iter().map(Metadata::as_str));
        let texts = texts.chain(external_id.iter().map(ExternalId::as_str));
        texts.map(str::len).sum::<usize>() + self.name.len() + budgets
    }

    /// Limits of the organization: its tier's, with its overrides.
    pub fn plan_limits(&self) -> TierLimits {
        self.extended().overrides.limits(self.tier)
    }

    /// Whether `digest` belongs to the secret before the last rotation.
    pub(crate) fn is_old(&self, digest: &KeyDigest) -> bool {
        self.extended().old.is_some_and(|(old, _)| old == *digest)
    }

    /// Whether a budget in this unit applies, of any level.
    fn has_budget_in(&self, unit: BudgetUnit) -> bool {
        self.extended().limited_budgets.iter().any(|budget| budget.slot.id.unit == unit)
    }

    /// Whether a budget in dollars applies, of any level.
    pub fn has_spend_limit(&self) -> bool {
        self.has_budget_in(BudgetUnit::Usd)
    }

    /// Whether a budget in tokens or dollars applies, of any level.
    pub fn has_budget(&self) -> bool {
        self.has_spend_limit() || self.has_budget_in(BudgetUnit::Tokens)
    }

    /// Whether a limit applies that the length of an answer counts against, of any level.
    pub fn limits_tokens(&self) -> bool {
        let ExtendedLimits { tpm, project_limits, organization_limits, .. } = self.extended();
        let has_tpm = tpm.or(project_limits.tpm).or(organization_limits.tpm).is_some();
        has_tpm || self.has_budget()
    }

    /// Permissions of a service key.
    pub fn permissions(&self) -> &[ServicePermission] {
        self.extended().permissions.as_ref().map_or(&[], AllowList::as_slice)
    }

    /// Whether a service key has this permission.
    pub fn permits(&self, permission: ServicePermission) -> bool {
        self.permissions().contains(&permission)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    pub(crate) fn record() -> KeyRecord {
        KeyRecord {
            id: KeyId::new(at(0), [0; 10]),
            project: ProjectId::new(at(0), [0; 10]),
            organization: OrganizationId::new(at(0), [0; 10]),
            tier: Tier::Free,
            application: Some(ApplicationId::new(at(0), [1; 10])),
            kind: KeyKind::Api,
            name: "Web checkout".into(),
            environment: Environment::Live,
            created_by: UserId::new(at(0), [0; 10]),
            revoked_at: None,
            expires_at: Some(at(1_000)),
            disabled: false,
            rpm: None,
            extended: None,
        }
    }
}
