//! How a write transaction begins, and which connections may be used again.
//!
//! A `BEGIN` that is cancelled on its way leaves sqlx's connection within a transaction that sqlx
//! knows nothing of: the next caller's writes would then be part of it, answered and never
//! committed, and after the first failed statement every later one fails with 25P02. So a
//! transaction is begun in a task of its own, which no client can cancel, and a connection is asked
//! about its state once something has failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use latchkey_domain::id::{OrganizationId, UserId};
use sea_orm::sqlx::{PgConnection, Row, raw_sql};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    RuntimeErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::time::timeout;

use super::{IDLE_CHECK_AFTER, CONNECTIONS, DATABASE_TIMEOUT};
use crate::fair_queue::{FairQueue, QueueBounds, QueueFull, QueuePermit, Size};

/// The level that the services are written for, whatever the server's default is, and a commit that
/// is on disk when it is answered. A `remote_apply` that an administrator chose is more than that
/// and stays.
const POSTGRES: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; \
     SELECT set_config('synchronous_commit', 'on', true) \
     WHERE current_setting('synchronous_commit') <> 'remote_apply'";

/// Whose work a write is: the writes of each wait for each other, and take turns with those of
/// others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnBehalfOf {
    /// A person, by whichever session.
    Person(UserId),
    /// Whoever signs in with this GitHub id; none: the local developer.
    SignIn(Option<i64>),
    /// The keys of an organization.
    Organization(OrganizationId),
    /// The server itself, in the background.
    Server,
}

/// What may wait to write for one of them, and for all.
const WAITING: (Size, Size) = (Size::calls(1_024), Size::calls(65_536));

/// The pool whose transactions write.
#[derive(Clone)]
pub(super) struct Writer {
    pub(super) pool: DatabaseConnection,
    /// Begins under way, one for each connection. Without a bound, callers that have left would
    /// wait for connections by the thousand.
    turns: FairQueue<OnBehalfOf>,
}

impl Writer {
    /// `connections` is how many the pool has.
    pub(super) fn new(pool: DatabaseConnection, connections: u32) -> Self {
        let running = usize::try_from(connections).unwrap_or(usize::MAX);
        let (of_one, all) = WAITING;
        let bounds = QueueBounds { running, running_of_one: running, all, of_one };
        Self { pool, turns: FairQueue::new(bounds) }
    }

    /// Waits until it is somebody's turn to write.
    pub(super) async fn turn(&self, who: OnBehalfOf) -> Result<QueuePermit<OnBehalfOf>, DbErr> {
        let full = |QueueFull| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        self.turns.turn(who, 0).await.map_err(full)
    }

    /// Begins a transaction. A caller that leaves meanwhile leaves none behind: the task rolls it
    /// back.
    pub(super) async fn begin(&self, who: OnBehalfOf) -> Result<DatabaseTransaction, DbErr> {
        let begun = async {
            let turn = self.turn(who).await?;
            let pool = self.pool.clone();
            let beginning = async move {
                let _turn = turn;
                begin(&pool).await
            };
            tokio::spawn(beginning).await.map_err(cut_off)?
        };
        let begun = timeout(DATABASE_TIMEOUT, begun).await;
        begun.unwrap_or(Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)))
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

fn cut_off(error: impl std::fmt::Display) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(error.to_string()))
}

/// How many of the connections that are handed out next are asked about their state first.
#[derive(Debug, Clone, Default)]
pub(super) struct Suspicion(Arc<AtomicU32>);

impl Suspicion {
    /// A statement has failed. Every idle connection comes round within as many turns: the pool
    /// hands out the one that has been idle longest.
    pub(super) fn raise(&self) {
        self.0.store(CONNECTIONS, Ordering::Release);
    }

    fn take(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok()
    }

    /// Whether a connection must be asked about its state before it is used.
    pub(super) fn falls_on(&self, idle_for: Duration) -> bool {
        self.take() || idle_for >= IDLE_CHECK_AFTER
    }
}

/// Whether a connection is within no transaction, neither an open nor an aborted one: it is closed
/// otherwise. The time that a transaction began at is that of the statement, unless it began
/// before.
pub(super) async fn is_clean(connection: &mut PgConnection) -> Result<bool, sea_orm::sqlx::Error> {
    raw_sql("SELECT now() = statement_timestamp()").fetch_one(connection).await?.try_get(0)
}
