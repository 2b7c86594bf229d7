//! Keys as the API and the pages see them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::BudgetState;
use crate::id::{ApplicationId, KeyId, ProjectId, UserId};
use crate::key::{Environment, KeyKind, KeyStatus};
use crate::limit::{AllowList, Cidr, MaxParallel, ModelName, Period, Rpm, Tokens};
use crate::name::Name;
use crate::permission::ServicePermission;
use crate::secret::{KeyHint, SecretKey};
use crate::time::Timestamp;

/// A key, without its secret. What is not set is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// Its id; it stays the same through rotations.
    pub id: KeyId,
    /// What it authenticates.
    pub kind: KeyKind,
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// The one application that it is for; null: any of the project.
    pub application_id: Option<ApplicationId>,
    /// Its name.
    pub name: String,
    /// Live or test.
    pub environment: Environment,
    /// What may be shown of the secret, e.g. `lk_live_7Qm2...x9Kd`.
    pub masked: KeyHint,
    /// Where it stands in its life.
    pub status: KeyStatus,
    /// Whether it is hidden from lists.
    pub archived: bool,
    /// Requests per minute.
    pub rpm: Option<Rpm>,
    /// Tokens per minute.
    pub tpm: Option<Tokens>,
    /// Gateway calls in progress at a time, on each node; null: 64.
    pub max_parallel: Option<MaxParallel>,
    /// The token budget of one period.
    pub token_limit: Option<Tokens>,
    /// The period of the token budget.
    pub token_limit_period: Option<Period>,
    /// The models that it may use; null: all that the project can reach.
    pub allowed_models: Option<AllowList<ModelName>>,
    /// The networks that it may be used from; null: any.
    pub allowed_cidrs: Option<AllowList<Cidr>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: UserId,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
    /// When it was last used, whatever the outcome.
    pub last_used_at: Option<Timestamp>,
    /// What a service key may do.
    pub permissions: Option<Vec<ServicePermission>>,
}

/// A key in a list of the pages, with what the API tells elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListedKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// The address of the last use.
    pub last_used_ip: Option<String>,
    /// The secret before the last rotation, while it still works.
    pub old_secret: Option<OldSecret>,
    /// Where its token budget stands, if it has one.
    pub budget: Option<BudgetState>,
}

/// A secret that was rotated away and still works for its grace period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OldSecret {
    /// What may be shown of it.
    pub masked: KeyHint,
    /// When it stops working.
    pub ends_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// The optional body of `POST /apikey`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ApplicationKeyRequest {
    /// The key's name; absent: one is made from the application's name.
    #[serde(default)]
    pub name: Option<Name>,
    /// Live (the default) or test.
    #[serde(default)]
    pub environment: Environment,
}

/// A new key, with the only copy of its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedKey {
    /// The secret. This answer is the only place where it ever stands.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub key: RevealedSecret,
    /// The key as it is listed from now on.
    pub api_key: ApiKey,
}

/// The one type that writes a secret into an answer. Its `Debug` is redacted like the secret's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevealedSecret(SecretKey);

impl RevealedSecret {
    /// The plaintext, to show once.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl From<SecretKey> for RevealedSecret {
    fn from(secret: SecretKey) -> Self {
        Self(secret)
    }
}

impl Serialize for RevealedSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for RevealedSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}
