//! How a transaction begins, and which connections may be reused.
//!
//! A cancelled `BEGIN` leaves sqlx's connection inside a transaction that sqlx does not know of.
//! The next caller's writes would join it: they are confirmed and never committed, and after the
//! first failed statement every later one fails with 25P02. A transaction therefore begins in a
//! task of its own, which no client can cancel, and connections are tested after a statement has
//! failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use latchkey_domain::id::{OrganizationId, UserId};
use sea_orm::sqlx::{PgConnection, Row, raw_sql};
use sea_orm::{
    AccessMode, ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, IsolationLevel, RuntimeErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use tokio::time::timeout;

use super::timeouts::{CONNECTIONS, DATABASE_TIMEOUT, IDLE_CHECK_AFTER};
use crate::fair_queue::{FairQueue, QueueBounds, QueueFull, QueuePermit, Size};

/// The isolation level that the services rely on, whatever the server's default is, and commits
/// that are on disk when they are confirmed. An administrator's `remote_apply` is stronger than
/// that and stays.
const POSTGRES: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; \
     SELECT set_config('synchronous_commit', 'on', true) \
     WHERE current_setting('synchronous_commit') <> 'remote_apply'";

/// On whose behalf a write is made. Writes on behalf of one of these queue behind each other and
/// alternate with those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnBehalfOf {
    /// A person, in any session.
    Person(UserId),
    /// A sign-in with this GitHub id; `None` for the local developer.
    SignIn(Option<i64>),
    /// The keys of an organization.
    Organization(OrganizationId),
    /// Background work of the server itself.
    Server,
}

/// Maximum of waiting writes, on behalf of one and in total.
const WAITING: (Size, Size) = (Size::calls(1_024), Size::calls(65_536));

/// The pool for write transactions.
#[derive(Clone)]
pub(super) struct Writer {
    pub(super) pool: DatabaseConnection,
    /// Permits to begin, one per connection. Without a bound, thousands of callers that have
    /// already disconnected would wait for connections.
    queue: FairQueue<OnBehalfOf>,
}

impl Writer {
    /// `connections` is how many the pool has.
    pub(super) fn new(pool: DatabaseConnection, connections: u32) -> Self {
        let running = usize::try_from(connections).unwrap_or(usize::MAX);
        let (of_one, all) = WAITING;
        let bounds = QueueBounds { running, running_of_one: running, all, of_one };
        Self { pool, queue: FairQueue::new(bounds) }
    }

    /// Waits for the permit to write.
    pub(super) async fn permit(&self, who: OnBehalfOf) -> Result<QueuePermit<OnBehalfOf>, DbErr> {
        let full = |QueueFull| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        self.queue.acquire(who, 0).await.map_err(full)
    }

    /// Begins a transaction. If the caller is cancelled meanwhile, the task rolls it back.
    pub(super) async fn begin(&self, who: OnBehalfOf) -> Result<DatabaseTransaction, DbErr> {
        let transaction = async {
            let permit = self.permit(who).await?;
            let pool = self.pool.clone();
            let beginning = async move {
                let _permit = permit;
                begin(&pool).await
            };
            tokio::spawn(beginning).await.map_err(cut_off)?
        };
        let transaction = timeout(DATABASE_TIMEOUT, transaction).await;
        transaction.unwrap_or(Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)))
    }
}

async fn begin(pool: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let sqlite = pool.get_database_backend() == DbBackend::Sqlite;
    let options = TransactionOptions {
        sqlite_transaction_mode: sqlite.then_some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = pool.begin_with_options(options).await?;
    if !sqlite {
        transaction.execute_unprepared(POSTGRES).await?;
    }
    Ok(transaction)
}

/// Begins a transaction that only reads, and sees the same state from its first statement on. If
/// the caller is cancelled meanwhile, the task rolls it back.
pub(super) async fn begin_reading(pool: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    // On SQLite every transaction sees one state.
    let postgres = pool.get_database_backend() != DbBackend::Sqlite;
    let options = TransactionOptions {
        isolation_level: postgres.then_some(IsolationLevel::RepeatableRead),
        access_mode: postgres.then_some(AccessMode::ReadOnly),
        ..TransactionOptions::default()
    };
    let pool = pool.clone();
    let beginning = tokio::spawn(async move { pool.begin_with_options(options).await });
    match timeout(DATABASE_TIMEOUT, beginning).await {
        Ok(begun) => begun.map_err(cut_off)?,
        Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
    }
}

fn cut_off(error: impl std::fmt::Display) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(error.to_string()))
}

/// How many of the next connections to be handed out are tested first.
#[derive(Debug, Clone, Default)]
pub(super) struct Suspicion(Arc<AtomicU32>);

impl Suspicion {
    /// Call this when a statement has failed. The pool hands out the longest idle connection first,
    /// so every idle connection is tested within `CONNECTIONS` acquisitions.
    pub(super) fn raise(&self) {
        self.0.store(CONNECTIONS, Ordering::Release);
    }

    fn take(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok()
    }

    /// Whether a connection must be tested before it is used.
    pub(super) fn must_test(&self, idle_for: Duration) -> bool {
        self.take() || idle_for >= IDLE_CHECK_AFTER
    }
}

/// Whether a connection is outside any transaction, open or aborted; otherwise it is closed.
/// Outside a transaction, `now()` equals the statement's own timestamp.
pub(super) async fn is_clean(connection: &mut PgConnection) -> Result<bool, sea_orm::sqlx::Error> {
    raw_sql("SELECT now() = statement_timestamp()").fetch_one(connection).await?.try_get(0)
}
