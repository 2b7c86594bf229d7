//! What the database says of peppers: which one it is registered under, which ones were retired,
//! and how many keys stand under each.
//!
//! A pepper is named by its fingerprint. The registered one is that of all nodes; a node that
//! replaces it knows it as its retired one. Once every node knows both, the new one is registered
//! instead (`pepper_rotation`), and the key of the retired one's chains is kept, sealed: chains are
//! verified long after their pepper is gone.

use data_encoding::HEXLOWER;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set,
};

use crate::digest::{ChainKey, Pepper};
use latchkey_store::Error;
use latchkey_store::database::Database;
use latchkey_store::entity::{instance, key};
use latchkey_store::random::Random;

/// Name of the row with the registered pepper. Nodes of the release before know it too.
const REGISTERED: &str = "pepper_fingerprint";
/// Name of the row with the pepper of keys that name none.
const FIRST: &str = "first_pepper";
/// Names of rows of retired peppers start like this; their values are sealed chain keys.
const RETIRED: &str = "retired_pepper:";

/// Why a node with such peppers would refuse good keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PepperError {
    /// The keys in the database were digested with a different pepper.
    #[error(
        "this node’s pepper differs from the pepper of the keys in the database. Set \
         LATCHKEY_PEPPER to the same value on every node that shares the database, or copy the \
         pepper file from the original data folder. To replace the pepper, also set \
         LATCHKEY_PEPPER_RETIRED to the one before"
    )]
    Other,
    /// The retired pepper is none of this database.
    #[error(
        "LATCHKEY_PEPPER_RETIRED is no pepper that keys in this database were digested with. Set \
         it to the one before LATCHKEY_PEPPER, or unset it if none is being replaced"
    )]
    OtherRetired,
    /// The pepper was retired, and this node does not know its successor.
    #[error(
        "this node’s pepper was replaced by another one. Set LATCHKEY_PEPPER to the new one, and \
         LATCHKEY_PEPPER_RETIRED to this one"
    )]
    Replaced,
    /// Both settings have the same value.
    #[error("LATCHKEY_PEPPER and LATCHKEY_PEPPER_RETIRED are the same. Unset the retired one")]
    Same,
    /// Keys stand under a pepper that the node does not know.
    #[error(
        "{0} keys still stand under the pepper before this one. Set LATCHKEY_PEPPER_RETIRED to it \
         until `latchkey pepper status` counts none, or revoke them with `latchkey pepper \
         drop-retired --force`"
    )]
    RetiredMissing(u64),
}

/// Why peppers can't be checked, or don't fit.
#[derive(Debug, thiserror::Error)]
pub enum PepperCheckError {
    /// The database fails.
    #[error("the database: {0}")]
    Database(#[from] Error),
    /// The node would refuse good keys.
    #[error(transparent)]
    Pepper(#[from] PepperError),
}

impl From<sea_orm::DbErr> for PepperCheckError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Database(error.into())
    }
}

/// Live keys by pepper. Live is what is not revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PepperCounts {
    /// Keys under the pepper in use.
    pub current: u64,
    /// Keys under one before, or with a secret in its grace period that is.
    pub retired: u64,
}

/// Peppers that the database knows.
#[derive(Debug, Clone)]
pub(crate) struct PepperRows {
    pub(crate) registered: String,
    pub(crate) first: String,
    /// Fingerprints of retired peppers, with the sealed keys of their chains in hexadecimal.
    retired: Vec<(String, String)>,
}

impl PepperRows {
    /// Reads the rows under a lock. The first node of all registers its pepper, or the retired one:
    /// another node may know that one alone.
    pub(crate) async fn lock(
        transaction: &DatabaseTransaction,
        pepper: &Pepper,
    ) -> Result<Self, Error> {
        let of_first_node = pepper.retired().unwrap_or(pepper).fingerprint();
        insert_if_missing(transaction, REGISTERED, of_first_node).await?;
        let registered = instance::Entity::find_by_id(REGISTERED.to_owned())
            .lock(LockType::NoKeyUpdate)
            .one(transaction)
            .await?;
        let registered = registered.ok_or(Error::corrupt("registered pepper"))?.value;
        insert_if_missing(transaction, FIRST, registered).await?;
        Self::read(transaction).await
    }

    async fn read(connection: &impl ConnectionTrait) -> Result<Self, Error> {
        let rows = instance::Entity::find()
            .filter(
                Condition::any()
                    .add(instance::Column::Name.is_in([REGISTERED, FIRST]))
                    .add(instance::Column::Name.starts_with(RETIRED)),
            )
            .order_by_asc(instance::Column::Name)
            .all(connection)
            .await?;
        let (mut registered, mut first, mut retired) = (None, None, Vec::new());
        for instance::Model { name, value } in rows {
            match name.strip_prefix(RETIRED) {
                Some(fingerprint) => retired.push((fingerprint.to_owned(), value)),
                None if name == REGISTERED => registered = Some(value),
                None => first = Some(value),
            }
        }
        let registered = registered.ok_or(Error::corrupt("registered pepper"))?;
        Ok(Self { first: first.unwrap_or_else(|| registered.clone()), registered, retired })
    }

    fn was_retired(&self, fingerprint: &str) -> bool {
        self.retired.iter().any(|(retired, _)| retired == fingerprint)
    }

    /// Whether the node's pepper waits to be registered instead of its retired one.
    pub(crate) fn is_pending(&self, pepper: &Pepper) -> bool {
        pepper.retired().is_some_and(|retired| retired.fingerprint() == self.registered)
    }

    /// Whether the peppers are those of this database.
    fn check_names(&self, pepper: &Pepper) -> Result<(), PepperError> {
        let current = pepper.fingerprint();
        let retired = pepper.retired().map(Pepper::fingerprint);
        if retired.as_ref() == Some(&current) {
            return Err(PepperError::Same);
        }
        if self.registered == current {
            let is_known = retired.is_none_or(|retired| self.was_retired(&retired));
            return if is_known { Ok(()) } else { Err(PepperError::OtherRetired) };
        }
        match retired {
            Some(_) if self.is_pending(pepper) => Ok(()),
            Some(_) => Err(PepperError::OtherRetired),
            None if self.was_retired(&current) => Err(PepperError::Replaced),
            None => Err(PepperError::Other),
        }
    }

    /// Whether a node with these peppers knows all live keys.
    pub(crate) async fn check(
        &self,
        transaction: &DatabaseTransaction,
        pepper: &Pepper,
        now: Timestamp,
    ) -> Result<(), PepperCheckError> {
        self.check_names(pepper)?;
        let given = [Some(pepper), pepper.retired()].map(|one| one.map(Pepper::fingerprint));
        let unknown = self.others(&given);
        if unknown.is_empty() {
            return Ok(());
        }
        match count(transaction, self.live_under(&unknown, now)).await? {
            0 => Ok(()),
            left => Err(PepperError::RetiredMissing(left).into()),
        }
    }

    /// Known peppers but for these.
    fn others(&self, but: &[Option<String>]) -> Vec<String> {
        let retired = self.retired.iter().map(|(fingerprint, _)| fingerprint);
        let all = [&self.registered, &self.first].into_iter().chain(retired);
        let mut others: Vec<_> =
            all.filter(|known| !but.iter().flatten().any(|one| one == *known)).cloned().collect();
        others.sort_unstable();
        others.dedup();
        others
    }

    /// Condition of the live keys that stand under one of these peppers with any of their secrets.
    fn live_under(&self, peppers: &[String], now: Timestamp) -> Condition {
        let old = Condition::all()
            .add(key::Column::OldEndsAt.gt(now))
            .add(self.under(key::Column::OldPepper, peppers));
        let either = Condition::any().add(self.under(key::Column::Pepper, peppers)).add(old);
        Condition::all().add(key::Column::RevokedAt.is_null()).add(either)
    }

    fn under(&self, column: key::Column, peppers: &[String]) -> Condition {
        let ids = peppers.iter().filter_map(|one| HEXLOWER.decode(one.as_bytes()).ok());
        let under = Condition::any().add(column.is_in(ids));
        if peppers.contains(&self.first) { under.add(column.is_null()) } else { under }
    }

    /// Registers the node's pepper instead of its retired one, from which keys move from now on.
    pub(crate) async fn replace(
        &self,
        transaction: &DatabaseTransaction,
        pepper: &Pepper,
        retired: &Pepper,
        random: &dyn Random,
    ) -> Result<(), Error> {
        store(transaction, REGISTERED, pepper.fingerprint()).await?;
        let of_retired = (retired.fingerprint(), retired.chain_key());
        let earlier = self.retired.iter().filter(|(name, _)| *name != of_retired.0);
        let opened = earlier.filter_map(|(fingerprint, sealed)| {
            Some((fingerprint.clone(), open_chain_key(retired, sealed)?))
        });
        for (fingerprint, key) in opened.chain([of_retired.clone()]) {
            let sealed = pepper.seal(random.bytes(), key.expose());
            store(transaction, &format!("{RETIRED}{fingerprint}"), HEXLOWER.encode(&sealed))
                .await?;
        }
        Ok(())
    }
}

fn open_chain_key(pepper: &Pepper, sealed: &str) -> Option<ChainKey> {
    let opened = pepper.open(&HEXLOWER.decode(sealed.as_bytes()).ok()?)?;
    ChainKey::from_bytes(opened.expose())
}

async fn insert_if_missing(
    transaction: &DatabaseTransaction,
    name: &str,
    value: String,
) -> Result<(), Error> {
    let row = instance::ActiveModel { name: Set(name.to_owned()), value: Set(value) };
    instance::Entity::insert(row)
        .on_conflict(OnConflict::column(instance::Column::Name).do_nothing().to_owned())
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

async fn store(transaction: &DatabaseTransaction, name: &str, value: String) -> Result<(), Error> {
    let row = instance::ActiveModel { name: Set(name.to_owned()), value: Set(value) };
    let replace = OnConflict::column(instance::Column::Name)
        .update_column(instance::Column::Value)
        .to_owned();
    instance::Entity::insert(row).on_conflict(replace).exec_without_returning(transaction).await?;
    Ok(())
}

async fn count(connection: &impl ConnectionTrait, which: Condition) -> Result<u64, Error> {
    Ok(key::Entity::find().filter(which).count(connection).await?)
}

/// Whether the database at `url` has keys of a pepper that a node with a new one does not know,
/// unless that is the retired one. Nothing is created or changed.
///
/// # Errors
/// The database fails.
pub async fn refuses_new_pepper(url: &str, retired: Option<&Pepper>) -> Result<bool, Error> {
    let registered = Database::read_instance(url, REGISTERED).await?;
    let retired = retired.map(Pepper::fingerprint);
    Ok(registered.is_some_and(|registered| retired.as_ref() != Some(&registered)))
}

/// Compares peppers with the database's, for a process that checks no keys. On a database of
/// nobody it registers them. Returns the registered one of the two.
///
/// # Errors
/// The database fails, or these are not its peppers. A retired one may be missing.
pub async fn check_pepper<'a>(
    database: &Database,
    pepper: &'a Pepper,
) -> Result<&'a Pepper, PepperCheckError> {
    let transaction = database.begin().await?;
    let rows = PepperRows::lock(&transaction, pepper).await?;
    rows.check_names(pepper)?;
    transaction.commit().await?;
    Ok(pepper.retired().filter(|_| rows.is_pending(pepper)).unwrap_or(pepper))
}

/// Keys of chains that were made under these peppers and under all before.
///
/// # Errors
/// The database fails.
pub async fn chain_keys(database: &Database, pepper: &Pepper) -> Result<Vec<ChainKey>, Error> {
    let rows = PepperRows::read(database.reader()).await?;
    let given = [Some(pepper), pepper.retired()].into_iter().flatten();
    let mut keys: Vec<_> = given.clone().map(Pepper::chain_key).collect();
    for (_, sealed) in &rows.retired {
        keys.extend(given.clone().find_map(|pepper| open_chain_key(pepper, sealed)));
    }
    Ok(keys)
}

/// Live keys by pepper.
///
/// # Errors
/// The database fails.
pub async fn pepper_counts(
    database: &Database,
    pepper: &Pepper,
    now: Timestamp,
) -> Result<PepperCounts, Error> {
    let rows = PepperRows::read(database.reader()).await?;
    let others = rows.others(&[Some(pepper.fingerprint())]);
    let retired = count(database.reader(), rows.live_under(&others, now)).await?;
    let all =
        count(database.reader(), Condition::all().add(key::Column::RevokedAt.is_null())).await?;
    Ok(PepperCounts { current: all.saturating_sub(retired), retired })
}

/// Some live keys that stand under another pepper than this one, locked: at most `limit`, and
/// whether it is their current secret that does. `None`: keys have not begun to move to this one.
///
/// # Errors
/// The database fails.
pub async fn lock_left_keys(
    transaction: &DatabaseTransaction,
    pepper: &Pepper,
    now: Timestamp,
    limit: u64,
) -> Result<Option<Vec<(key::Model, bool)>>, Error> {
    let rows = PepperRows::read(transaction).await?;
    let current = pepper.fingerprint();
    if rows.registered != current {
        return Ok(None);
    }
    let is_first = rows.first == current;
    let id = pepper.id();
    let others = rows.others(&[Some(current)]);
    let left = key::Entity::find()
        .filter(rows.live_under(&others, now))
        .order_by_asc(key::Column::Id)
        .limit(limit)
        .lock(LockType::NoKeyUpdate)
        .all(transaction)
        .await?;
    let is_left = |row: &key::Model| row.pepper.as_ref().map_or(!is_first, |own| *own != id);
    let with_secret = left.into_iter().map(|row| {
        let is_left = is_left(&row);
        (row, is_left)
    });
    Ok(Some(with_secret.collect()))
}
