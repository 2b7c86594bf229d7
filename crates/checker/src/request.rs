//! Input of a check, and the key that a secret identifies.

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_domain::id::ApplicationId;
use latchkey_domain::key::KeyKind;
use latchkey_domain::money::Usd;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::scope::ScopeQuery;
use latchkey_domain::time::Timestamp;
use latchkey_domain::token_usage::TokenUsage;

use crate::key_version::KeyVersion;
use crate::record::KeyRecord;
use crate::usage::Use;

/// The call that is checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckRequest<'a> {
    /// Kind of key that the call requires. `None`: any.
    pub kind: Option<KeyKind>,
    /// Application that the call names, if any.
    pub application: Option<ApplicationId>,
    /// Whether that application belongs to another project than the key.
    pub elsewhere: bool,
    /// IP address of the caller.
    pub ip: Option<IpAddr>,
    /// Model that the call uses, if any.
    pub model: Option<&'a str>,
    /// Scopes that the call asks for, if any.
    pub scopes: Option<&'a ScopeQuery>,
    /// Tokens that the call costs.
    pub cost: u64,
}

/// A key identified by a secret. It does not say whether a call is admitted.
#[derive(Debug, Clone)]
pub struct IdentifiedKey {
    pub(crate) key: Arc<KeyRecord>,
    /// Whether the secret is the one before the last rotation.
    pub(crate) old: bool,
    pub(crate) seen: KeyVersion,
    /// Whether the caller has waited since.
    pub(crate) waited: bool,
}

impl IdentifiedKey {
    pub(crate) fn new(key: Arc<KeyRecord>, seen: KeyVersion) -> Self {
        Self { old: key.is_old(seen.digest()), key, seen, waited: false }
    }

    /// Record of the identified key.
    pub const fn key(&self) -> &Arc<KeyRecord> {
        &self.key
    }

    /// Call it before waiting for a database between identifying the key and admitting a call. The
    /// key may change meanwhile, so a node that may miss invalidations looks it up again.
    pub const fn mark_waited(&mut self) {
        self.waited = true;
    }

    /// Usage record of one call with the key.
    pub(crate) fn used(&self, call: CheckRequest<'_>, at: Timestamp, outcome: Outcome) -> Use {
        Use {
            key: self.key.id,
            project: self.key.project,
            kind: self.key.kind,
            environment: self.key.environment,
            old_secret: self.old,
            outcome,
            at,
            ip: call.ip,
            tokens: TokenUsage::default(),
            cost: Usd::ZERO,
        }
    }
}
