//! Limits that a project gives to new keys whose requests do not mention them.

use latchkey_domain::api::{KeyDefaults, KeyRequest};
use latchkey_domain::budget::Budgets;
use latchkey_domain::key::KeyKind;
use latchkey_domain::limit::{AllowList, Cidr, MaxParallel, ModelName, Rpm, Tokens};
use sea_orm::Set;

use super::budgets::requested;
use crate::error::Error;
use latchkey_store::entity::key;

/// What a key is created with: what its request mentions, and the defaults for the rest.
pub(crate) struct NewKeyLimits {
    rpm: Option<Rpm>,
    tpm: Option<Tokens>,
    max_parallel: Option<MaxParallel>,
    pub(crate) budgets: Budgets,
    allowed_models: Option<AllowList<ModelName>>,
    allowed_cidrs: Option<AllowList<Cidr>>,
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

    /// The columns of the limits; no other column is set.
    pub(crate) fn into_columns(self) -> key::ActiveModel {
        let Self { rpm, tpm, max_parallel, budgets, allowed_models, allowed_cidrs } = self;
        let (token_limit, token_limit_period) = budgets.token_limit().unzip();
        key::ActiveModel {
            rpm: Set(rpm),
            tpm: Set(tpm),
            max_parallel: Set(max_parallel),
            token_limit: Set(token_limit),
            token_limit_period: Set(token_limit_period),
            budgets: Set((!budgets.is_empty()).then_some(budgets)),
            allowed_models: Set(allowed_models),
            allowed_cidrs: Set(allowed_cidrs),
            ..Default::default()
        }
    }
}
