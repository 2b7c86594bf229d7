//! `Idempotency-Key` for creates and rotations: a repeated request creates no second secret.
//!
//! The secret is not stored, so a replay can't return it. It names the key, which can be rotated. A
//! refused request leaves no trace and may be repeated.

use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, Set};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::actor::Actor;
use crate::error::Error;
use crate::services::Services;
use latchkey_store::entity::{idempotency_key, idempotent_create};

/// Retention of an idempotency key.
const KEPT: Duration = Duration::from_hours(24);

/// A client's idempotency key for one create or rotation.
#[derive(Debug, Clone)]
pub struct Idempotency {
    key: String,
    path: String,
    request: [u8; 32],
}

impl Idempotency {
    /// An idempotency key that came with a request to `path`. `request` is the parsed body.
    pub fn new(key: String, path: String, request: &impl Serialize) -> Self {
        // Requests are structs of plain values, which always serialize.
        let body = serde_json::to_vec(request).unwrap_or_default();
        Self { key, path, request: Sha256::digest(body).into() }
    }

    /// Digest of the parsed body.
    pub(crate) const fn request(&self) -> [u8; 32] {
        self.request
    }

    /// Whether a stored request is the same as this one. A stored request past its retention is
    /// not.
    ///
    /// # Errors
    /// `IdempotencyMismatch` if the bodies differ.
    pub(crate) fn repeats(
        &self,
        request: &[u8],
        created_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        if now.since(created_at) >= KEPT {
            return Ok(false);
        }
        if request == self.request { Ok(true) } else { Err(Error::IdempotencyMismatch) }
    }

    /// Primary key of the stored request: a digest of caller, path and key.
    pub(crate) fn id(&self, actor: &Actor) -> Vec<u8> {
        let mut hash = Sha256::new();
        for part in [actor.caller().as_str(), &self.path, &self.key] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().to_vec()
    }
}

/// Refuses a repeated request. The caller has locked the project or the key, so two concurrent
/// requests run one after the other.
pub(super) async fn check(
    transaction: &impl ConnectionTrait,
    actor: &Actor,
    idempotency: Option<&Idempotency>,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(idempotency) = idempotency else { return Ok(()) };
    let id = idempotency.id(actor);
    let Some(row) = idempotency_key::Entity::find_by_id(id.clone()).one(transaction).await? else {
        return Ok(());
    };
    if idempotency.repeats(&row.request, row.created_at, now)? {
        return Err(Error::IdempotencyReplay(row.key_id));
    }
    idempotency_key::Entity::delete_by_id(id).exec(transaction).await?;
    Ok(())
}

/// Stores the key, in the transaction that creates or rotates.
pub(super) async fn keep(
    transaction: &impl ConnectionTrait,
    actor: &Actor,
    idempotency: Option<&Idempotency>,
    key: KeyId,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(idempotency) = idempotency else { return Ok(()) };
    let row = idempotency_key::ActiveModel {
        id: Set(idempotency.id(actor)),
        request: Set(idempotency.request.to_vec()),
        key_id: Set(key),
        created_at: Set(now),
    };
    row.insert(transaction).await?;
    Ok(())
}

/// Deletes idempotency keys that are older than a day.
///
/// # Errors
/// The database fails.
pub async fn purge(services: &Services) -> Result<(), Error> {
    let is_old = Expr::col("created_at").lte(services.clock.now() - KEPT);
    services.database.delete_all::<idempotency_key::Entity>(is_old.clone()).await?;
    services.database.delete_all::<idempotent_create::Entity>(is_old).await?;
    Ok(())
}
