//! What a search of the keys looks in, in small letters of every alphabet: SQLite's `lower`, which
//! the first rows were made with, knows those of ASCII alone, and a small sigma had either form.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::prelude::Uuid;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Rows that are held at a time.
const ROWS: u64 = 1_000;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let mut after = Uuid::nil();
        loop {
            let next = Query::select()
                .columns(["id", "search"])
                .from("keys")
                .and_where(Expr::col("id").gt(after))
                .and_where(Expr::cust("LENGTH(search) <> OCTET_LENGTH(search)"))
                .order_by("id", Order::Asc)
                .limit(ROWS)
                .take();
            let rows = connection.query_all(&next).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.try_get("", "id")?;
            for row in rows {
                let id: Uuid = row.try_get("", "id")?;
                let search: String = row.try_get("", "search")?;
                let folded: String = search.chars().flat_map(fold).collect();
                if folded != search {
                    let fold = Query::update()
                        .table("keys")
                        .value("search", folded)
                        .and_where(Expr::col("id").eq(id))
                        .take();
                    connection.execute(&fold).await?;
                }
            }
        }
    }
}

fn fold(character: char) -> impl Iterator<Item = char> {
    character.to_lowercase().map(|small| if small == 'ς' { 'σ' } else { small })
}
