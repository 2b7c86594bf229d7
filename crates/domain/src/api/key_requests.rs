//! Requests that create, update, rotate and list keys.

use serde::{Deserialize, Serialize};

use super::present;
use crate::attribute::{ExternalId, Metadata, Tag, Tags};
use crate::budget::{Budgets, UsdLimit};
use crate::id::ApplicationId;
use crate::key::{Environment, KeyKind, KeyStatus};
use crate::limit::{AllowList, Cidr, MaxParallel, ModelName, Period, Rpm, Tokens};
use crate::name::Name;
use crate::permission::ServicePermission;
use crate::query::QueryText;
use crate::scope::Scopes;
use crate::time::Timestamp;
use crate::whole;
use crate::word::{from_words, words};

/// Longest grace period after a rotation, in seconds: 7 days.
pub const MAX_GRACE_SECONDS: u64 = 604_800;

/// Body of `POST /v1/projects/{projectId}/keys`. Only `name` is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// Name of the key. Must be unique among the project's non-revoked keys of the same kind.
    pub name: Name,
    /// `live` (default) or `test`.
    #[serde(default)]
    pub environment: Environment,
    /// `api` (the default), `inference` or `service`.
    #[serde(default = "api")]
    pub kind: KeyKind,
    /// Restricts an API key to one application. If omitted, the key is valid for the whole project.
    #[serde(default)]
    pub application_id: Option<ApplicationId>,
    /// Permissions of a service key. Required for service keys, rejected for other kinds.
    #[serde(default)]
    pub permissions: Option<AllowList<ServicePermission>>,
    /// Maximum requests per minute.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Rpm>))]
    pub rpm: Option<Option<Rpm>>,
    /// Maximum tokens per minute.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    pub tpm: Option<Option<Tokens>>,
    /// Maximum concurrent gateway calls. Without one, 64.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<MaxParallel>))]
    pub max_parallel: Option<Option<MaxParallel>>,
    /// Budgets, at most one of each unit and period. If omitted, the project’s default.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Budgets>))]
    pub budgets: Option<Option<Budgets>>,
    /// Short form of a budget in tokens per `token_limit_period`.
    #[serde(default)]
    pub token_limit: Option<Tokens>,
    /// Period of that budget. Set it together with `token_limit`.
    #[serde(default)]
    pub token_limit_period: Option<Period>,
    /// Short form of a budget in dollars per `spend_limit_period`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_limit: Option<UsdLimit>,
    /// Period of that budget. Set it together with `spend_limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_limit_period: Option<Period>,
    /// Models that the key may use. If omitted, all models available to the project.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AllowList<ModelName>>))]
    pub allowed_models: Option<Option<AllowList<ModelName>>>,
    /// Networks that the key may be used from. If omitted, any.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AllowList<Cidr>>))]
    pub allowed_cidrs: Option<Option<AllowList<Cidr>>>,
    /// When the key expires. Must be in the future.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Whether to create the key disabled. It still takes a slot of the plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// Your own ID of whoever uses the key. Several keys may have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
    /// A JSON object of your own, which is returned as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Words to find keys by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// What the key may be used for, in your own words. Only for API keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Scopes>,
}

const fn api() -> KeyKind {
    KeyKind::Api
}

impl KeyRequest {
    /// A request without limits and attributes.
    pub fn new(name: Name, kind: KeyKind) -> Self {
        Self {
            name,
            environment: Environment::Live,
            kind,
            application_id: None,
            permissions: None,
            rpm: None,
            tpm: None,
            max_parallel: None,
            budgets: None,
            token_limit: None,
            token_limit_period: None,
            spend_limit: None,
            spend_limit_period: None,
            allowed_models: None,
            allowed_cidrs: None,
            expires_at: None,
            disabled: false,
            external_id: None,
            metadata: None,
            tags: None,
            scopes: None,
        }
    }
}

/// Body of `POST /v1/projects/{projectId}/inference/keys`. Only `name` is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct InferenceKeyRequest {
    /// Name of the key. Must be unique among the project's non-revoked inference keys.
    pub name: Name,
    /// `live` (default) or `test`.
    #[serde(default)]
    pub environment: Environment,
    /// Maximum requests per minute.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Rpm>))]
    pub rpm: Option<Option<Rpm>>,
    /// Maximum tokens per minute.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    pub tpm: Option<Option<Tokens>>,
    /// Maximum concurrent gateway calls. Without one, 64.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<MaxParallel>))]
    pub max_parallel: Option<Option<MaxParallel>>,
    /// Budgets, at most one of each unit and period. If omitted, the project’s default.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Budgets>))]
    pub budgets: Option<Option<Budgets>>,
    /// Short form of a budget in tokens per `token_limit_period`.
    #[serde(default)]
    pub token_limit: Option<Tokens>,
    /// Period of that budget. Set it together with `token_limit`.
    #[serde(default)]
    pub token_limit_period: Option<Period>,
    /// Short form of a budget in dollars per `spend_limit_period`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_limit: Option<UsdLimit>,
    /// Period of that budget. Set it together with `spend_limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_limit_period: Option<Period>,
    /// Models that the key may use. If omitted, all models available to the project.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AllowList<ModelName>>))]
    pub allowed_models: Option<Option<AllowList<ModelName>>>,
    /// Networks that the key may be used from. If omitted, any.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AllowList<Cidr>>))]
    pub allowed_cidrs: Option<Option<AllowList<Cidr>>>,
    /// When the key expires. Must be in the future.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Whether to create the key disabled. It still takes a slot of the plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// Your own ID of whoever uses the key. Several keys may have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
    /// A JSON object of your own, which is returned as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Words to find keys by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

impl From<InferenceKeyRequest> for KeyRequest {
    fn from(request: InferenceKeyRequest) -> Self {
        Self {
            environment: request.environment,
            rpm: request.rpm,
            tpm: request.tpm,
            max_parallel: request.max_parallel,
            budgets: request.budgets,
            token_limit: request.token_limit,
            token_limit_period: request.token_limit_period,
            spend_limit: request.spend_limit,
            spend_limit_period: request.spend_limit_period,
            allowed_models: request.allowed_models,
            allowed_cidrs: request.allowed_cidrs,
            expires_at: request.expires_at,
            disabled: request.disabled,
            external_id: request.external_id,
            metadata: request.metadata,
            tags: request.tags,
            ..Self::new(request.name, KeyKind::Inference)
        }
    }
}

/// Body of `PATCH /v1/keys/{keyId}`. Omitted fields are left unchanged; null clears a field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyPatch {
    /// New name of the key.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<Name>,
    /// Maximum requests per minute.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Rpm>))]
    pub rpm: Option<Option<Rpm>>,
    /// Maximum tokens per minute.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    pub tpm: Option<Option<Tokens>>,
    /// Maximum concurrent gateway calls. Null resets it to 64.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<MaxParallel>))]
    pub max_parallel: Option<Option<MaxParallel>>,
    /// New budgets, instead of all that the key has; null removes them.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Budgets>))]
    pub budgets: Option<Option<Budgets>>,
    /// Token budget per `token_limit_period`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    pub token_limit: Option<Option<Tokens>>,
    /// Period of the token budget. After the update, the key must have both or neither.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Period>))]
    pub token_limit_period: Option<Option<Period>>,
    /// New limit of the first budget in dollars; null here and for its period removes that budget.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<UsdLimit>))]
    pub spend_limit: Option<Option<UsdLimit>>,
    /// New period of the first budget in dollars.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Period>))]
    pub spend_limit_period: Option<Option<Period>>,
    /// Models that the key may use; null allows all.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AllowList<ModelName>>))]
    pub allowed_models: Option<Option<AllowList<ModelName>>>,
    /// Networks that the key may be used from; null allows any.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AllowList<Cidr>>))]
    pub allowed_cidrs: Option<Option<AllowList<Cidr>>>,
    /// When the key expires. Must be in the future; null means never.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Timestamp>))]
    pub expires_at: Option<Option<Timestamp>>,
    /// Disables the key, or enables it again. While it is disabled, every check denies it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub disabled: Option<bool>,
    /// Your own ID of whoever uses the key.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ExternalId>))]
    pub external_id: Option<Option<ExternalId>>,
    /// Replaces the metadata. Null empties it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Metadata>))]
    pub metadata: Option<Option<Metadata>>,
    /// Replaces the tags. Null removes all.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tags>))]
    pub tags: Option<Option<Tags>>,
    /// Replaces the scopes of an API key. Null removes all.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Scopes>))]
    pub scopes: Option<Option<Scopes>>,
}

/// Body of `POST /v1/keys/{keyId}/rotate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// How long the old secret stays valid, in seconds: 0 (default) to 604,800 (7 days), but never
    /// past the key's expiry.
    #[serde(default, deserialize_with = "whole::from_0")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 604_800, default = 0))]
    pub grace_seconds: u64,
}

/// Filters and order for a list of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyFilter {
    /// Only keys of this kind.
    pub kind: Option<KeyKind>,
    /// Only keys of this environment.
    pub environment: Option<Environment>,
    /// Only keys with this status.
    pub status: Option<KeyStatus>,
    /// Only keys of this application.
    pub application_id: Option<ApplicationId>,
    /// Only keys with this external ID.
    #[serde(default, deserialize_with = "ExternalId::given")]
    pub external_id: Option<ExternalId>,
    /// Only keys with this tag.
    #[serde(default, deserialize_with = "Tag::given")]
    pub tag: Option<Tag>,
    /// Whether to include archived keys.
    #[serde(default)]
    pub archived: bool,
    /// Only keys whose name, ID or masked form contains this text, ignoring case.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub q: Option<QueryText>,
    /// Sort order of the list.
    #[serde(default)]
    pub sort: KeySort,
}

/// Sort order of a list of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum KeySort {
    /// Most recently created first.
    #[default]
    Created,
    /// Most recently used first, then unused keys, newest first.
    LastUsed,
}

words!(KeySort);
from_words!(KeySort);
