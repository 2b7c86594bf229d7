//! The limits per minute that a call has to fit: the key's, then the project's, then the
//! organization's.

use latchkey_domain::limit::{Limit, Rpm, Tokens};

use crate::budget_owner::BudgetOwner;
use crate::record::KeyRecord;

/// The limits per minute that a call has to acquire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MinuteLimits<'a> {
    key: &'a KeyRecord,
    requests: bool,
    tokens: bool,
}

/// The limits per minute of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LevelRates {
    pub(super) owner: BudgetOwner,
    pub(super) rpm: Option<u64>,
    pub(super) tpm: Option<u64>,
    /// Limit on tokens per minute to report to the caller, even if none are acquired.
    pub(super) shown_tpm: Option<u64>,
}

impl<'a> MinuteLimits<'a> {
    /// All limits of the key, its project and its organization.
    pub(crate) const fn of(key: &'a KeyRecord) -> Self {
        Self { key, requests: true, tokens: true }
    }

    /// Requests only: the number of tokens is not known yet.
    pub(crate) const fn requests(self) -> Self {
        Self { tokens: false, ..self }
    }

    /// Tokens only: the request was acquired before.
    pub(crate) const fn tokens(self) -> Self {
        Self { requests: false, ..self }
    }

    /// The levels that have a limit. Most keys have no extended record, and so one level at most.
    pub(super) fn levels(self) -> impl Iterator<Item = LevelRates> + use<'a> {
        let key = self.key;
        let of_key = self.level(BudgetOwner::Key(key.id), key.rpm, key.extended().tpm);
        let outer = key.extended.as_deref().into_iter().flat_map(move |extended| {
            let (project, organization) = (&extended.project_limits, &extended.organization_limits);
            let of_organization = BudgetOwner::Organization(key.organization);
            [
                self.level(BudgetOwner::Project(key.project), project.rpm, project.tpm),
                self.level(of_organization, organization.rpm, organization.tpm),
            ]
        });
        std::iter::once(of_key).chain(outer).filter(LevelRates::has_any)
    }

    /// Whether anything has to be acquired.
    pub(super) fn acquires(self) -> bool {
        self.levels().any(|level| level.acquires())
    }

    fn level(self, owner: BudgetOwner, rpm: Option<Rpm>, tpm: Option<Tokens>) -> LevelRates {
        let rpm = rpm.filter(|_| self.requests).map(Limit::get);
        let shown_tpm = tpm.map(Limit::get);
        LevelRates { owner, rpm, tpm: shown_tpm.filter(|_| self.tokens), shown_tpm }
    }
}

impl LevelRates {
    /// Whether anything has to be acquired at this level.
    pub(super) const fn acquires(&self) -> bool {
        self.rpm.is_some() || self.tpm.is_some()
    }

    /// Whether there is a limit to acquire or to report.
    const fn has_any(&self) -> bool {
        self.rpm.is_some() || self.shown_tpm.is_some()
    }
}
