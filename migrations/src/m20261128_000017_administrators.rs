//! Logins of administrators, each bound to the GitHub id that first signed in with it.

use sea_orm_migration::prelude::*;

use crate::columns::{index, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let logins = Table::create()
            .table("administrator_logins")
            // In lower case: GitHub ignores it.
            .col(text("login").primary_key().take())
            .col(ColumnDef::new("github_id").big_integer().not_null().take())
            .col(time("bound_at"))
            .to_owned();
        manager.create_table(logins).await?;
        // Whoever has a login now had it when the operator named it, as far as anybody knows: their
        // next sign-in binds it.
        manager
            .create_index(index(
                "administrator_logins_by_id",
                "administrator_logins",
                &["github_id"],
            ))
            .await
    }
}
