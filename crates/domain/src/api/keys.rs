//! Keys as the API and the dashboard represent them.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{BudgetState, TokenBudget};
use crate::attribute::{ExternalId, Metadata, Tags};
use crate::budget::UsdLimit;
use crate::hint::MaskedSecret;
use crate::id::{ApplicationId, KeyId, ProjectId, UserId};
use crate::key::{Environment, KeyKind, KeyStatus};
use crate::limit::{AllowList, Cidr, MaxParallel, ModelName, Period, Rpm, Tokens};
use crate::name::Name;
use crate::permission::ServicePermission;
use crate::scope::Scopes;
use crate::secret::SecretKey;
use crate::time::Timestamp;

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// ID of the key. A rotation does not change it.
    pub id: KeyId,
    /// What the key authenticates.
    pub kind: KeyKind,
    /// ID of the project that the key belongs to.
    pub project_id: ProjectId,
    /// ID of the application that the key is restricted to; null if it is valid for the whole
    /// project.
    pub application_id: Option<ApplicationId>,
    /// Name of the key.
    pub name: String,
    /// Environment of the key: `live` or `test`.
    pub environment: Environment,
    /// Masked secret, e.g. `lk_live_7Qm2...x9Kd`; the hint of an imported key.
    pub masked: MaskedSecret,
    /// Current status of the key.
    pub status: KeyStatus,
    /// Whether the key is archived. Archived keys are hidden from lists by default.
    pub archived: bool,
    /// Whether the key is disabled. A revoked or expired key may be disabled too.
    pub disabled: bool,
    /// Maximum requests per minute; null if not limited.
    pub rpm: Option<Rpm>,
    /// Maximum tokens per minute; null if not limited.
    pub tpm: Option<Tokens>,
    /// Maximum concurrent gateway calls; null means 64.
    pub max_parallel: Option<MaxParallel>,
    /// States of the key’s budgets, in the order given.
    #[cfg_attr(feature = "openapi", schema(max_items = 8))]
    pub budgets: Vec<BudgetState>,
    /// Limit of the first budget in tokens; null if there is none.
    pub token_limit: Option<Tokens>,
    /// Period of the first budget in tokens; null if there is none.
    pub token_limit_period: Option<Period>,
    /// Limit of the first budget in dollars; null if there is none.
    pub spend_limit: Option<UsdLimit>,
    /// Period of the first budget in dollars; null if there is none.
    pub spend_limit_period: Option<Period>,
    /// The customer's own ID of whoever uses the key; null if none.
    pub external_id: Option<ExternalId>,
    /// The customer's own JSON, exactly as it was sent but for white space.
    pub metadata: Metadata,
    /// Tags of the key.
    pub tags: Tags,
    /// Scopes of an API key. A final `*` stands for any rest.
    pub scopes: Scopes,
    /// Models that the key may use; null for all models available to the project.
    pub allowed_models: Option<AllowList<ModelName>>,
    /// Networks that the key may be used from; null for any.
    pub allowed_cidrs: Option<AllowList<Cidr>>,
    /// When the key was created.
    pub created_at: Timestamp,
    /// ID of the user who created the key.
    pub created_by: UserId,
    /// When the key expires; null if never.
    pub expires_at: Option<Timestamp>,
    /// When the key was revoked; null if it was not.
    pub revoked_at: Option<Timestamp>,
    /// When the key was archived; null if it is not archived.
    pub archived_at: Option<Timestamp>,
    /// When the key was last used, including denied requests; null if never.
    pub last_used_at: Option<Timestamp>,
    /// Permissions of a service key; null for other kinds.
    pub permissions: Option<Vec<ServicePermission>>,
}

/// A key in the dashboard's lists, with details that the API has in other places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListedKey {
    /// The key, as the API returns it.
    #[serde(flatten)]
    pub key: ApiKey,
    /// IP address of the last use.
    pub last_used_ip: Option<String>,
    /// The secret before the last rotation, while it is still valid.
    pub old_secret: Option<OldSecret>,
    /// State of the token budget; null if the key has none.
    pub budget: Option<TokenBudget>,
}

/// serde buffers what it flattens, and the buffer has no raw text of [`Metadata`]. So the row is
/// read twice instead.
impl<'de> Deserialize<'de> for ListedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Details {
            last_used_ip: Option<String>,
            old_secret: Option<OldSecret>,
            budget: Option<TokenBudget>,
        }

        let row = Box::<RawValue>::deserialize(deserializer)?;
        let key = serde_json::from_str(row.get()).map_err(D::Error::custom)?;
        let details: Details = serde_json::from_str(row.get()).map_err(D::Error::custom)?;
        let Details { last_used_ip, old_secret, budget } = details;
        Ok(Self { key, last_used_ip, old_secret, budget })
    }
}

/// A rotated secret that is still valid during its grace period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OldSecret {
    /// Masked form of the old secret.
    pub masked: MaskedSecret,
    /// When the grace period ends.
    pub ends_at: Timestamp,
    /// When the old secret was last used; null if never.
    pub last_used_at: Option<Timestamp>,
}

/// Optional body of `POST /apikey`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ApplicationKeyRequest {
    /// Name of the key. If omitted, it is derived from the application's name.
    #[serde(default)]
    pub name: Option<Name>,
    /// `live` (default) or `test`.
    #[serde(default)]
    pub environment: Environment,
}

/// A new key and its secret. The secret cannot be retrieved again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedKey {
    /// The secret. Store it now: it is returned only once.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub key: RevealedSecret,
    /// The key, without its secret.
    pub api_key: ApiKey,
}

/// The only type that serializes a secret. Its `Debug` output is redacted.
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
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn listed_key_keeps_large_numbers_of_metadata() {
        let metadata = r#"{"n":12345678901234567890123}"#;
        let row = json!({
            "id": "key_01h455vb4pex5vsknk084sn02q", "kind": "api",
            "project_id": "prj_01h455vb4pex5vsknk084sn02q", "application_id": null,
            "name": "a", "environment": "live", "masked": "lk_live_7Qm2...x9Kd",
            "status": "disabled", "archived": false, "disabled": true, "rpm": null, "tpm": null,
            "max_parallel": null, "budgets": [], "token_limit": null, "token_limit_period": null,
            "spend_limit": null, "spend_limit_period": null,
            "external_id": "user_8123", "metadata": {}, "tags": ["a"], "scopes": ["b:*"],
            "allowed_models": null, "allowed_cidrs": null, "created_at": "2026-11-30T00:00:00Z",
            "created_by": "usr_01h455vb4pex5vsknk084sn02q", "expires_at": null,
            "revoked_at": null, "archived_at": null, "last_used_at": null, "permissions": null,
            "last_used_ip": "203.0.113.7", "old_secret": null, "budget": null,
        });
        let text =
            row.to_string().replace(r#""metadata":{}"#, &format!(r#""metadata":{metadata}"#));
        let listed: ListedKey = serde_json::from_str(&text).unwrap();
        assert_eq!(listed.key.metadata.as_str(), metadata);
        assert_eq!(listed.last_used_ip.as_deref(), Some("203.0.113.7"));
        let again = serde_json::to_string(&listed).unwrap();
        assert!(again.contains(metadata), "{again}");
        assert_eq!(serde_json::from_str::<ListedKey>(&again).unwrap(), listed);
    }
}
