//! Updates and removes members.

use latchkey_domain::api::{Member, MemberPatch};
use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::{OrganizationId, UserId};
use latchkey_domain::role::{Permission, Role};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, Set,
};

use super::list::to_member;
use crate::actor::Actor;
use crate::audit::{self, Changes, Event};
use crate::error::Error;
use crate::organizations;
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite, allow};
use crate::services::Services;
use latchkey_store::entity::{membership, user};

fn event(action: AuditAction, person: &user::Model, changes: Changes) -> Event<'_> {
    let id = person.id.to_string();
    Event { action, kind: TargetKind::Member, id, name: &person.login, changes }
}

/// Changes a member's role, effective from their next request.
///
/// # Errors
/// `NotFound` if the actor or the user is not a member; `Forbidden` for viewers and members, and
/// for admins if an owner is involved; `LastOwner`; `LimitReached` if the user already owns as many
/// organizations as a person may.
pub async fn change(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    user: UserId,
    patch: MemberPatch,
) -> Result<Member, Error> {
    retried(services, || change_once(services, actor, organization, user, patch)).await
}

async fn change_once(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    user: UserId,
    patch: MemberPatch,
) -> Result<Member, Error> {
    let permission = patch.role.to_manage();
    let mut scope = scope::organization(services, actor, organization, permission).await?;
    // Locks the organization, so that concurrent changes of members see each other.
    let AuthorizedWrite { transaction, by, .. } = scope.begin(services, actor).await?;
    let (row, person) = find(&transaction, scope.id(), user).await?;
    let member = to_member(&row, &person);
    allow(scope.role(), member.role.to_manage())?;
    if member.role == patch.role {
        return Ok(member);
    }
    if member.role == Role::Owner {
        require_other_owner(&transaction, &row).await?;
    }
    if patch.role == Role::Owner {
        organizations::check_owned(&transaction, user, "This user owns").await?;
    }
    let mut row = row.into_active_model();
    row.role = Set(patch.role);
    row.update(&transaction).await?;
    let changes = Changes::default().field("role", member.role, patch.role);
    let event = event(AuditAction::MemberRoleChanged, &person, changes);
    audit::record(services, &transaction, scope.id(), &by, event).await?;
    transaction.commit().await?;
    Ok(Member { role: patch.role, ..member })
}

/// Removes a member at once, or lets the actor leave. The keys that they created keep working.
///
/// # Errors
/// `NotFound` if the actor or the user is not a member; `Forbidden` for viewers and members who
/// remove somebody else, and for admins if an owner is involved; `LastOwner`.
pub async fn remove(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    user: UserId,
) -> Result<(), Error> {
    retried(services, || remove_once(services, actor, organization, user)).await
}

async fn remove_once(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    user: UserId,
) -> Result<(), Error> {
    let mut scope = scope::organization(services, actor, organization, Permission::Read).await?;
    let leaves = user == actor.author();
    let AuthorizedWrite { transaction, by, .. } = scope.begin(services, actor).await?;
    if !leaves {
        allow(scope.role(), Permission::MembersWrite)?;
    }
    let (row, person) = find(&transaction, scope.id(), user).await?;
    let role = to_member(&row, &person).role;
    if !leaves {
        allow(scope.role(), role.to_manage())?;
    }
    if role == Role::Owner {
        require_other_owner(&transaction, &row).await?;
    }
    membership::Entity::delete_by_id((row.organization_id, row.user_id)).exec(&transaction).await?;
    let action = AuditAction::MemberRemoved;
    let changes = Changes::default().field("role", role, ());
    let event = event(action, &person, changes);
    audit::record(services, &transaction, scope.id(), &by, event).await?;
    Ok(transaction.commit().await?)
}

/// A membership with its user. The caller has locked the organization.
async fn find(
    transaction: &impl ConnectionTrait,
    organization: OrganizationId,
    user: UserId,
) -> Result<(membership::Model, user::Model), Error> {
    let key = (organization, user);
    let row = membership::Entity::find_by_id(key).one(transaction).await?;
    let row = row.ok_or(Error::NotFound)?;
    let person = user::Entity::find_by_id(user).one(transaction).await?;
    Ok((row, person.ok_or(Error::corrupt("member"))?))
}

/// Refuses if there is no other owner. An invited owner does not count.
async fn require_other_owner(
    transaction: &impl ConnectionTrait,
    except: &membership::Model,
) -> Result<(), Error> {
    let others = membership::Entity::find()
        .filter(membership::Column::OrganizationId.eq(except.organization_id))
        .filter(membership::Column::UserId.ne(except.user_id))
        .filter(membership::Column::Role.eq(Role::Owner))
        .count(transaction)
        .await?;
    if others == 0 { Err(Error::LastOwner) } else { Ok(()) }
}
