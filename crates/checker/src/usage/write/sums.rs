//! Rows of sums that grow.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveModelTrait, DatabaseTransaction, EntityTrait, Iterable};

use latchkey_store::Error;
use latchkey_store::insert::insert_many;

/// Inserts rows. On a conflict of the primary key, adds to its `sums`.
pub(super) async fn add<A: ActiveModelTrait>(
    transaction: &DatabaseTransaction,
    rows: Vec<A>,
    sums: &[&'static str],
) -> Result<(), Error> {
    let grow = |sum: &&'static str| {
        let (theirs, ours) =
            (Expr::col((A::Entity::default(), *sum)), Expr::col(("excluded", *sum)));
        (*sum, theirs.add(ours))
    };
    let adding = OnConflict::columns(<A::Entity as EntityTrait>::PrimaryKey::iter())
        .values(sums.iter().map(grow))
        .to_owned();
    Ok(insert_many(transaction, rows, Some(&adding)).await?)
}

/// The number as stored in the database.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
