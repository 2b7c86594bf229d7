//! Adding, changing and removing members.

use latchkey_domain::api::{Member, MemberPatch, MemberRequest};
use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::{OrganizationId, UserId};
use latchkey_domain::login::GithubLogin;
use latchkey_domain::role::{Permission, Role};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, JoinType,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, RelationDef, Set,
};
use uuid::Uuid;

use super::list::to_member;
use crate::actor::Actor;
use crate::audit::{self, Changes, Event};
use crate::entity::{membership, user};
use crate::error::{Error, is_unique_violation};
use crate::retry::retried;
use crate::scope::{self, Begun, allow};
use crate::services::Services;

/// Adds a member. Somebody who never signed in is invited until they do.
///
/// # Errors
/// `NotFound` for a stranger; `Forbidden` for viewers and members, and for admins who would make an owner;
/// `Conflict` for who is a member or invited already, oneself included.
pub async fn add(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    request: MemberRequest,
) -> Result<Member, Error> {
    match try_add(services, actor, organization, &request).await {
        // Two invite a stranger at once: the other one made the person, so this one finds them.
        Err(Error::Database(cause)) if is_unique_violation(&cause) => {
            try_add(services, actor, organization, &request).await
        }
        result => result,
    }
}

async fn try_add(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    request: &MemberRequest,
) -> Result<Member, Error> {
    retried(services, || try_add_once(services, actor, organization, request)).await
}

async fn try_add_once(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    request: &MemberRequest,
) -> Result<Member, Error> {
    let permission = request.role.to_manage();
    let mut scope = scope::organization(services, actor, organization, permission).await?;
    let Begun { transaction, by, .. } = scope.begin(services, actor).await?;
    let person = match find_by_login(&transaction, actor, &request.login).await? {
        Some(person) => person,
        None => insert_invited(services, &transaction, &request.login).await?,
    };
    let key = (scope.id().as_uuid(), person.id);
    if membership::Entity::find_by_id(key).one(&transaction).await?.is_some() {
        return Err(Error::Conflict(if person.id == actor.author().as_uuid() {
            "You are a member already."
        } else if person.invited {
            "This person is invited already."
        } else {
            "This person is a member already."
        }));
    }
    let row = membership::ActiveModel {
        organization_id: Set(scope.id().as_uuid()),
        user_id: Set(person.id),
        role: Set(request.role.as_str().to_owned()),
        created_at: Set(services.clock.now().as_millis()),
        invited_by: Set(Some(actor.author().as_uuid())),
    };
    let row = row.insert(&transaction).await?;
    let action = if person.invited { AuditAction::MemberInvited } else { AuditAction::MemberAdded };
    let changes = Changes::default().set("role", request.role);
    let event = event(action, &person, changes);
    audit::record(services, &transaction, scope.id(), &by, event).await?;
    transaction.commit().await?;
    to_member(&row, &person)
}

fn event(action: AuditAction, person: &user::Model, changes: Changes) -> Event<'_> {
    let id = UserId::from(person.id).to_string();
    Event { action, kind: TargetKind::Member, id, name: &person.login, changes }
}

/// The person of that login, locked so that they don't vanish meanwhile. The local developer, who has no
/// login at GitHub, is found by nobody but themselves.
async fn find_by_login(
    transaction: &impl ConnectionTrait,
    actor: &Actor,
    login: &GithubLogin,
) -> Result<Option<user::Model>, Error> {
    let login = login.as_str().to_ascii_lowercase();
    let own = user::Column::Id.eq(actor.author().as_uuid());
    Ok(user::Entity::find()
        .filter(Expr::expr(Func::lower(Expr::col(user::Column::Login))).eq(login))
        .filter(
            user::Column::GithubId.is_not_null().or(user::Column::Invited.eq(true)).or(own),
        )
        // Who signed in last under this login has it; an invitation waits only where nobody did.
        .order_by_asc(user::Column::Invited)
        .order_by_desc(user::Column::CreatedAt)
        .lock_exclusive()
        .one(transaction)
        .await?)
}

async fn insert_invited(
    services: &Services,
    transaction: &impl ConnectionTrait,
    login: &GithubLogin,
) -> Result<user::Model, Error> {
    let now = services.clock.now();
    let person = user::ActiveModel {
        id: Set(UserId::new(now, services.random.bytes()).as_uuid()),
        github_id: Set(None),
        login: Set(login.to_string()),
        name: Set(None),
        avatar_url: Set(None),
        created_at: Set(now.as_millis()),
        invited: Set(true),
    };
    Ok(person.insert(transaction).await?)
}

/// Gives a member another role, effective with their next request.
///
/// # Errors
/// `NotFound` for a stranger and for who is no member; `Forbidden` for viewers and members, and for admins
/// where owners are concerned; `LastOwner`.
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
    // Of two who change members at once, the second sees what the first did.
    let Begun { transaction, by, .. } = scope.begin(services, actor).await?;
    let (row, person) = find(&transaction, scope.id(), user).await?;
    let member = to_member(&row, &person)?;
    allow(scope.role(), member.role.to_manage())?;
    if member.role == patch.role {
        return Ok(member);
    }
    if member.role == Role::Owner {
        another_owner(&transaction, &row).await?;
    }
    let mut row = row.into_active_model();
    row.role = Set(patch.role.as_str().to_owned());
    row.update(&transaction).await?;
    let changes = Changes::default().field("role", member.role, patch.role);
    let event = event(AuditAction::MemberRoleChanged, &person, changes);
    audit::record(services, &transaction, scope.id(), &by, event).await?;
    transaction.commit().await?;
    Ok(Member { role: patch.role, ..member })
}

/// Removes a member at once, withdraws an invitation, or leaves the organization. The keys that they made
/// keep working.
///
/// # Errors
/// `NotFound` for a stranger and for who is no member; `Forbidden` for viewers and members who would remove
/// somebody else, and for admins where owners are concerned; `LastOwner`.
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
    let Begun { transaction, by, .. } = scope.begin(services, actor).await?;
    if !leaves {
        allow(scope.role(), Permission::MembersWrite)?;
    }
    let (row, person) = find(&transaction, scope.id(), user).await?;
    let role = to_member(&row, &person)?.role;
    if !leaves {
        allow(scope.role(), role.to_manage())?;
    }
    if role == Role::Owner {
        another_owner(&transaction, &row).await?;
    }
    membership::Entity::delete_by_id((row.organization_id, row.user_id)).exec(&transaction).await?;
    forget_invited(&transaction, &[person.id]).await?;
    let action =
        if person.invited { AuditAction::InvitationWithdrawn } else { AuditAction::MemberRemoved };
    let changes = Changes::default().field("role", role, ());
    let event = event(action, &person, changes);
    audit::record(services, &transaction, scope.id(), &by, event).await?;
    Ok(transaction.commit().await?)
}

/// A membership with its person. The organization is locked by now.
async fn find(
    transaction: &impl ConnectionTrait,
    organization: OrganizationId,
    user: UserId,
) -> Result<(membership::Model, user::Model), Error> {
    let key = (organization.as_uuid(), user.as_uuid());
    let row = membership::Entity::find_by_id(key).one(transaction).await?;
    let row = row.ok_or(Error::NotFound)?;
    let person = user::Entity::find_by_id(user.as_uuid()).one(transaction).await?;
    Ok((row, person.ok_or(Error::Corrupt("member"))?))
}

/// Refuses unless there is another owner. One who never signed in is none yet.
async fn another_owner(
    transaction: &impl ConnectionTrait,
    except: &membership::Model,
) -> Result<(), Error> {
    let others = membership::Entity::find()
        .join(JoinType::InnerJoin, person_of_membership())
        .filter(membership::Column::OrganizationId.eq(except.organization_id))
        .filter(membership::Column::UserId.ne(except.user_id))
        .filter(membership::Column::Role.eq(Role::Owner.as_str()))
        .filter(user::Column::Invited.eq(false))
        .count(transaction)
        .await?;
    if others == 0 { Err(Error::LastOwner) } else { Ok(()) }
}

fn person_of_membership() -> RelationDef {
    membership::Entity::belongs_to(user::Entity)
        .from(membership::Column::UserId)
        .to(user::Column::Id)
        .into()
}

/// Deletes those of `people` who never signed in and are invited nowhere any more.
pub(crate) async fn forget_invited(
    transaction: &impl ConnectionTrait,
    people: &[Uuid],
) -> Result<(), Error> {
    let elsewhere = Query::select()
        .column(membership::Column::UserId)
        .from(membership::Entity)
        .and_where(membership::Column::UserId.is_in(people.iter().copied()))
        .to_owned();
    user::Entity::delete_many()
        .filter(user::Column::Id.is_in(people.iter().copied()))
        .filter(user::Column::Invited.eq(true))
        .filter(user::Column::Id.not_in_subquery(elsewhere))
        .exec(transaction)
        .await?;
    Ok(())
}
