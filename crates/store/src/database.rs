//! The database: SQLite with one writer, or PostgreSQL.
//!
//! SQLite lets one connection write at a time. Writes therefore go through a pool of one
//! connection, so that they queue here, fairly, instead of failing as busy; reads have a pool of
//! their own and, in WAL mode, never wait for the writer. Telemetry and usage stand apart
//! ([`Database::telemetry`]): what is written behind the calls never holds up a revocation
//! (`docs/decisions/017-telemetry-apart.md`).

mod batches;
mod begin;
mod options;
pub mod primary;
mod relocate;
mod renewal;
mod start;
mod telemetry;
#[cfg(test)]
mod tests;
mod url;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use latchkey_migrations::{Migrator, MigratorTrait, TelemetryMigrator};
use sea_orm::sqlx::SqlitePool;
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    RuntimeErr,
};

pub use self::begin::OnBehalfOf;
use self::begin::{Suspicion, Writer};
use self::options::{postgres_options, sqlite_options, telemetry_options};
use self::renewal::Renewal;
pub use self::start::why_not;
pub use self::telemetry::Telemetry;
pub use self::url::Postgres;
use self::url::{Place, UrlError};
use crate::error::Error;
use crate::fair_queue::QueuePermit;

/// How long a statement may wait for a connection or for another process's write.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection is asked whether it is still there when it was not used for as long.
const IDLE_CHECK_AFTER: Duration = Duration::from_secs(1);
/// Enough for the checks that miss the cache; PostgreSQL's default allows 100 in all.
const CONNECTIONS: u32 = 16;
/// The advisory lock that lets one node at a time migrate a shared PostgreSQL ("latchkey" in
/// ASCII).
const MIGRATION_LOCK: i64 = 0x6c61_7463_686b_6579;

/// Ends work that waits for the database too long: on a network that drops everything, nothing else
/// would.
///
/// The work is boxed: it is kilobytes of states, which every check would carry along that never
/// asks the database.
///
/// # Errors
/// As the work's; `Unavailable` if it takes too long.
pub fn in_time<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> impl Future<Output = Result<T, Error>> {
    within(DATABASE_TIMEOUT, work)
}

/// The same for work that may take longer.
///
/// # Errors
/// As the work's; `Unavailable` if it takes too long.
pub fn within<T, E: From<Error>>(
    patience: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    let timely = tokio::time::timeout(patience, Box::pin(work));
    async move { timely.await.unwrap_or_else(|_| Err(Error::unavailable("timed out").into())) }
}

/// The connections to the one database.
#[derive(Clone)]
pub struct Database {
    reader: DatabaseConnection,
    writer: Writer,
    telemetry: Telemetry,
    statements: Arc<AtomicU64>,
    ways: Option<Arc<PostgresRoutes>>,
    renewal: Renewal,
    /// How many connections SQLite's writer has had.
    writers: Arc<AtomicU64>,
}

/// How a PostgreSQL is reached.
pub struct PostgresRoutes {
    /// As `DATABASE_URL` says: perhaps through a pooler.
    pub through: Postgres,
    /// Past it; none: there is no other way.
    pub past: Option<Postgres>,
}

impl PostgresRoutes {
    /// The way to listen.
    pub fn direct(&self) -> &Postgres {
        self.past.as_ref().unwrap_or(&self.through)
    }
}

/// Where other processes' changes are heard of.
pub enum ChangeSource<'a> {
    /// By listening on a connection of its own.
    Postgres(&'a PostgresRoutes),
    /// By looking through the one connection that writes.
    Sqlite {
        /// The pool of that connection.
        writer: &'a SqlitePool,
        /// Which connection of the pool it is: it changes when a new one is opened.
        number: &'a AtomicU64,
    },
}

impl Database {
    /// Connects to `url`, `sqlite://path` or `postgres://…`, and brings the schema up to date.
    ///
    /// # Errors
    /// The database can't be reached or made, or a migration fails.
    pub async fn open(url: &str) -> Result<Self, DbErr> {
        Self::open_beside(url, None).await
    }

    /// The same where `url` leads to a pooler that can't `LISTEN`: `direct_url` leads to the
    /// database itself.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_beside(url: &str, direct_url: Option<&str>) -> Result<Self, DbErr> {
        let database = match (Place::parse(url)?, direct_url) {
            (Place::Sqlite, None) => Self::sqlite(url).await?,
            (Place::Sqlite, Some(_)) => return Err(UrlError::Direct.into()),
            (Place::Postgres(through), direct_url) => {
                let past = direct_url.map(url::postgres).transpose()?;
                Self::postgres(PostgresRoutes { through: *through, past }).await?
            }
        };
        database.migrate().await?;
        Ok(database)
    }

    async fn sqlite(url: &str) -> Result<Self, DbErr> {
        let statements = Arc::<AtomicU64>::default();
        let writers = Arc::<AtomicU64>::default();
        let file = telemetry::telemetry_file(&telemetry::main_file(url)?);
        // The writers first: they make the files and switch them to WAL.
        let writer = counted(sqlite_options(url, 1, &writers), &statements).await?;
        let readers = sqlite_options(url, CONNECTIONS, &Arc::default());
        let reader = counted(readers, &statements).await?;
        let apart = async |connections| {
            counted(telemetry_options(url, connections, &file), &statements).await
        };
        let telemetry = Telemetry {
            writer: Writer::new(apart(1).await?, 1),
            reader: apart(CONNECTIONS).await?,
            file: Some(file.clone()),
        };
        Ok(Self {
            reader,
            writer: Writer::new(writer, 1),
            telemetry,
            statements,
            ways: None,
            renewal: Renewal::default(),
            writers,
        })
    }

    async fn postgres(ways: PostgresRoutes) -> Result<Self, DbErr> {
        let room = start::check(&ways.through).await?;
        let statements = Arc::<AtomicU64>::default();
        let renewal = Renewal::default();
        let pool = async |connections| {
            let suspicion = Suspicion::default();
            let postgres = ways.through.options().clone();
            let options =
                postgres_options(postgres, connections, suspicion.clone(), renewal.clone());
            let mut pool = sea_orm::Database::connect(options).await?;
            let counter = Arc::clone(&statements);
            pool.set_metric_callback(move |statement| {
                counter.fetch_add(1, Ordering::Relaxed);
                if statement.failed {
                    suspicion.raise();
                }
            });
            Ok::<_, DbErr>(pool)
        };
        let (reader, apart) = (pool(room.main).await?, pool(room.telemetry).await?);
        let apart = Writer::new(apart, room.telemetry);
        Ok(Self {
            writer: Writer::new(reader.clone(), room.main),
            telemetry: Telemetry { reader: reader.clone(), writer: apart, file: None },
            reader,
            statements,
            ways: Some(Arc::new(ways)),
            renewal,
            writers: Arc::default(),
        })
    }

    /// Makes sure that a node can listen on the way that it is given, once, before it opens the
    /// database. `word` is random.
    ///
    /// # Errors
    /// A pooler is in between that can't be listened through, or that mixes up statements.
    pub async fn check_way(
        url: &str,
        direct_url: Option<&str>,
        word: [u8; 8],
    ) -> Result<(), DbErr> {
        let Place::Postgres(through) = Place::parse(url)? else { return Ok(()) };
        let past = direct_url.map(url::postgres).transpose()?;
        start::check_way(&PostgresRoutes { through: *through, past }, word).await
    }

    /// Several nodes may start at once: the first migrates, the others wait and find nothing to do.
    async fn migrate(&self) -> Result<(), DbErr> {
        let behind = start::is_behind::<Migrator>(&self.reader, "seaql_migrations").await?
            | start::is_behind::<TelemetryMigrator>(&self.telemetry.reader, "telemetry_migrations")
                .await?;
        // What was left of a move to a file of its own may still be to do.
        if !behind && !self.is_sqlite() {
            return Ok(());
        }
        let transaction = self.begin().await?;
        if transaction.get_database_backend() == DbBackend::Postgres {
            let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
            transaction.execute_unprepared(&lock).await?;
            Migrator::up(&transaction, None).await?;
            TelemetryMigrator::up(&transaction, None).await?;
            return transaction.commit().await;
        }
        Migrator::up(&transaction, None).await?;
        transaction.commit().await?;
        // Looked at without a lock: another process may be writing all the time.
        let pending = TelemetryMigrator::get_pending_migrations_read_only(&self.telemetry.reader);
        if !pending.await?.is_empty() {
            let transaction = self.telemetry.begin().await?;
            TelemetryMigrator::up(&transaction, None).await?;
            transaction.commit().await?;
        }
        match &self.telemetry.file {
            Some(file) => {
                let main = self.writer.pool.get_sqlite_connection_pool();
                relocate::relocate(main, file).await
            }
            None => Ok(()),
        }
    }

    /// Telemetry and usage: `traces`, `logs`, `key_usage`, `project_usage`, `project_months`,
    /// `denials`.
    pub const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// For statements that only read.
    pub const fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// For a single statement that writes.
    pub const fn writer(&self) -> &DatabaseConnection {
        &self.writer.pool
    }

    /// Begins a transaction that writes, for the server itself.
    ///
    /// # Errors
    /// The database fails.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.begin_for(OnBehalfOf::Server).await
    }

    /// Begins a transaction that writes for somebody. In SQLite it holds the write lock from the
    /// start, so that what it reads can't change before it writes.
    ///
    /// # Errors
    /// The database fails.
    pub async fn begin_for(&self, who: OnBehalfOf) -> Result<DatabaseTransaction, DbErr> {
        self.writer.begin(who).await
    }

    /// Waits until it is somebody's turn to write a single statement, which lasts as long as what
    /// is returned.
    ///
    /// # Errors
    /// The database fails.
    pub async fn turn(&self, who: OnBehalfOf) -> Result<QueuePermit<OnBehalfOf>, DbErr> {
        self.writer.turn(who).await
    }

    /// Whether it is an SQLite, which one server uses.
    pub const fn is_sqlite(&self) -> bool {
        self.ways.is_none()
    }

    /// Where other processes' changes are heard of.
    pub fn watched(&self) -> ChangeSource<'_> {
        if let Some(ways) = &self.ways {
            return ChangeSource::Postgres(ways);
        }
        let writer = self.writer.pool.get_sqlite_connection_pool();
        ChangeSource::Sqlite { writer, number: &self.writers }
    }

    /// No connection is used any more that there is now: they may lead to a server that is no
    /// longer the primary.
    pub fn renew(&self) {
        self.renewal.begin();
    }

    /// How many statements this process has sent since it started.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// The pools by name, with their connections and how many of these are idle.
    pub fn pools(&self) -> Vec<(&'static str, u32, usize)> {
        let Self { reader, writer, telemetry, .. } = self;
        if writer.pool.get_database_backend() == DbBackend::Sqlite {
            let pools = [
                ("reader", reader),
                ("writer", &writer.pool),
                ("telemetry_reader", &telemetry.reader),
                ("telemetry_writer", &telemetry.writer.pool),
            ];
            let pools = pools.map(|(name, pool)| (name, pool.get_sqlite_connection_pool()));
            pools.map(|(name, pool)| (name, pool.size(), pool.num_idle())).to_vec()
        } else {
            let pools = [("all", &writer.pool), ("telemetry", &telemetry.writer.pool)];
            let pools = pools.map(|(name, pool)| (name, pool.get_postgres_connection_pool()));
            pools.map(|(name, pool)| (name, pool.size(), pool.num_idle())).to_vec()
        }
    }

    /// Waits for statements under way and closes every connection.
    ///
    /// # Errors
    /// A connection can't be closed.
    pub async fn close(&self) -> Result<(), DbErr> {
        self.telemetry.writer.pool.close_by_ref().await?;
        self.telemetry.reader.close_by_ref().await?;
        self.writer.pool.close_by_ref().await?;
        self.reader.close_by_ref().await
    }
}

fn conversion(error: sea_orm::sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
}

async fn counted(
    options: ConnectOptions,
    statements: &Arc<AtomicU64>,
) -> Result<DatabaseConnection, DbErr> {
    let mut pool = sea_orm::Database::connect(options).await?;
    let counter = Arc::clone(statements);
    pool.set_metric_callback(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    Ok(pool)
}
