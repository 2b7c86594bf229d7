//! Lists members and invitations.

use std::collections::HashMap;

use latchkey_domain::api::{ListedMember, Member, Page};
use latchkey_domain::id::{OrganizationId, UserId};
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Value,
};
use uuid::Uuid;

use crate::actor::Actor;
use crate::error::Error;
use crate::page::{PageRequest, time_cursor};
use crate::scope::{self, OrganizationScope};
use crate::services::Services;
use latchkey_store::entity::{invitation, membership, session, user};

/// A row of the combined list.
enum MemberRow {
    Member(membership::Model),
    Invited(invitation::Model),
}

impl MemberRow {
    /// Position in the list.
    fn place(&self) -> (Timestamp, Uuid) {
        match self {
            Self::Member(row) => (row.created_at, row.user_id.into()),
            Self::Invited(row) => (row.created_at, row.id.into()),
        }
    }

    /// The users that the row refers to.
    fn people(&self) -> impl Iterator<Item = UserId> + use<> {
        let (person, inviter) = match self {
            Self::Member(row) => (Some(row.user_id), row.invited_by),
            Self::Invited(row) => (None, row.invited_by),
        };
        person.into_iter().chain(inviter)
    }
}

/// The members and invitations of an organization, oldest first. An invitation reveals only its
/// login.
///
/// # Errors
/// `NotFound` if the actor is not a member, `Invalid` for a malformed cursor.
pub async fn list(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    page: PageRequest,
) -> Result<Page<ListedMember>, Error> {
    let scope = scope::organization(services, actor, organization, Permission::Read).await?;
    let database = services.database.reader();
    let after = page.after_time()?;
    // Reads a full page of each kind, so that the first rows of the merged list are among them.
    let mut rows = members(database, &scope, after, page.rows()).await?;
    rows.extend(invited(database, &scope, after, page.rows()).await?);
    rows.sort_by_key(MemberRow::place);
    rows.truncate(usize::try_from(page.rows()).unwrap_or(usize::MAX));
    let rows = page.page(rows, |last| {
        let (at, id) = last.place();
        time_cursor(at, id)
    });
    let people = people(database, &rows.data).await?;
    let seen = last_seen(services, &rows.data).await?;
    let data = rows.data.iter().map(|row| listed(row, &people, &seen));
    Ok(Page { data: data.collect::<Result<_, Error>>()?, next_cursor: rows.next_cursor })
}

fn listed(
    row: &MemberRow,
    people: &HashMap<UserId, user::Model>,
    seen: &HashMap<UserId, Timestamp>,
) -> Result<ListedMember, Error> {
    let login = |id: Option<UserId>| id.and_then(|id| people.get(&id)).map(|one| one.login.clone());
    match row {
        MemberRow::Member(row) => {
            let person = people.get(&row.user_id).ok_or(Error::corrupt("member"))?;
            Ok(ListedMember {
                member: to_member(row, person),
                invitation_id: None,
                avatar_url: person.avatar_url.clone(),
                last_active_at: seen.get(&row.user_id).copied(),
                invited_by: login(row.invited_by),
            })
        }
        MemberRow::Invited(row) => Ok(ListedMember {
            member: to_invited(row),
            invitation_id: Some(row.id),
            avatar_url: None,
            last_active_at: None,
            invited_by: login(row.invited_by),
        }),
    }
}

async fn members(
    database: &impl ConnectionTrait,
    scope: &OrganizationScope,
    after: Option<(Timestamp, Uuid)>,
    limit: u64,
) -> Result<Vec<MemberRow>, Error> {
    let mut query = membership::Entity::find()
        .filter(membership::Column::OrganizationId.eq(scope.id()))
        .order_by_asc(membership::Column::CreatedAt)
        .order_by_asc(membership::Column::UserId)
        .limit(limit);
    if let Some((at, id)) = after {
        query = query.filter(membership::Column::CreatedAt.gte(at)).filter(
            Condition::any().add(membership::Column::CreatedAt.gt(at)).add(
                Condition::all()
                    .add(membership::Column::CreatedAt.eq(at))
                    .add(membership::Column::UserId.gt(id)),
            ),
        );
    }
    Ok(query.all(database).await?.into_iter().map(MemberRow::Member).collect())
}

async fn invited(
    database: &impl ConnectionTrait,
    scope: &OrganizationScope,
    after: Option<(Timestamp, Uuid)>,
    limit: u64,
) -> Result<Vec<MemberRow>, Error> {
    let mut query = invitation::Entity::find()
        .filter(invitation::Column::OrganizationId.eq(scope.id()))
        .order_by_asc(invitation::Column::CreatedAt)
        .order_by_asc(invitation::Column::Id)
        .limit(limit);
    if let Some(after) = after {
        query = query.filter(invitation::Column::CreatedAt.gte(after.0)).filter(later(after));
    }
    Ok(query.all(database).await?.into_iter().map(MemberRow::Invited).collect())
}

/// Converts a membership to its API form.
pub(super) fn to_member(row: &membership::Model, person: &user::Model) -> Member {
    Member {
        user_id: Some(row.user_id),
        login: person.login.clone(),
        name: person.name.clone(),
        role: row.role,
        invited: false,
        created_at: row.created_at,
    }
}

/// Converts an invitation to its API form.
pub(super) fn to_invited(row: &invitation::Model) -> Member {
    Member {
        user_id: None,
        login: row.login.clone(),
        name: None,
        role: row.role,
        invited: true,
        created_at: row.created_at,
    }
}

/// The members on the page, and the inviters of members and invitations.
async fn people(
    database: &impl ConnectionTrait,
    rows: &[MemberRow],
) -> Result<HashMap<UserId, user::Model>, Error> {
    let ids = rows.iter().flat_map(MemberRow::people);
    let people = user::Entity::find().filter(user::Column::Id.is_in(ids)).all(database).await?;
    Ok(people.into_iter().map(|person| (person.id, person)).collect())
}

/// When each member was last seen, if any of their sessions is still stored.
async fn last_seen(
    services: &Services,
    rows: &[MemberRow],
) -> Result<HashMap<UserId, Timestamp>, Error> {
    let members = rows.iter().filter_map(|row| match row {
        MemberRow::Member(row) => Some(row.user_id),
        MemberRow::Invited(_) => None,
    });
    let seen: Vec<(UserId, Timestamp)> = session::Entity::find()
        .select_only()
        .column(session::Column::UserId)
        .column_as(session::Column::LastSeenAt.max(), "seen")
        .filter(session::Column::UserId.is_in(members))
        .group_by(session::Column::UserId)
        .into_tuple()
        .all(services.database.reader())
        .await?;
    Ok(seen.into_iter().collect())
}

/// Condition of the invitations after a position, oldest first.
pub(super) fn later<Id: Into<Value>>((at, id): (Timestamp, Id)) -> Condition {
    Condition::any().add(invitation::Column::CreatedAt.gt(at)).add(
        Condition::all()
            .add(invitation::Column::CreatedAt.eq(at))
            .add(invitation::Column::Id.gt(id)),
    )
}
