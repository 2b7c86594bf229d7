//! Limits over all keys of a project or an organization, as patches change them.

use latchkey_domain::api::{OrganizationPatch, ProjectPatch};
use latchkey_domain::budget::{Budgets, LevelLimits};
use latchkey_domain::limit::{MaxParallel, Rpm, Tokens};

use crate::audit::Changes;

/// The limits that a patch names. `Some(None)` removes one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::option_option, reason = "absent and null are not the same")]
pub(crate) struct LevelPatch {
    rpm: Option<Option<Rpm>>,
    tpm: Option<Option<Tokens>>,
    max_parallel: Option<Option<MaxParallel>>,
    budgets: Option<Option<Budgets>>,
}

impl From<&ProjectPatch> for LevelPatch {
    fn from(patch: &ProjectPatch) -> Self {
        let ProjectPatch { rpm, tpm, max_parallel, budgets, .. } = patch.clone();
        Self { rpm, tpm, max_parallel, budgets }
    }
}

impl From<&OrganizationPatch> for LevelPatch {
    fn from(patch: &OrganizationPatch) -> Self {
        let OrganizationPatch { rpm, tpm, max_parallel, budgets, .. } = patch.clone();
        Self { rpm, tpm, max_parallel, budgets }
    }
}

impl LevelPatch {
    /// Whether the patch names no limit.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The limits with the patch applied.
    pub(crate) fn apply(self, before: LevelLimits) -> LevelLimits {
        LevelLimits {
            rpm: self.rpm.unwrap_or(before.rpm),
            tpm: self.tpm.unwrap_or(before.tpm),
            max_parallel: self.max_parallel.unwrap_or(before.max_parallel),
            budgets: self.budgets.map_or(before.budgets, Option::unwrap_or_default),
        }
    }
}

/// Adds the limits that differ to the changes of an audit event.
pub(crate) fn add_changes(changes: Changes, before: &LevelLimits, after: &LevelLimits) -> Changes {
    changes
        .field("rpm", before.rpm, after.rpm)
        .field("tpm", before.tpm, after.tpm)
        .field("max_parallel", before.max_parallel, after.max_parallel)
        .budgets("budgets", &before.budgets, &after.budgets)
}
