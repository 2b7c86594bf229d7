//! A row of an import as it is sent.

use serde::Deserialize;

use super::row::{ImportRow, LookupPrefix, StoredForm};
use super::scheme::Scheme;
use crate::api::{KeyRequest, present};
use crate::attribute::{ExternalId, Metadata, Tags};
use crate::budget::{Budgets, UsdLimit};
use crate::hint::ForeignHint;
use crate::id::ApplicationId;
use crate::key::{Environment, KeyKind, KeyStatus};
use crate::limit::{AllowList, Cidr, MaxParallel, ModelName, Period, Rpm, Tokens};
use crate::name::Name;
use crate::scope::Scopes;
use crate::time::Timestamp;

/// A row of an import. Only `name` and `stored` are required, and `scheme` if the request has none.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "absent and null are not the same")]
pub struct ImportRecord {
    /// What the other system stores of the key.
    stored: StoredForm,
    /// How `stored` was made. If omitted, the scheme of the request.
    #[serde(default)]
    scheme: Option<Scheme>,
    /// Start of the key by which it is found. Required for pbkdf2-sha256, bcrypt and scrypt.
    #[serde(default)]
    lookup: Option<LookupPrefix>,
    /// What may be shown of the key. If omitted, `imported`.
    #[serde(default)]
    hint: Option<ForeignHint>,
    /// State to arrive in. `expired` needs an `expires_at` that has passed.
    #[serde(default)]
    status: Option<KeyStatus>,
    /// When the other system created the key. If omitted, now.
    #[serde(default)]
    created_at: Option<Timestamp>,
    /// When the key was last used.
    #[serde(default)]
    last_used_at: Option<Timestamp>,
    /// Name of the key. Must be unique among the project's non-revoked keys of the same kind.
    name: Name,
    /// `live` (default) or `test`.
    #[serde(default)]
    environment: Environment,
    /// `api` (the default) or `inference`. Service keys can't be imported.
    #[serde(default = "api")]
    kind: KeyKind,
    /// Restricts an API key to one application. If omitted, the key is valid for the whole project.
    #[serde(default)]
    application_id: Option<ApplicationId>,
    /// Maximum requests per minute.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Rpm>))]
    rpm: Option<Option<Rpm>>,
    /// Maximum tokens per minute.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    tpm: Option<Option<Tokens>>,
    /// Maximum concurrent gateway calls. Without one, 64.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<MaxParallel>))]
    max_parallel: Option<Option<MaxParallel>>,
    /// Budgets, at most one of each unit and period. If omitted, the project’s default.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Budgets>))]
    budgets: Option<Option<Budgets>>,
    /// Short form of a budget in tokens per `token_limit_period`.
    #[serde(default)]
    token_limit: Option<Tokens>,
    /// Period of that budget. Set it together with `token_limit`.
    #[serde(default)]
    token_limit_period: Option<Period>,
    /// Short form of a budget in dollars per `spend_limit_period`.
    #[serde(default)]
    spend_limit: Option<UsdLimit>,
    /// Period of that budget. Set it together with `spend_limit`.
    #[serde(default)]
    spend_limit_period: Option<Period>,
    /// Models that the key may use. If omitted, all models available to the project.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AllowList<ModelName>>))]
    allowed_models: Option<Option<AllowList<ModelName>>>,
    /// Networks that the key may be used from. If omitted, any.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AllowList<Cidr>>))]
    allowed_cidrs: Option<Option<AllowList<Cidr>>>,
    /// When the key expires. If it has passed, the key arrives expired.
    #[serde(default)]
    expires_at: Option<Timestamp>,
    /// Whether to create the key disabled. It still takes a slot of the plan.
    #[serde(default)]
    disabled: bool,
    /// Your own ID of whoever uses the key. Several keys may have the same.
    #[serde(default)]
    external_id: Option<ExternalId>,
    /// A JSON object of your own, which is returned as it is.
    #[serde(default)]
    metadata: Option<Metadata>,
    /// Words to find keys by.
    #[serde(default)]
    tags: Option<Tags>,
    /// What the key may be used for, in your own words. Only for API keys.
    #[serde(default)]
    scopes: Option<Scopes>,
}

const fn api() -> KeyKind {
    KeyKind::Api
}

impl From<ImportRecord> for ImportRow {
    fn from(record: ImportRecord) -> Self {
        let key = KeyRequest {
            environment: record.environment,
            application_id: record.application_id,
            rpm: record.rpm,
            tpm: record.tpm,
            max_parallel: record.max_parallel,
            budgets: record.budgets,
            token_limit: record.token_limit,
            token_limit_period: record.token_limit_period,
            spend_limit: record.spend_limit,
            spend_limit_period: record.spend_limit_period,
            allowed_models: record.allowed_models,
            allowed_cidrs: record.allowed_cidrs,
            expires_at: record.expires_at,
            disabled: record.disabled,
            external_id: record.external_id,
            metadata: record.metadata,
            tags: record.tags,
            scopes: record.scopes,
            ..KeyRequest::new(record.name, record.kind)
        };
        Self {
            scheme: record.scheme,
            lookup: record.lookup,
            hint: record.hint,
            status: record.status,
            created_at: record.created_at,
            last_used_at: record.last_used_at,
            ..Self::new(key, record.stored)
        }
    }
}
