//! Inserts the keys of a file, a few hundred in a statement.

use latchkey_domain::budget::{BudgetUnit, Budgets};
use latchkey_domain::id::UserId;
use latchkey_domain::time::Timestamp;
use latchkey_store::entity::{budget_usage, imported_key, key, key_tag, project};
use latchkey_store::insert::insert_many;
use sea_orm::{DatabaseTransaction, EntityTrait, Set};

use super::prepare::PreparedKey;
use crate::error::Error;
use crate::keys::NewKeyLimits;
use crate::keys::row::search_text;

/// Rows in a statement: SQLite allows at most 32,766 parameters, and a key has 28.
const ROWS: usize = 500;

/// What all keys of an import share.
pub(super) struct Shared<'a> {
    pub(super) project: &'a project::Model,
    pub(super) created_by: UserId,
    pub(super) now: Timestamp,
    /// The sealed secret of the other system's HMAC.
    pub(super) secret: Option<Vec<u8>>,
    /// Fingerprint of the pepper that the digests stand under.
    pub(super) pepper: [u8; 16],
}

/// Inserts the keys with what belongs to them.
///
/// # Errors
/// The database fails; a unique index is violated if another request was faster.
pub(super) async fn insert(
    transaction: &DatabaseTransaction,
    shared: &Shared<'_>,
    keys: &[PreparedKey],
) -> Result<(), Error> {
    for chunk in keys.chunks(ROWS) {
        let (mut rows, mut tags, mut used) = (Vec::with_capacity(ROWS), Vec::new(), Vec::new());
        for key in chunk {
            let limits = NewKeyLimits::new(&key.request, shared.project.key_defaults.clone())?;
            used.extend(shared.spent(key, &limits.budgets));
            tags.extend(shared.tags(key));
            rows.push(shared.row(key, limits));
        }
        key::Entity::insert_many(rows).exec_without_returning(transaction).await?;
        let imported = chunk.iter().map(|key| shared.imported(key));
        imported_key::Entity::insert_many(imported).exec_without_returning(transaction).await?;
        insert_many(transaction, tags, None).await?;
        insert_many(transaction, used, None).await?;
    }
    Ok(())
}

impl Shared<'_> {
    /// All rows set the same columns; those that are missing here are null for new keys.
    fn row(&self, key: &PreparedKey, limits: NewKeyLimits) -> key::ActiveModel {
        let request = &key.request;
        let name = request.name.as_str();
        key::ActiveModel {
            id: Set(key.id),
            project_id: Set(self.project.id),
            application_id: Set(request.application_id),
            kind: Set(request.kind),
            environment: Set(request.environment),
            search: Set(search_text(key.id, name, &key.hint)),
            name: Set(name.to_owned()),
            digest: Set(key.digest),
            pepper: Set(Some(self.pepper.to_vec())),
            hint: Set(key.hint.clone()),
            created_by: Set(self.created_by),
            created_at: Set(key.created_at),
            expires_at: Set(request.expires_at),
            revoked_at: Set(key.is_revoked.then_some(self.now)),
            last_used_at: Set(key.last_used_at),
            disabled: Set(request.disabled),
            external_id: Set(request.external_id.clone()),
            metadata: Set(request.metadata.clone().filter(|metadata| !metadata.is_empty())),
            tags: Set(request.tags.clone().filter(|tags| !tags.is_empty())),
            scopes: Set(request.scopes.clone().filter(|scopes| !scopes.is_empty())),
            ..limits.into_columns()
        }
    }

    fn imported(&self, key: &PreparedKey) -> imported_key::ActiveModel {
        let sealed = if key.is_hmac() { self.secret.clone() } else { key.sealed.clone() };
        imported_key::ActiveModel {
            key_id: Set(key.id),
            project_id: Set(self.project.id),
            scheme: Set(key.scheme.clone()),
            foreign_digest: Set(key.foreign_digest),
            lookup: Set(key.lookup.as_ref().map(|start| start.as_str().to_owned())),
            sealed: Set(sealed),
            moved_at: Set(key.has_moved.then_some(self.now)),
        }
    }

    fn tags(&self, key: &PreparedKey) -> impl Iterator<Item = key_tag::ActiveModel> {
        let tags = key.request.tags.as_ref().map(|tags| tags.as_slice().to_vec());
        let (key_id, project_id, created_at) = (key.id, self.project.id, key.created_at);
        tags.unwrap_or_default().into_iter().map(move |tag| key_tag::ActiveModel {
            key_id: Set(key_id),
            tag: Set(tag),
            project_id: Set(project_id),
            created_at: Set(created_at),
        })
    }

    /// What the key has used so far of its first budget in dollars, in the current period.
    fn spent(&self, key: &PreparedKey, budgets: &Budgets) -> Option<budget_usage::ActiveModel> {
        let spent = key.spent.filter(|spent| spent.billionths() > 0)?;
        let budget = budgets.first(BudgetUnit::Usd)?;
        let (starts_at, _) = budget.period.around(self.now);
        Some(budget_usage::ActiveModel {
            owner_id: Set(key.id.into()),
            unit: Set(budget.unit),
            period: Set(budget.period),
            starts_at: Set(starts_at),
            used: Set(i64::try_from(spent.billionths()).unwrap_or(i64::MAX)),
            background: Set(0),
            background_calls: Set(0),
        })
    }
}
