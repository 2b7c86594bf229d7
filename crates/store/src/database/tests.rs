//! Transactions and connections, on a PostgreSQL whose administrator chose other defaults.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt;
use futures::future::join_all;
use latchkey_domain::id::UserId;
use latchkey_domain::time::Timestamp;
use sea_orm::sqlx::{Row, raw_sql};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::timeouts::CONNECTIONS;
use super::{Database, OnBehalfOf};
use crate::error::Error;

/// Creates an empty database on the test PostgreSQL.
async fn on_postgres(name: &str) -> Database {
    Database::open(&latchkey_test_database::on_postgres(name, "").await).await.unwrap()
}

/// Sets a default of the database's connections and reconnects.
async fn with_default(database: &Database, url: &str, setting: &str) -> Database {
    let set = format!(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting}', current_database()); END $$"
    );
    database.writer().execute_unprepared(&set).await.unwrap();
    Database::open(url).await.unwrap()
}

async fn text(connection: &impl ConnectionTrait, sql: &str) -> Result<String, DbErr> {
    let statement = Statement::from_string(DbBackend::Postgres, sql.to_owned());
    connection.query_one_raw(statement).await?.unwrap().try_get_by_index(0)
}

/// As one simple query: in the extended protocol the two times differ anyway.
async fn is_in_transaction(database: &Database) -> bool {
    let sql = "SELECT now() <> statement_timestamp() FROM pg_sleep(0.005)";
    let pool = database.reader().get_postgres_connection_pool();
    raw_sql(sql).fetch_one(pool).await.unwrap().get(0)
}

/// A caller that wants to write two hundred times delays a single write by one permit only.
async fn check_alternation(database: Database, connections: u32) {
    let person = |number| OnBehalfOf::Person(UserId::new(Timestamp::from_millis(0), [number; 10]));
    let begin = |who| {
        let database = database.clone();
        async move { database.begin_for(who).await.unwrap() }
    };
    let held = join_all((0..connections).map(|_| begin(person(0)))).await;
    let done = Arc::<AtomicU32>::default();
    let flood: Vec<_> = (0..200)
        .map(|_| {
            let (writing, done) = (begin(person(1)), Arc::clone(&done));
            tokio::spawn(async move {
                writing.await.commit().await.unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let (one, before) = (begin(person(2)), Arc::clone(&done));
    let one = tokio::spawn(async move {
        one.await.commit().await.unwrap();
        before.load(Ordering::Relaxed)
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    for transaction in held {
        transaction.commit().await.unwrap();
    }
    let before = one.await.unwrap();
    assert!(before <= 4 * connections, "{before} of the flood were first");
    join_all(flood).await.into_iter().for_each(Result::unwrap);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_alternate_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/latchkey.db?mode=rwc", folder.path().display());
    check_alternation(Database::open(&url).await.unwrap(), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_alternate_on_postgres() {
    check_alternation(on_postgres("writers").await, CONNECTIONS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_caller_leaves_no_open_transaction() {
    let database = on_postgres("leaves").await;
    // Open the connections first, so that the cancelled step is `BEGIN`, not connecting.
    join_all((0..CONNECTIONS).map(|_| is_in_transaction(&database))).await;
    for polls in 0..60 {
        let leaving = async {
            if polls < 30 {
                drop(database.begin().await);
            } else {
                drop(database.snapshot().await);
            }
        };
        let mut leaving = Box::pin(leaving.fuse());
        for _ in 0..=polls % 6 {
            let _ = futures::poll!(&mut leaving);
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..4 {
        let states = join_all((0..CONNECTIONS).map(|_| is_in_transaction(&database))).await;
        assert!(!states.contains(&true), "the next caller’s writes would never be committed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aborted_connection_fails_at_most_one_caller() {
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
async fn transaction_sets_isolation_and_durability_explicitly() {
    let url = latchkey_test_database::on_postgres("defaults", "").await;
    let database = Database::open(&url).await.unwrap();
    for (default, lasts) in [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")] {
        let database =
            with_default(&database, &url, &format!("synchronous_commit = {default}")).await;
        let database =
            with_default(&database, &url, "default_transaction_isolation = serializable").await;
        let transaction = database.begin().await.unwrap();
        let level = text(&transaction, "SHOW transaction_isolation").await.unwrap();
        let commit = text(&transaction, "SHOW synchronous_commit").await.unwrap();
        assert_eq!((level.as_str(), commit.as_str()), ("read committed", lasts), "{default}");
        transaction.commit().await.unwrap();
        let outside = text(database.reader(), "SHOW synchronous_commit").await.unwrap();
        assert_eq!(outside, default, "for the transaction alone");
    }
}

/// The error that opening the database fails with.
async fn refusal(url: &str) -> String {
    let refused = Database::open(url).await;
    refused.err().expect("it can’t be served").to_string()
}

/// Creates a role and returns its URL for the same database. Roles belong to the whole server.
async fn role(database: &Database, url: &str, options: &str) -> String {
    let (server, name) = url.rsplit_once('/').unwrap();
    let make = format!("CREATE ROLE {name} LOGIN PASSWORD 'se#cret' {options}");
    database.writer().execute_unprepared(&make).await.unwrap();
    let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO";
    database.writer().execute_unprepared(&format!("{grant} {name}")).await.unwrap();
    let (_, host) = server.rsplit_once('@').unwrap();
    format!("postgres://{name}:se%23cret@{host}/{name}")
}

#[tokio::test]
async fn database_is_refused_when_encoding_is_not_utf8() {
    let latin = "ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'";
    let url = latchkey_test_database::on_postgres("latin", latin).await;
    let why = refusal(&url).await;
    assert!(why.contains("LATIN1") && why.contains("ENCODING 'UTF8'"), "{why}");
}

#[tokio::test]
async fn schema_of_a_later_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite://{}/latchkey.db", folder.path().display());
    for url in [sqlite, latchkey_test_database::on_postgres("later", "").await] {
        let database = Database::open(&url).await.unwrap();
        let later = "INSERT INTO seaql_migrations VALUES ('m29991231_000001_later', 0)";
        database.writer().execute_unprepared(later).await.unwrap();
        let why = refusal(&url).await;
        assert!(why.contains("a later version of Latchkey (m29991231_000001_later)"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn role_without_create_serves_migrated_database() {
    let url = latchkey_test_database::on_postgres("few", "").await;
    let database = Database::open(&url).await.unwrap();
    let of_role = role(&database, &url, "CONNECTION LIMIT 6").await;
    let served = Database::open(&of_role).await.unwrap();
    served.writer().execute_unprepared("CREATE TABLE mine (id int)").await.unwrap_err();
    let writes = (0..40).map(async |_| {
        let transaction = served.begin().await?;
        transaction.execute_unprepared("SELECT pg_sleep(0.01)").await?;
        transaction.commit().await
    });
    let failed: Vec<_> = join_all(writes).await.into_iter().filter_map(Result::err).collect();
    assert_eq!(failed, [], "they wait for a connection instead of being refused one");
    served.close().await.unwrap();
    let (_, name) = url.rsplit_once('/').unwrap();
    let limit = format!("ALTER ROLE {name} CONNECTION LIMIT 2");
    database.writer().execute_unprepared(&limit).await.unwrap();
    let why = refusal(&of_role).await;
    assert!(why.contains("fewer than 4 connections") && why.contains("CONNECTION LIMIT"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_error_names_the_host() {
    let url = latchkey_test_database::on_postgres("cause", "").await;
    let database = Database::open(&url).await.unwrap();
    let full = role(&database, &url, "CONNECTION LIMIT 0").await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("postgres://u:se%23cret@{closed}/keys");
    for (url, cause) in [(full, "too many connections for role"), (closed, "Connection refused")] {
        let why = refusal(&url).await;
        assert!(why.contains("PostgreSQL at 127.0.0.1:") && why.contains(cause), "{why}");
        assert!(!why.contains("se#cret") && !why.contains("pool timed out"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_older_than_renewal_are_not_reused() {
    let database = on_postgres("renewal").await;
    let pids = async || {
        let queries = (0..CONNECTIONS)
            .map(|_| text(database.reader(), "SELECT pg_backend_pid()::text FROM pg_sleep(0.05)"));
        let pids = join_all(queries).await.into_iter().map(Result::unwrap);
        pids.collect::<std::collections::HashSet<_>>()
    };
    let before = pids().await;
    database.renew();
    assert!(before.is_disjoint(&pids().await), "the server at their end may be another’s replica");
}
