//! Limits that a project gives to new keys whose requests do not mention them.

use latchkey_domain::api::{KeyDefaults, KeyRequest};
use latchkey_domain::budget::Budgets;
use latchkey_domain::key::KeyKind;
use latchkey_domain::limit::{AllowList, Cidr, MaxParallel, ModelName, Rpm, Tokens};

use super::budgets::requested;
use crate::error::Error;

/// What a key is created with: what its request mentions, and the defaults for the rest.
pub(crate) struct NewKeyLimits {
    pub(crate) rpm: Option<Rpm>,
    pub(crate) tpm: Option<Tokens>,
    pub(crate) max_parallel: Option<MaxParallel>,
    pub(crate) budgets: Budgets,
    pub(crate) allowed_models: Option<AllowList<ModelName>>,
    pub(crate) allowed_cidrs: Option<AllowList<Cidr>>,
}

impl NewKeyLimits {
    /// The limits that a request mentions, and the project's defaults for the others. Service keys
    /// have no defaults: they are the backend's own.
    ///
    /// # Errors
    /// `Invalid` for budgets that contradict each other.
    pub(crate) fn new(request: &KeyRequest, defaults: Option<KeyDefaults>) -> Result<Self, Error> {
        let defaults = defaults.filter(|_| request.kind != KeyKind::Service).unwrap_or_default();
        let budgets = requested(request).map_err(Error::Invalid)?;
        let KeyRequest { rpm, tpm, max_parallel, allowed_models, allowed_cidrs, .. } = request;
        Ok(Self {
            rpm: rpm.unwrap_or(defaults.rpm),
            tpm: tpm.unwrap_or(defaults.tpm),
            max_parallel: max_parallel.unwrap_or(defaults.max_parallel),
            budgets: budgets.unwrap_or(defaults.budgets),
            allowed_models: allowed_models.clone().unwrap_or(defaults.allowed_models),
            allowed_cidrs: allowed_cidrs.clone().unwrap_or(defaults.allowed_cidrs),
        })
    }
}
