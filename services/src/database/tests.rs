//! How transactions begin, on a PostgreSQL whose administrator chose other defaults.

use futures::future::join_all;
use sea_orm::sqlx::{Row, raw_sql};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{CONNECTIONS, Database};
use crate::error::Error;
use crate::test_database::on_postgres;

/// Sets what connections to the database begin with, and connects anew.
async fn with_default(database: &Database, setting: &str) -> Database {
    let set = format!(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting}', current_database()); END $$"
    );
    database.writer().execute_unprepared(&set).await.unwrap();
    Database::open(&database.url).await.unwrap()
}

async fn text(connection: &impl ConnectionTrait, sql: &str) -> Result<String, DbErr> {
    let asked = Statement::from_string(DbBackend::Postgres, sql.to_owned());
    connection.query_one_raw(asked).await?.unwrap().try_get_by_index(0)
}

/// As one simple query: the times of the extended protocol differ anyway.
async fn is_in_transaction(database: &Database) -> bool {
    let asked = "SELECT now() <> statement_timestamp() FROM pg_sleep(0.005)";
    let pool = database.reader().get_postgres_connection_pool();
    raw_sql(asked).fetch_one(pool).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_leaves_no_transaction_behind() {
    let database = on_postgres("leaves").await;
    // Connections that are there: what is cancelled below is the BEGIN, not the connecting.
    join_all((0..CONNECTIONS).map(|_| is_in_transaction(&database))).await;
    for polls in 0..60 {
        let mut leaving = Box::pin(database.begin());
        for _ in 0..=polls % 6 {
            let _ = futures::poll!(&mut leaving);
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..4 {
        let asked = join_all((0..CONNECTIONS).map(|_| is_in_transaction(&database))).await;
        assert!(!asked.contains(&true), "the next caller’s writes would never be committed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_connection_fails_one_caller_at_most() {
    let database = on_postgres("aborted").await;
    join_all((0..4).map(|_| is_in_transaction(&database))).await;
    for _ in 0..4 {
        database.reader().execute_unprepared("BEGIN; SELECT 1/0").await.unwrap_err();
    }
    let mut failed = 0;
    for _ in 0..40 {
        let Err(error) = text(database.reader(), "SELECT 'there'").await else { continue };
        assert!(matches!(Error::from(error), Error::Unavailable(_)), "503, not 500");
        failed += 1;
    }
    assert!(failed <= 1, "{failed} callers met a connection that somebody else had left aborted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_names_its_level_and_lasts_whatever_the_defaults_are() {
    let database = on_postgres("defaults").await;
    for (default, lasts) in [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")] {
        let database = with_default(&database, &format!("synchronous_commit = {default}")).await;
        let database =
            with_default(&database, "default_transaction_isolation = serializable").await;
        let transaction = database.begin().await.unwrap();
        let level = text(&transaction, "SHOW transaction_isolation").await.unwrap();
        let commit = text(&transaction, "SHOW synchronous_commit").await.unwrap();
        assert_eq!((level.as_str(), commit.as_str()), ("read committed", lasts), "{default}");
        transaction.commit().await.unwrap();
        let outside = text(database.reader(), "SHOW synchronous_commit").await.unwrap();
        assert_eq!(outside, default, "for the transaction alone");
    }
}
