//! Invites people and withdraws invitations: the organization's side.

use std::time::Duration;

use latchkey_domain::api::{Member, MemberRequest};
use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::{InvitationId, OrganizationId, UserId};
use latchkey_domain::login::GithubLogin;
use latchkey_domain::role::Permission;
use latchkey_domain::tier::INVITATIONS_PER_HOUR;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QueryOrder,
    QuerySelect, RelationTrait, Set,
};

use super::list::to_invited;
use super::lock::lock_person;
use crate::actor::Actor;
use crate::audit::{self, Changes, Event};
use crate::creates;
use crate::error::Error;
use crate::keys::Idempotency;
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite, allow};
use crate::services::Services;
use latchkey_store::entity::{invitation, invitation_time, membership, user};

/// How long an invitation counts against its sender's limit.
pub(crate) const INVITATION_WINDOW: Duration = Duration::from_hours(1);

/// Invites a login, whether or not a user has it. Nobody becomes a member without accepting. The
/// response does not reveal who has the login.
///
/// # Errors
/// `NotFound` if the actor is not a member; `Forbidden` for viewers and members, and for admins who
/// invite an owner; `Conflict` if the login is a member or invited already, the actor's own
/// included; `TooMany` beyond a person's invitations per hour; `Replay` and `IdempotencyMismatch`.
pub async fn invite(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    request: MemberRequest,
    idempotency: Option<&Idempotency>,
) -> Result<Member, Error> {
    retried(services, || invite_once(services, actor, organization, &request, idempotency)).await
}

async fn invite_once(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    request: &MemberRequest,
    idempotency: Option<&Idempotency>,
) -> Result<Member, Error> {
    let permission = request.role.to_manage();
    let mut scope = scope::organization(services, actor, organization, permission).await?;
    // Locks the organization, so that of two concurrent invitations of a login the second sees the
    // first.
    let AuthorizedWrite { transaction, by, .. } = scope.begin(services, actor).await?;
    creates::check(&transaction, actor, idempotency, services.clock.now()).await?;
    if let Some(member) = member_of_login(&transaction, organization, &request.login).await? {
        let own = member == actor.author();
        return Err(Error::Conflict(if own {
            "You are already a member."
        } else {
            "This user is already a member."
        }));
    }
    if find(&transaction, organization, request.login.as_str()).await?.is_some() {
        return Err(Error::Conflict("This user has already been invited."));
    }
    count(services, &transaction, actor.author()).await?;
    let now = services.clock.now();
    let row = invitation::ActiveModel {
        id: Set(InvitationId::new(now, services.random.bytes())),
        organization_id: Set(organization),
        login: Set(request.login.to_string()),
        role: Set(request.role),
        created_at: Set(now),
        invited_by: Set(Some(actor.author())),
    };
    let row = row.insert(&transaction).await?;
    creates::keep(&transaction, actor, idempotency, row.login.clone(), now).await?;
    let changes = Changes::default().set("role", request.role);
    let event = event(AuditAction::MemberInvited, &row.login, changes);
    audit::record(services, &transaction, organization, &by, event).await?;
    transaction.commit().await?;
    Ok(to_invited(&row))
}

/// Withdraws an invitation. Of a concurrent withdrawal and answer, exactly one happens.
///
/// # Errors
/// `NotFound` if the actor is not a member or the login is not invited; `Forbidden` for viewers and
/// members, and for admins if an owner is invited.
pub async fn withdraw(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    login: &str,
) -> Result<(), Error> {
    retried(services, || withdraw_once(services, actor, organization, login)).await
}

async fn withdraw_once(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    login: &str,
) -> Result<(), Error> {
    let permission = Permission::MembersWrite;
    let mut scope = scope::organization(services, actor, organization, permission).await?;
    let AuthorizedWrite { transaction, by, .. } = scope.begin(services, actor).await?;
    let row = find(&transaction, organization, login).await?.ok_or(Error::NotFound)?;
    let role = row.role;
    allow(scope.role(), role.to_manage())?;
    invitation::Entity::delete_by_id(row.id).exec(&transaction).await?;
    let changes = Changes::default().field("role", role, ());
    let event = event(AuditAction::InvitationWithdrawn, &row.login, changes);
    audit::record(services, &transaction, organization, &by, event).await?;
    Ok(transaction.commit().await?)
}

/// Audit event of an invitation. The organization knows the invited person only by login.
pub(super) fn event(action: AuditAction, login: &str, changes: Changes) -> Event<'_> {
    Event { action, kind: TargetKind::Member, id: login.to_owned(), name: login, changes }
}

/// The invitation of a login to an organization. The caller has locked the organization.
pub(super) async fn find(
    transaction: &impl ConnectionTrait,
    organization: OrganizationId,
    login: &str,
) -> Result<Option<invitation::Model>, Error> {
    Ok(invitation::Entity::find()
        .filter(invitation::Column::OrganizationId.eq(organization))
        .filter(is_for(login))
        .one(transaction)
        .await?)
}

/// Condition of the invitations for a login, ignoring case.
pub(super) fn is_for(login: &str) -> Expr {
    Expr::expr(Func::lower(Expr::col((invitation::Entity, invitation::Column::Login))))
        .eq(login.to_ascii_lowercase())
}

/// Whether a login has a pending invitation.
pub(crate) async fn is_invited(
    database: &impl ConnectionTrait,
    login: &str,
) -> Result<bool, Error> {
    let one = invitation::Entity::find().filter(is_for(login)).one(database).await?;
    Ok(one.is_some())
}

/// The member with this login.
async fn member_of_login(
    transaction: &impl ConnectionTrait,
    organization: OrganizationId,
    login: &GithubLogin,
) -> Result<Option<UserId>, Error> {
    let login = login.as_str().to_ascii_lowercase();
    let lower = Func::lower(Expr::col((user::Entity, user::Column::Login)));
    let row = membership::Entity::find()
        .join(JoinType::InnerJoin, membership::Relation::User.def())
        .filter(membership::Column::OrganizationId.eq(organization))
        .filter(Expr::expr(lower).eq(login))
        .filter(user::Column::HoldsLogin.eq(true))
        .one(transaction)
        .await?;
    Ok(row.map(|row| row.user_id))
}

/// Counts an invitation against a person's limit, or refuses it. Locks their row, so that
/// concurrent invitations are all counted.
async fn count(
    services: &Services,
    transaction: &impl ConnectionTrait,
    person: UserId,
) -> Result<(), Error> {
    lock_person(transaction, person).await?;
    let now = services.clock.now();
    let own = invitation_time::Column::UserId.eq(person);
    invitation_time::Entity::delete_many()
        .filter(own.clone())
        .filter(invitation_time::Column::At.lte(now - INVITATION_WINDOW))
        .exec(transaction)
        .await?;
    let times: Vec<Timestamp> = invitation_time::Entity::find()
        .select_only()
        .column(invitation_time::Column::At)
        .filter(own)
        .order_by_asc(invitation_time::Column::At)
        .into_tuple()
        .all(transaction)
        .await?;
    if times.len() >= INVITATIONS_PER_HOUR as usize {
        let frees = times[0] + INVITATION_WINDOW;
        return Err(Error::TooMany {
            detail: format!(
                "You sent {} of {INVITATIONS_PER_HOUR} invitations in the last hour. You can send \
                 the next one at {frees}.",
                times.len()
            ),
            retry_after: frees.since(now),
        });
    }
    let row = invitation_time::ActiveModel {
        id: Set(InvitationId::new(now, services.random.bytes())),
        user_id: Set(person),
        at: Set(now),
    };
    invitation_time::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}
