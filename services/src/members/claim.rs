//! When somebody signs in whom an invitation waits for.

use std::net::IpAddr;

use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::{OrganizationId, UserId};
use sea_orm::sea_query::{Expr, ExprTrait, Func, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::audit::{self, By, Changes, Event};
use crate::entity::{membership, user};
use crate::error::Error;
use crate::services::Services;

/// Whom an invitation to this login waits for, locked.
pub(crate) async fn find_invited(
    transaction: &impl ConnectionTrait,
    login: &str,
) -> Result<Option<user::Model>, Error> {
    Ok(user::Entity::find()
        .filter(
            Expr::expr(Func::lower(Expr::col(user::Column::Login))).eq(login.to_ascii_lowercase()),
        )
        .filter(user::Column::Invited.eq(true))
        .lock_exclusive()
        .one(transaction)
        .await?)
}

/// Gives the memberships of an invited person to who they turned out to be, and forgets the former. Where
/// the latter is a member already, their role stays. Returns the organizations that are new to them.
pub(crate) async fn move_memberships(
    transaction: &impl ConnectionTrait,
    from: Uuid,
    to: Uuid,
) -> Result<Vec<OrganizationId>, Error> {
    let waiting = of(transaction, from).await?;
    membership::Entity::delete_many()
        .filter(membership::Column::UserId.eq(from))
        .exec(transaction)
        .await?;
    let mut joined = Vec::new();
    for row in waiting {
        let organization = row.organization_id;
        let moved = membership::Model { user_id: to, ..row }.into_active_model().reset_all();
        let inserted = membership::Entity::insert(moved)
            .on_conflict(
                OnConflict::columns([
                    membership::Column::OrganizationId,
                    membership::Column::UserId,
                ])
                .do_nothing()
                .to_owned(),
            )
            .exec_without_returning(transaction)
            .await?;
        if inserted > 0 {
            joined.push(organization.into());
        }
    }
    user::Entity::delete_by_id(from).exec(transaction).await?;
    Ok(joined)
}

/// Records that somebody who was invited came, in each organization.
pub(crate) async fn join(
    services: &Services,
    transaction: &DatabaseTransaction,
    user: UserId,
    login: &str,
    ip: Option<IpAddr>,
    organizations: &[OrganizationId],
) -> Result<(), Error> {
    let by = By::person(user, login, ip);
    for organization in organizations {
        let event = Event {
            action: AuditAction::MemberJoined,
            kind: TargetKind::Member,
            id: user.to_string(),
            name: login,
            changes: Changes::default(),
        };
        audit::record(services, transaction, *organization, &by, event).await?;
    }
    Ok(())
}

/// A person's memberships, in the order in which the logs of their organizations are locked.
async fn of(
    transaction: &impl ConnectionTrait,
    user: Uuid,
) -> Result<Vec<membership::Model>, Error> {
    Ok(membership::Entity::find()
        .filter(membership::Column::UserId.eq(user))
        .order_by_asc(membership::Column::OrganizationId)
        .all(transaction)
        .await?)
}

/// The organizations that a person is a member of, in the order in which their logs are locked.
pub(crate) async fn organizations_of(
    transaction: &impl ConnectionTrait,
    user: UserId,
) -> Result<Vec<OrganizationId>, Error> {
    let rows = of(transaction, user.as_uuid()).await?;
    Ok(rows.into_iter().map(|row| row.organization_id.into()).collect())
}
