//! Inserts more rows than fit into one statement.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, DatabaseTransaction, DbErr, EntityTrait};

/// Rows per statement: SQLite allows at most 32,766 parameters.
pub const ROWS_PER_STATEMENT: usize = 1_000;

/// Inserts rows in order, in as many statements as needed.
///
/// # Errors
/// The database fails.
pub async fn insert_many<A: ActiveModelTrait>(
    transaction: &DatabaseTransaction,
    mut rows: Vec<A>,
    on_conflict: Option<&OnConflict>,
) -> Result<(), DbErr> {
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(ROWS_PER_STATEMENT));
        let mut insert = A::Entity::insert_many(rows);
        if let Some(on_conflict) = on_conflict {
            insert = insert.on_conflict(on_conflict.clone());
        }
        insert.exec_without_returning(transaction).await?;
        rows = rest;
    }
    Ok(())
}
