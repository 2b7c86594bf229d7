//! Deletes old rows in small batches. Each batch waits for its own permit, so other writers never
//! wait for long.

use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{EntityTrait, Iterable, PrimaryKeyToColumn, QueryFilter};

use super::Database;
use super::begin::{OnBehalfOf, Writer};
use super::telemetry::Telemetry;
use super::timeouts::in_time;
use crate::error::Error;

/// Rows per `DELETE`, so that the writer is never held for long.
const ROWS_PER_DELETE: u64 = 2_000;
/// Maximum `DELETE`s per table in one run. The next run deletes the rest.
const DELETES_PER_RUN: u64 = 20;

impl Database {
    /// Deletes rows that match `is_old`, which must use indexed columns. Deletes at most
    /// `ROWS_PER_DELETE * DELETES_PER_RUN` rows and returns how many.
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete_some<E: EntityTrait>(&self, is_old: Expr) -> Result<u64, Error> {
        delete::<E>(&self.writer, is_old).await
    }

    /// As [`Self::delete_some`], until no row matches.
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete_all<E: EntityTrait>(&self, is_old: Expr) -> Result<(), Error> {
        while delete::<E>(&self.writer, is_old.clone()).await? == ROWS_PER_DELETE * DELETES_PER_RUN
        {
        }
        Ok(())
    }
}

impl Telemetry {
    /// As [`Database::delete_some`].
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete_some<E: EntityTrait>(&self, is_old: Expr) -> Result<u64, Error> {
        delete::<E>(&self.writer, is_old).await
    }
}

async fn delete<E: EntityTrait>(writer: &Writer, is_old: Expr) -> Result<u64, Error> {
    let place = || E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
    let mut deleted = 0;
    for _ in 0..DELETES_PER_RUN {
        let some = Query::select()
            .columns(place())
            .from(E::default())
            .and_where(is_old.clone())
            .limit(ROWS_PER_DELETE)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .to_owned();
        let rows = E::delete_many().filter(Expr::tuple(place().map(Expr::col)).in_subquery(some));
        let rows = in_time(async {
            let _permit = writer.permit(OnBehalfOf::Server).await?;
            Ok(rows.exec(&writer.pool).await?.rows_affected)
        })
        .await?;
        deleted += rows;
        if rows < ROWS_PER_DELETE {
            break;
        }
    }
    Ok(deleted)
}
