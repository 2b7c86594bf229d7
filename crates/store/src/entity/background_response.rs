//! Background responses whose final status nobody has read.

use latchkey_domain::id::{KeyId, OrganizationId, ProjectId};
use latchkey_domain::key::Environment;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "background_responses")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: ProjectId,
    /// SHA-256 of the response's ID.
    #[sea_orm(primary_key, auto_increment = false, column_type = "VarBinary(StringLen::N(32))")]
    pub id: Vec<u8>,
    pub response_id: String,
    /// Name of the upstream. `None` if the sandbox makes it.
    pub upstream: Option<String>,
    pub organization_id: OrganizationId,
    pub key_id: KeyId,
    pub environment: Environment,
    /// Model that the gateway has found for the call.
    pub model: Option<String>,
    /// Billionths of a dollar for a million tokens. `None`: the model has no price.
    pub input_price: Option<i64>,
    pub cached_input_price: Option<i64>,
    pub cache_write_price: Option<i64>,
    pub output_price: Option<i64>,
    /// Billionths of a dollar for the request.
    pub request_price: Option<i64>,
    /// Tokens that are charged if nobody learns how the response ended.
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    pub created_at: Timestamp,
    pub next_check_at: Timestamp,
    /// How often the upstream did not know it.
    pub missing: i64,
    /// How often it was read from the sandbox.
    pub reads: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
