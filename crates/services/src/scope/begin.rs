//! Starts a transaction that writes on behalf of an actor.
//!
//! Between the query that returned a scope and the write, the actor may have signed out, lost the
//! membership, changed role or been revoked, and that change may already be acknowledged. A write
//! therefore reads all of this again inside its transaction, under the locks that those changes
//! also take. Either the change waits for the write, or the write is refused. The audit log
//! requires a [`By`], and for actions of an actor only this module constructs one, so a write that
//! skips this module can't be recorded.
//!
//! The locks are exclusive although nothing is written to these rows. Shared locks could be held in
//! overlap without end by a member who wants to block their own removal. All transactions lock in
//! this order, which rules out deadlocks:
//!
//! ```text
//! sessions → organization → memberships → people → projects → application → keys
//!   → end of the audit log
//! ```
//! Several rows of a kind are locked in the order of their ids. SQLite has a single writer and
//! needs no row locks.

use latchkey_domain::id::{OrganizationId, SessionId};
use latchkey_domain::key::KeyStatus;
use latchkey_domain::outcome::Outcome;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

use super::{ApplicationScope, Grant, OrganizationScope, ProjectScope, allow};
use crate::accounts::{is_active, is_allowed};
use crate::actor::{Actor, Person, ServiceKey, Who};
use crate::audit::By;
use crate::error::Error;
use crate::keys::row;
use crate::organizations;
use crate::projects;
use crate::services::Services;
use latchkey_checker::Denial;
use latchkey_store::database::OnBehalfOf;
use latchkey_store::entity::{key, membership, organization, project, session, user};

/// A write that has started: the actor stays authorized until the transaction ends.
pub(crate) struct AuthorizedWrite<T> {
    pub(crate) transaction: DatabaseTransaction,
    /// The actor, for the audit log.
    pub(crate) by: By,
    /// The row that the write is scoped to, locked.
    pub(crate) within: T,
}

/// Starts a write outside any tenant's scope: a new organization, or an action of an instance
/// administrator.
///
/// # Errors
/// `Unauthenticated` if the session has ended, `Forbidden` for a service key.
pub(crate) async fn begin(
    services: &Services,
    actor: &Actor,
) -> Result<AuthorizedWrite<()>, Error> {
    let person = actor.person()?;
    count_write(services, person.user())?;
    let transaction = services.database.begin_for(OnBehalfOf::Person(person.user())).await?;
    let by = lock_session(services, &transaction, actor, person).await?;
    Ok(AuthorizedWrite { transaction, by, within: () })
}

impl OrganizationScope {
    /// Starts a write in the organization and refreshes the scope with the actor's current role.
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound` or `Forbidden` if the actor has lost access since the scope
    /// was returned.
    pub(crate) async fn begin(
        &mut self,
        services: &Services,
        actor: &Actor,
    ) -> Result<AuthorizedWrite<organization::Model>, Error> {
        let own = membership::Column::UserId.eq(actor.author());
        self.begin_with(services, actor, own).await
    }

    /// As [`Self::begin`], but locks every membership, for a write that ends them all.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub(crate) async fn begin_for_all(
        &mut self,
        services: &Services,
        actor: &Actor,
    ) -> Result<AuthorizedWrite<organization::Model>, Error> {
        let all = membership::Column::OrganizationId.eq(self.id);
        self.begin_with(services, actor, all).await
    }

    /// Starts a write that locks the memberships that `which` selects. The actor's must be among
    /// them.
    async fn begin_with(
        &mut self,
        services: &Services,
        actor: &Actor,
        which: sea_orm::sea_query::Expr,
    ) -> Result<AuthorizedWrite<organization::Model>, Error> {
        let AuthorizedWrite { transaction, by, .. } = begin(services, actor).await?;
        let within = organizations::lock(&transaction, self.id).await?;
        let rows = lock_memberships(&transaction, self.id, which).await?;
        let own = actor.author();
        let own = rows.iter().find(|row| row.user_id == own).ok_or(Error::NotFound)?;
        self.role = own.role;
        allow(self.role, self.permission)?;
        Ok(AuthorizedWrite { transaction, by, within })
    }
}

impl ProjectScope {
    /// Starts a write in the project and refreshes the scope with the actor's current grant.
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound`, `Forbidden`, or `Denied` for a service key, if the actor has
    /// lost access since the scope was returned.
    pub(crate) async fn begin(
        &mut self,
        services: &Services,
        actor: &Actor,
    ) -> Result<AuthorizedWrite<project::Model>, Error> {
        let write = match &actor.who {
            Who::Person(person) => self.begin_for_person(services, actor, person).await?,
            Who::ServiceKey(key) => self.begin_for_service_key(services, actor, key).await?,
        };
        self.grant.require(self.permission)?;
        Ok(write)
    }

    async fn begin_for_person(
        &mut self,
        services: &Services,
        actor: &Actor,
        person: &Person,
    ) -> Result<AuthorizedWrite<project::Model>, Error> {
        let AuthorizedWrite { transaction, by, .. } = begin(services, actor).await?;
        let own = membership::Column::UserId.eq(person.user());
        let rows = lock_memberships(&transaction, self.organization, own).await?;
        let own = rows.first().ok_or(Error::NotFound)?;
        self.grant = Grant::Member(own.role);
        let within = projects::lock(&transaction, self).await?;
        Ok(AuthorizedWrite { transaction, by, within })
    }

    async fn begin_for_service_key(
        &mut self,
        services: &Services,
        actor: &Actor,
        key: &ServiceKey,
    ) -> Result<AuthorizedWrite<project::Model>, Error> {
        count_write(services, key.id)?;
        let who = OnBehalfOf::Organization(key.organization);
        let transaction = services.database.begin_for(who).await?;
        let within = projects::lock(&transaction, self).await?;
        let row = lock_service_key(services, &transaction, key).await?;
        let permissions = row.permissions.as_ref();
        self.grant =
            Grant::ServiceKey(permissions.map_or_else(Vec::new, |all| all.as_slice().to_vec()));
        let by = By::service_key(row.id, &row.name, actor.ip);
        Ok(AuthorizedWrite { transaction, by, within })
    }
}

impl ApplicationScope {
    /// Starts a write in the application's project. Locks the project, not the application.
    ///
    /// # Errors
    /// As [`ProjectScope::begin`].
    pub(crate) async fn begin(
        &mut self,
        services: &Services,
        actor: &Actor,
    ) -> Result<AuthorizedWrite<project::Model>, Error> {
        self.project.begin(services, actor).await
    }
}

/// Starts a write on the person's own sessions. Locks all that have not ended and returns their
/// ids.
///
/// # Errors
/// `Unauthenticated` if the session has ended, `Forbidden` for a service key.
pub(crate) async fn begin_on_sessions(
    services: &Services,
    actor: &Actor,
) -> Result<AuthorizedWrite<Vec<SessionId>>, Error> {
    let person = actor.person()?;
    // Counted per session, not per person: the thief of one session must not use up the limit that
    // its owner needs to end it.
    count_write(services, person.session())?;
    let transaction = services.database.begin_for(OnBehalfOf::Person(person.user())).await?;
    let within: Vec<SessionId> = session::Entity::find()
        .select_only()
        .column(session::Column::Id)
        .filter(session::Column::UserId.eq(person.user()))
        .filter(session::Column::EndedAt.is_null())
        .order_by_asc(session::Column::Id)
        .lock(LockType::NoKeyUpdate)
        .into_tuple()
        .all(&transaction)
        .await?;
    let by = lock_session(services, &transaction, actor, person).await?;
    Ok(AuthorizedWrite { transaction, by, within })
}

/// Counts a write against the caller's limit. Every write starts in this module, so each is counted
/// exactly once, and before it waits for the single writer.
fn count_write(services: &Services, caller: impl Into<Uuid>) -> Result<(), Error> {
    services.writes.count(caller, services.clock.monotonic())
}

async fn lock_session(
    services: &Services,
    transaction: &impl ConnectionTrait,
    actor: &Actor,
    person: &Person,
) -> Result<By, Error> {
    session::Entity::find_by_id(person.session())
        .filter(session::Column::UserId.eq(person.user()))
        .filter(is_active(services))
        .lock(LockType::NoKeyUpdate)
        .one(transaction)
        .await?
        .ok_or(Error::Unauthenticated)?;
    let user = user::Entity::find_by_id(person.user());
    let user = user.filter(is_allowed(services)).one(transaction).await?;
    let user = user.ok_or(Error::Unauthenticated)?;
    Ok(By::person(person.user(), &user.login, actor.ip))
}

async fn lock_memberships(
    transaction: &impl ConnectionTrait,
    organization: OrganizationId,
    which: sea_orm::sea_query::Expr,
) -> Result<Vec<membership::Model>, Error> {
    Ok(membership::Entity::find()
        .filter(membership::Column::OrganizationId.eq(organization))
        .filter(which)
        .order_by_asc(membership::Column::UserId)
        .lock(LockType::NoKeyUpdate)
        .all(transaction)
        .await?)
}

/// The acting service key's row, if the presented secret is still valid. The caller has locked its
/// project.
async fn lock_service_key(
    services: &Services,
    transaction: &impl ConnectionTrait,
    key: &ServiceKey,
) -> Result<key::Model, Error> {
    let denied = |outcome| Error::Denied(Box::new(Denial::of(outcome)));
    let row = key::Entity::find_by_id(key.id)
        .filter(key::Column::ProjectId.eq(key.project))
        .lock(LockType::NoKeyUpdate)
        .one(transaction)
        .await?
        .ok_or_else(|| denied(Outcome::UnknownKey))?;
    let now = services.clock.now();
    match row::status(&row, now) {
        KeyStatus::Revoked => return Err(denied(Outcome::RevokedKey)),
        KeyStatus::Expired => return Err(denied(Outcome::ExpiredKey)),
        KeyStatus::Disabled => return Err(denied(Outcome::DisabledKey)),
        KeyStatus::Active => {}
    }
    let in_grace = row.old_ends_at.is_some_and(|end| end > now);
    let is_old = row.old_digest.is_some_and(|digest| key.seen.is_of(&digest));
    if key.seen.is_of(&row.digest) || (is_old && in_grace) {
        Ok(row)
    } else {
        Err(denied(Outcome::RevokedKey))
    }
}
