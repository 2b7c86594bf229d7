//! What a check is asked, and the key that a secret led to.

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_domain::id::ApplicationId;
use latchkey_domain::key::KeyKind;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::secret::PresentedKey;
use latchkey_domain::time::Timestamp;
use latchkey_domain::token_usage::TokenUsage;

use crate::key_version::KeyVersion;
use crate::record::KeyRecord;
use crate::usage::pending::Use;

/// The call that a key shall admit.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckRequest<'a> {
    /// What kind of key it takes; none: any.
    pub kind: Option<KeyKind>,
    /// The application that it names, if it names one.
    pub application: Option<ApplicationId>,
    /// Whether that application is not the key's project's.
    pub elsewhere: bool,
    /// Where it comes from.
    pub ip: Option<IpAddr>,
    /// The model that it uses, if it uses one.
    pub model: Option<&'a str>,
    /// The tokens that it takes.
    pub cost: u64,
}

/// A key that a secret led to. It says nothing yet of whether a call may go on.
#[derive(Debug, Clone)]
pub struct IdentifiedKey {
    pub(crate) key: Arc<KeyRecord>,
    /// The secret is the one before the last rotation.
    pub(crate) old: bool,
    pub(crate) seen: KeyVersion,
}

impl IdentifiedKey {
    /// Record of the identified key.
    pub const fn key(&self) -> &Arc<KeyRecord> {
        &self.key
    }

    /// One use of the key.
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
        }
    }
}

/// A key whose form is right, or why there is none.
pub type Parsed<'a> = Result<PresentedKey<'a>, Outcome>;

pub(crate) fn parse(presented: Option<&str>) -> Parsed<'_> {
    PresentedKey::parse(presented.ok_or(Outcome::MissingKey)?).map_err(|_| Outcome::MalformedKey)
}
