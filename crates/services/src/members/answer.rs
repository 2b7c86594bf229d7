//! Answers to invitations: the person's side.
//!
//! An invitation is addressed to a login. Only the GitHub account that signed in with this login
//! most recently may answer. Whoever accepts is a member by their GitHub identity from then on,
//! whatever happens to the login.

use std::collections::HashMap;

use latchkey_domain::api::{Invitation, InvitingOrganization, Page};
use latchkey_domain::audit::{ActorKind, AuditAction};
use latchkey_domain::id::{InvitationId, OrganizationId, UserId};
use latchkey_domain::role::Role;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Set,
};

use super::invite::{event, find, is_for};
use super::list::later;
use crate::actor::Actor;
use crate::audit::{self, By, Changes};
use crate::error::Error;
use crate::organizations;
use crate::page::{PageRequest, time_cursor};
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite};
use crate::services::Services;
use latchkey_store::entity::{invitation, membership, organization, user};

/// The actor's pending invitations, oldest first.
///
/// # Errors
/// `Forbidden` for a service key, `Invalid` for a malformed cursor.
pub async fn waiting(
    services: &Services,
    actor: &Actor,
    page: PageRequest,
) -> Result<Page<Invitation>, Error> {
    let database = services.database.reader();
    let after = page.after_time::<InvitationId>()?;
    let Some(login) = own_login(database, actor).await? else {
        return Ok(Page { data: Vec::new(), next_cursor: None });
    };
    let mut query = invitation::Entity::find()
        .filter(is_for(&login))
        .order_by_asc(invitation::Column::CreatedAt)
        .order_by_asc(invitation::Column::Id)
        .limit(page.rows());
    if let Some(after) = after {
        query = query.filter(later(after));
    }
    let rows = page.page(query.all(database).await?, |last| time_cursor(last.created_at, last.id));
    let organizations = organizations_of(database, &rows.data).await?;
    let inviters = inviters_of(database, &rows.data).await?;
    let data = rows.data.iter().map(|row| {
        let name = organizations.get(&row.organization_id);
        Ok(Invitation {
            organization: InvitingOrganization {
                id: row.organization_id,
                name: name.ok_or(Error::corrupt("invitation"))?.clone(),
            },
            role: row.role,
            invited_by: row.invited_by.and_then(|id| inviters.get(&id).cloned()),
            created_at: row.created_at,
        })
    });
    Ok(Page { data: data.collect::<Result<_, Error>>()?, next_cursor: rows.next_cursor })
}

async fn organizations_of(
    database: &impl ConnectionTrait,
    rows: &[invitation::Model],
) -> Result<HashMap<OrganizationId, String>, Error> {
    let ids = rows.iter().map(|row| row.organization_id);
    let found =
        organization::Entity::find().filter(organization::Column::Id.is_in(ids)).all(database);
    Ok(found.await?.into_iter().map(|one| (one.id, one.name)).collect())
}

async fn inviters_of(
    database: &impl ConnectionTrait,
    rows: &[invitation::Model],
) -> Result<HashMap<UserId, String>, Error> {
    let ids = rows.iter().filter_map(|row| row.invited_by);
    let found = user::Entity::find().filter(user::Column::Id.is_in(ids)).all(database);
    Ok(found.await?.into_iter().map(|one| (one.id, one.login)).collect())
}

/// The login that the actor can be invited by. `None` if another account has signed in with it
/// since, or if it is not a GitHub login.
async fn own_login(
    database: &impl ConnectionTrait,
    actor: &Actor,
) -> Result<Option<String>, Error> {
    let row = user::Entity::find_by_id(actor.person()?.user())
        .filter(user::Column::HoldsLogin.eq(true))
        .filter(user::Column::GithubId.is_not_null())
        .one(database)
        .await?;
    Ok(row.map(|row| row.login))
}

/// Accepts an invitation, which makes the actor a member.
///
/// # Errors
/// `NotFound` without a pending invitation, `LimitReached` if the actor already owns as many
/// organizations as a person may, `Forbidden` for a service key.
pub async fn accept(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
) -> Result<(), Error> {
    retried(services, || accept_once(services, actor, organization)).await
}

async fn accept_once(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
) -> Result<(), Error> {
    let (AuthorizedWrite { transaction, by, .. }, row) =
        take(services, actor, organization).await?;
    let role = row.role;
    let person = actor.author();
    if role == Role::Owner {
        organizations::check_owned(&transaction, person, "You own").await?;
    }
    let member = membership::ActiveModel {
        organization_id: Set(organization),
        user_id: Set(person),
        role: Set(role),
        created_at: Set(services.clock.now()),
        invited_by: Set(row.invited_by),
    };
    // Keeps the role of somebody who is a member already, having joined under another login.
    let key = [membership::Column::OrganizationId, membership::Column::UserId];
    membership::Entity::insert(member)
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(&transaction)
        .await?;
    let changes = Changes::default().set("role", role);
    let event = audit::Event {
        id: person.to_string(),
        ..event(AuditAction::MemberJoined, &row.login, changes)
    };
    audit::record(services, &transaction, organization, &by, event).await?;
    Ok(transaction.commit().await?)
}

/// Declines an invitation. The organization learns that the login declined, and nothing else.
///
/// # Errors
/// `NotFound` without a pending invitation, `Forbidden` for a service key.
pub async fn decline(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
) -> Result<(), Error> {
    retried(services, || decline_once(services, actor, organization)).await
}

async fn decline_once(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
) -> Result<(), Error> {
    let (AuthorizedWrite { transaction, .. }, row) = take(services, actor, organization).await?;
    let by = By { kind: ActorKind::Person, id: None, name: row.login.clone(), ip: None };
    let changes = Changes::default();
    let event = event(AuditAction::InvitationDeclined, &row.login, changes);
    audit::record(services, &transaction, organization, &by, event).await?;
    Ok(transaction.commit().await?)
}

/// Deletes and returns the actor's invitation. Of concurrent answers and a withdrawal, exactly one
/// gets it.
async fn take(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
) -> Result<(AuthorizedWrite<()>, invitation::Model), Error> {
    let write = scope::begin(services, actor).await?;
    let transaction: &DatabaseTransaction = &write.transaction;
    organizations::lock(transaction, organization).await?;
    let login = own_login(transaction, actor).await?.ok_or(Error::NotFound)?;
    let row = find(transaction, organization, &login).await?.ok_or(Error::NotFound)?;
    invitation::Entity::delete_by_id(row.id).exec(transaction).await?;
    Ok((write, row))
}
