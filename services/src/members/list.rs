//! Reading who is a member.

use std::collections::HashMap;

use latchkey_domain::api::{ListedMember, Member, Page};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::role::{Permission, Role};
use latchkey_domain::time::Timestamp;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::actor::Actor;
use crate::entity::{membership, session, user};
use crate::error::Error;
use crate::page::{PageRequest, time_cursor};
use crate::scope;
use crate::services::Services;

/// The members of an organization and who is invited, first come first.
///
/// # Errors
/// `NotFound` for a stranger, `Invalid` for a foreign cursor.
pub async fn list(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    page: PageRequest,
) -> Result<Page<ListedMember>, Error> {
    let scope = scope::organization(services, actor, organization, Permission::Read).await?;
    let database = services.database.reader();
    let mut query = membership::Entity::find()
        .filter(membership::Column::OrganizationId.eq(scope.id().as_uuid()))
        .order_by_asc(membership::Column::CreatedAt)
        .order_by_asc(membership::Column::UserId)
        .limit(page.rows());
    if let Some((at, id)) = page.after_time()? {
        query = query.filter(membership::Column::CreatedAt.gte(at)).filter(
            Condition::any().add(membership::Column::CreatedAt.gt(at)).add(
                Condition::all()
                    .add(membership::Column::CreatedAt.eq(at))
                    .add(membership::Column::UserId.gt(id)),
            ),
        );
    }
    let rows = query.all(database).await?;
    let rows = page.page(rows, |last| time_cursor(last.created_at, last.user_id));
    let people = people(database, &rows.data).await?;
    let seen = last_seen(services, &rows.data).await?;
    let data = rows.data.iter().map(|row| {
        let person = people.get(&row.user_id).ok_or(Error::Corrupt("member"))?;
        let by = row.invited_by.and_then(|id| people.get(&id));
        Ok(ListedMember {
            member: to_member(row, person)?,
            avatar_url: person.avatar_url.clone(),
            last_active_at: seen.get(&row.user_id).copied().map(Timestamp::from_millis),
            invited_by: by.map(|person| person.login.clone()),
        })
    });
    Ok(Page { data: data.collect::<Result<_, Error>>()?, next_cursor: rows.next_cursor })
}

/// A member as the API shows them.
///
/// # Errors
/// `Corrupt`.
pub(super) fn to_member(row: &membership::Model, person: &user::Model) -> Result<Member, Error> {
    Ok(Member {
        user_id: row.user_id.into(),
        login: person.login.clone(),
        name: person.name.clone(),
        role: Role::from_name(&row.role).ok_or(Error::Corrupt("role"))?,
        invited: person.invited,
        created_at: Timestamp::from_millis(row.created_at),
    })
}

/// The members, and who invited them.
async fn people(
    database: &impl ConnectionTrait,
    rows: &[membership::Model],
) -> Result<HashMap<Uuid, user::Model>, Error> {
    let ids = rows.iter().flat_map(|row| [Some(row.user_id), row.invited_by]).flatten();
    let people = user::Entity::find().filter(user::Column::Id.is_in(ids)).all(database).await?;
    Ok(people.into_iter().map(|person| (person.id, person)).collect())
}

/// When each was last seen, if they have a session that stands.
async fn last_seen(
    services: &Services,
    rows: &[membership::Model],
) -> Result<HashMap<Uuid, i64>, Error> {
    let seen: Vec<(Uuid, i64)> = session::Entity::find()
        .select_only()
        .column(session::Column::UserId)
        .column_as(session::Column::LastSeenAt.max(), "seen")
        .filter(session::Column::UserId.is_in(rows.iter().map(|row| row.user_id)))
        .group_by(session::Column::UserId)
        .into_tuple()
        .all(services.database.reader())
        .await?;
    Ok(seen.into_iter().collect())
}
