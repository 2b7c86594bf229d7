//! Appends to the log.

use std::net::IpAddr;

use latchkey_domain::audit::{ActorKind, AuditAction, TargetKind};
use latchkey_domain::id::{AuditEventId, KeyId, OrganizationId, UserId};
use latchkey_domain::mask;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, QueryFilter, QuerySelect, Set,
};

use super::Changes;
use super::chain::{self, GENESIS, Link};
use crate::error::Error;
use crate::services::Services;
use latchkey_checker::digest::Pepper;
use latchkey_store::entity::{audit_event, audit_head};

/// An action to record.
pub(crate) struct Event<'a> {
    pub(crate) action: AuditAction,
    pub(crate) kind: TargetKind,
    /// ID of the target.
    pub(crate) id: String,
    pub(crate) name: &'a str,
    pub(crate) changes: Changes,
}

pub(crate) struct By {
    pub(crate) kind: ActorKind,
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) ip: Option<IpAddr>,
}

impl By {
    /// A person, named by login.
    pub(crate) fn person(id: UserId, login: &str, ip: Option<IpAddr>) -> Self {
        Self { kind: ActorKind::Person, id: Some(id.to_string()), name: login.to_owned(), ip }
    }

    /// An operator's command on the database, named by the command.
    pub(crate) fn command(name: &str) -> Self {
        Self { kind: ActorKind::System, id: None, name: name.to_owned(), ip: None }
    }

    /// A service key, named by its name.
    pub(crate) fn service_key(id: KeyId, name: &str, ip: Option<IpAddr>) -> Self {
        Self { kind: ActorKind::ServiceKey, id: Some(id.to_string()), name: name.to_owned(), ip }
    }
}

/// Appends a row to the organization's log in the transaction of the action, so neither exists
/// without the other. Call it last: it locks the head of the log, and other changes of the
/// organization wait until this transaction commits.
///
/// For actions of an actor, `by` comes from the start of the transaction: see [`crate::scope`].
pub(crate) async fn record(
    services: &Services,
    transaction: &DatabaseTransaction,
    organization: OrganizationId,
    by: &By,
    event: Event<'_>,
) -> Result<(), Error> {
    let stamp = Stamp {
        pepper: services.checker.pepper(),
        now: services.clock.now(),
        random: services.random.bytes(),
    };
    append(&stamp, transaction, organization, by, event).await
}

/// What a row needs besides its content.
pub(crate) struct Stamp<'a> {
    pub(crate) pepper: &'a Pepper,
    pub(crate) now: Timestamp,
    pub(crate) random: [u8; 10],
}

/// As [`record`], in a process without [`Services`].
pub(crate) async fn append(
    stamp: &Stamp<'_>,
    transaction: &DatabaseTransaction,
    organization: OrganizationId,
    by: &By,
    event: Event<'_>,
) -> Result<(), Error> {
    let now = stamp.now;
    let head = lock_head(transaction, organization).await?;
    let place = u16::try_from((head.sequence + 1) % (1 << 14)).unwrap_or_default();
    let mut row = audit_event::Model {
        // Ids within one millisecond sort in write order, until 2^14 of them wrap around.
        id: AuditEventId::in_batch(now, place, stamp.random),
        organization_id: organization,
        sequence: head.sequence + 1,
        at: now,
        actor_kind: by.kind,
        actor_id: by.id.clone(),
        actor_name: mask::secrets(&by.name).into_owned(),
        action: event.action,
        target_kind: event.kind,
        target_id: mask::secrets(&event.id).into_owned(),
        target_name: mask::secrets(event.name).into_owned(),
        ip: by.ip.map(|ip| ip.to_canonical().to_string()),
        changes: mask::secrets(&event.changes.to_json()).into_owned(),
        hash: Vec::new(),
    };
    row.hash = chain::hash(&stamp.pepper.chain_key(), &head.hash, &Link::of(&row));
    audit_head::Entity::update_many()
        .col_expr(audit_head::Column::Sequence, Expr::value(row.sequence))
        .col_expr(audit_head::Column::Hash, Expr::value(row.hash.clone()))
        .filter(audit_head::Column::OrganizationId.eq(row.organization_id))
        .exec(transaction)
        .await?;
    let row = row.into_active_model().reset_all();
    audit_event::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

/// The head of the chain, locked until the transaction ends, so that rows are appended one by one.
async fn lock_head(
    transaction: &impl ConnectionTrait,
    organization: OrganizationId,
) -> Result<audit_head::Model, Error> {
    let find = || audit_head::Entity::find_by_id(organization).lock_exclusive().one(transaction);
    if let Some(head) = find().await? {
        return Ok(head);
    }
    let first = audit_head::ActiveModel {
        organization_id: Set(organization),
        sequence: Set(0),
        hash: Set(GENESIS.to_vec()),
    };
    audit_head::Entity::insert(first)
        .on_conflict(OnConflict::column(audit_head::Column::OrganizationId).do_nothing().to_owned())
        .exec_without_returning(transaction)
        .await?;
    find().await?.ok_or(Error::corrupt("audit head"))
}
