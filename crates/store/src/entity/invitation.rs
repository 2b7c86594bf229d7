//! Invitations to organizations, with the roles that they grant.

use latchkey_domain::id::{InvitationId, OrganizationId, UserId};
use latchkey_domain::role::Role;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvitationId,
    pub organization_id: OrganizationId,
    /// As typed. Case is ignored.
    pub login: String,
    pub role: Role,
    pub created_at: Timestamp,
    pub invited_by: Option<UserId>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
