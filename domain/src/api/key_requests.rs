//! What a client sends to make, change, rotate and find keys.

use serde::{Deserialize, Serialize};

use super::present;
use crate::id::ApplicationId;
use crate::key::{Environment, KeyKind, KeyStatus};
use crate::limit::{AllowList, Cidr, MaxParallel, ModelName, Period, Rpm, Tokens};
use crate::name::Name;
use crate::permission::ServicePermission;
use crate::query::QueryText;
use crate::time::Timestamp;
use crate::whole;
use crate::word::from_words;

/// The longest grace period of a rotation, in seconds: 7 days.
pub const MAX_GRACE_SECONDS: u64 = 604_800;

/// The body of `POST /v1/projects/{id}/keys`. Everything but the name may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// The key's name, unique among the project's keys of its kind that are not revoked.
    pub name: Name,
    /// Live (the default) or test.
    #[serde(default)]
    pub environment: Environment,
    /// `api` (the default), `inference` or `service`.
    #[serde(default = "api")]
    pub kind: KeyKind,
    /// The one application that an API key is for; absent: any of the project.
    #[serde(default)]
    pub application_id: Option<ApplicationId>,
    /// What a service key may do. Required for service keys, refused for others.
    #[serde(default)]
    pub permissions: Option<AllowList<ServicePermission>>,
    /// Requests per minute.
    #[serde(default)]
    pub rpm: Option<Rpm>,
    /// Tokens per minute.
    #[serde(default)]
    pub tpm: Option<Tokens>,
    /// Gateway calls in progress at a time, on each node; absent: 64.
    #[serde(default)]
    pub max_parallel: Option<MaxParallel>,
    /// The token budget of one period.
    #[serde(default)]
    pub token_limit: Option<Tokens>,
    /// The period of the token budget; both or neither.
    #[serde(default)]
    pub token_limit_period: Option<Period>,
    /// The models that it may use; absent: all that the project can reach.
    #[serde(default)]
    pub allowed_models: Option<AllowList<ModelName>>,
    /// The networks that it may be used from; absent: any.
    #[serde(default)]
    pub allowed_cidrs: Option<AllowList<Cidr>>,
    /// When it stops working; in the future.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

const fn api() -> KeyKind {
    KeyKind::Api
}

impl KeyRequest {
    /// A key of that name and kind without any limit.
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
            token_limit: None,
            token_limit_period: None,
            allowed_models: None,
            allowed_cidrs: None,
            expires_at: None,
        }
    }
}

/// The body of `POST /v1/projects/{id}/inference/keys`. Everything but the name may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct InferenceKeyRequest {
    /// The key's name, unique among the project's inference keys that are not revoked.
    pub name: Name,
    /// Live (the default) or test.
    #[serde(default)]
    pub environment: Environment,
    /// Requests per minute.
    #[serde(default)]
    pub rpm: Option<Rpm>,
    /// Tokens per minute.
    #[serde(default)]
    pub tpm: Option<Tokens>,
    /// Gateway calls in progress at a time, on each node; absent: 64.
    #[serde(default)]
    pub max_parallel: Option<MaxParallel>,
    /// The token budget of one period.
    #[serde(default)]
    pub token_limit: Option<Tokens>,
    /// The period of the token budget; both or neither.
    #[serde(default)]
    pub token_limit_period: Option<Period>,
    /// The models that it may use; absent: all that the project can reach.
    #[serde(default)]
    pub allowed_models: Option<AllowList<ModelName>>,
    /// The networks that it may be used from; absent: any.
    #[serde(default)]
    pub allowed_cidrs: Option<AllowList<Cidr>>,
    /// When it stops working; in the future.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

impl From<InferenceKeyRequest> for KeyRequest {
    fn from(request: InferenceKeyRequest) -> Self {
        Self {
            environment: request.environment,
            rpm: request.rpm,
            tpm: request.tpm,
            max_parallel: request.max_parallel,
            token_limit: request.token_limit,
            token_limit_period: request.token_limit_period,
            allowed_models: request.allowed_models,
            allowed_cidrs: request.allowed_cidrs,
            expires_at: request.expires_at,
            ..Self::new(request.name, KeyKind::Inference)
        }
    }
}

/// The body of `PATCH /v1/keys/{id}`. What is absent stays, null clears.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyPatch {
    /// Another name.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<Name>,
    /// Requests per minute.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Rpm>))]
    pub rpm: Option<Option<Rpm>>,
    /// Tokens per minute.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    pub tpm: Option<Option<Tokens>>,
    /// Gateway calls in progress at a time, on each node; null: 64.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<MaxParallel>))]
    pub max_parallel: Option<Option<MaxParallel>>,
    /// The token budget of one period.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tokens>))]
    pub token_limit: Option<Option<Tokens>>,
    /// The period of the token budget; afterwards the key has both or neither.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Period>))]
    pub token_limit_period: Option<Option<Period>>,
    /// The models that it may use; null: all.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AllowList<ModelName>>))]
    pub allowed_models: Option<Option<AllowList<ModelName>>>,
    /// The networks that it may be used from; null: any.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AllowList<Cidr>>))]
    pub allowed_cidrs: Option<Option<AllowList<Cidr>>>,
    /// When it stops working, in the future; null: never.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Timestamp>))]
    pub expires_at: Option<Option<Timestamp>>,
}

/// The body of `POST …/{id}/rotate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// How long the old secret goes on working, 0 (the default) to 604,800 seconds (7 days), but
    /// never past the key's expiry.
    #[serde(default, deserialize_with = "whole::from_0")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 604_800, default = 0))]
    pub grace_seconds: u64,
}

/// Which keys of a project are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyFilter {
    /// Of this kind.
    pub kind: Option<KeyKind>,
    /// Live or test.
    pub environment: Option<Environment>,
    /// Where they stand in their life.
    pub status: Option<KeyStatus>,
    /// For this application.
    pub application_id: Option<ApplicationId>,
    /// Archived ones too.
    #[serde(default)]
    pub archived: bool,
    /// What stands somewhere in the name, the id or the masked form, in any case.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub q: Option<QueryText>,
    /// In which order.
    #[serde(default)]
    pub sort: KeySort,
}

/// The order of a list of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeySort {
    /// Newest first.
    #[default]
    Created,
    /// Last used first; those never used come last, newest first.
    LastUsed,
}

from_words!(KeySort);

impl KeySort {
    /// Both orders.
    pub const ALL: [Self; 2] = [Self::Created, Self::LastUsed];

    /// As it stands in a query and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::LastUsed => "last_used",
        }
    }
}
