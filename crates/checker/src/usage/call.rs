//! What usage knows of a call.

use std::net::IpAddr;

use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::money::Usd;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use latchkey_domain::token_usage::TokenUsage;

/// One call of a known key.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    /// Key that made the call.
    pub key: KeyId,
    /// Project that the key belongs to.
    pub project: ProjectId,
    /// What the key authenticates.
    pub kind: KeyKind,
    /// Environment of the key at the time.
    pub environment: Environment,
    /// Whether it used the secret before the last rotation.
    pub old_secret: bool,
    /// Outcome of its check.
    pub outcome: Outcome,
    /// Time of the decision.
    pub at: Timestamp,
    /// IP address of the caller.
    pub ip: Option<IpAddr>,
    /// Tokens that the call used.
    pub tokens: TokenUsage,
    /// What the call cost.
    pub cost: Usd,
}
