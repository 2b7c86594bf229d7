//! The database: SQLite with one writer, or PostgreSQL.
//!
//! SQLite allows one writer at a time. Writes go through a pool of one connection, so they queue
//! here, fairly, instead of failing with `SQLITE_BUSY`. Reads have their own pool and, in WAL mode,
//! never wait for the writer. Telemetry and usage are separate ([`Database::telemetry`]), so
//! background writes never delay a revocation (`docs/decisions/017-telemetry-apart.md`).

mod batches;
mod begin;
mod options;
pub mod primary;
mod relocate;
mod renewal;
mod snapshot;
mod sqlite_files;
mod start;
mod telemetry;
#[cfg(test)]
mod tests;
mod timeouts;
mod unopened;
mod url;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use latchkey_migrations::{Migrator, MigratorTrait, TelemetryMigrator};
use sea_orm::sqlx::SqlitePool;
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
};

pub use self::begin::OnBehalfOf;
use self::begin::{Suspicion, Writer};
use self::options::{postgres_options, sqlite_options, telemetry_options};
use self::renewal::Renewal;
pub use self::snapshot::Snapshot;
pub use self::sqlite_files::{SqliteFiles, later_migration};
pub use self::start::describe_error;
pub use self::telemetry::Telemetry;
use self::timeouts::CONNECTIONS;
pub use self::timeouts::{in_time, within};
use self::url::{Place, UrlError};
pub use self::url::{Postgres, PostgresRoutes};
use crate::fair_queue::QueuePermit;

/// The advisory lock that lets one node at a time migrate a shared PostgreSQL ("latchkey" in
/// ASCII).
const MIGRATION_LOCK: i64 = 0x6c61_7463_686b_6579;

/// All connection pools of the database.
#[derive(Clone)]
pub struct Database {
    reader: DatabaseConnection,
    writer: Writer,
    telemetry: Telemetry,
    statements: Arc<AtomicU64>,
    ways: Option<Arc<PostgresRoutes>>,
    renewal: Renewal,
    /// How many connections SQLite's writer pool has opened so far.
    writers: Arc<AtomicU64>,
}

/// How this process learns of other processes' changes.
pub enum ChangeSource<'a> {
    /// `LISTEN` on a dedicated connection.
    Postgres(&'a PostgresRoutes),
    /// Polling through the single writer connection.
    Sqlite {
        /// The pool of that connection.
        writer: &'a SqlitePool,
        /// Number of the pool's current connection. It changes when the pool opens a new one.
        number: &'a AtomicU64,
    },
}

impl Database {
    /// Connects to `url`, `sqlite://path` or `postgres://…`, and migrates the schema.
    ///
    /// # Errors
    /// The database can't be reached or created, or a migration fails.
    pub async fn open(url: &str) -> Result<Self, DbErr> {
        Self::open_beside(url, None).await
    }

    /// As [`Self::open`], for a `url` that leads to a pooler without `LISTEN` support. `direct_url`
    /// leads to the database itself.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_beside(url: &str, direct_url: Option<&str>) -> Result<Self, DbErr> {
        let database = Self::connect(url, direct_url).await?;
        database.migrate().await?;
        Ok(database)
    }

    /// Migrates the schema of the database at `url` and closes it. Returns the names of the
    /// migrations that were pending. An SQLite file is created if it does not exist.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn upgrade(url: &str) -> Result<Vec<String>, DbErr> {
        let database = Self::connect(url, None).await?;
        let upgraded = database.run_pending().await;
        database.close().await?;
        upgraded
    }

    async fn run_pending(&self) -> Result<Vec<String>, DbErr> {
        let pending = self.pending().await?;
        self.migrate().await?;
        Ok(pending)
    }

    async fn connect(url: &str, direct_url: Option<&str>) -> Result<Self, DbErr> {
        match (Place::parse(url)?, direct_url) {
            (Place::Sqlite, None) => Self::sqlite(url).await,
            (Place::Sqlite, Some(_)) => Err(UrlError::Direct.into()),
            (Place::Postgres(through), direct_url) => {
                let past = direct_url.map(url::postgres).transpose()?;
                Self::postgres(PostgresRoutes { through: *through, past }).await
            }
        }
    }

    async fn sqlite(url: &str) -> Result<Self, DbErr> {
        let statements = Arc::<AtomicU64>::default();
        let writers = Arc::<AtomicU64>::default();
        let file = telemetry::telemetry_file(&telemetry::main_file(url)?);
        // Open the writers first: they create the files and switch them to WAL.
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
        let sizes = start::check(&ways.through).await?;
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
        let (reader, apart) = (pool(sizes.main).await?, pool(sizes.telemetry).await?);
        let apart = Writer::new(apart, sizes.telemetry);
        Ok(Self {
            writer: Writer::new(reader.clone(), sizes.main),
            telemetry: Telemetry { reader: reader.clone(), writer: apart, file: None },
            reader,
            statements,
            ways: Some(Arc::new(ways)),
            renewal,
            writers: Arc::default(),
        })
    }

    /// Checks once, before a node opens the database, that it can `LISTEN` on the configured route.
    /// `word` is random.
    ///
    /// # Errors
    /// A pooler in between does not support `LISTEN`, or loses prepared statements.
    pub async fn check_way(
        url: &str,
        direct_url: Option<&str>,
        word: [u8; 8],
    ) -> Result<(), DbErr> {
        let Place::Postgres(through) = Place::parse(url)? else { return Ok(()) };
        let past = direct_url.map(url::postgres).transpose()?;
        start::check_way(&PostgresRoutes { through: *through, past }, word).await
    }

    /// Names of the migrations that the schema lacks, in the order in which they run.
    async fn pending(&self) -> Result<Vec<String>, DbErr> {
        let telemetry = &self.telemetry.reader;
        let mut names = start::pending::<Migrator>(&self.reader, "seaql_migrations").await?;
        names.extend(start::pending::<TelemetryMigrator>(telemetry, "telemetry_migrations").await?);
        Ok(names)
    }

    /// Several nodes may start at once: the first one migrates, the others wait and have nothing to
    /// do.
    async fn migrate(&self) -> Result<(), DbErr> {
        let behind = !self.pending().await?.is_empty();
        // On SQLite, an interrupted move to the telemetry file may still have to be completed.
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
        // Read without a lock: another process may be writing all the time.
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

    /// For read-only statements.
    pub const fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// For a single write statement.
    pub const fn writer(&self) -> &DatabaseConnection {
        &self.writer.pool
    }

    /// Begins a write transaction on behalf of the server.
    ///
    /// # Errors
    /// The database fails.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.begin_for(OnBehalfOf::Server).await
    }

    /// Begins a write transaction on behalf of `who`. On SQLite it holds the write lock from the
    /// start, so that what it reads can't change before it writes.
    ///
    /// # Errors
    /// The database fails.
    pub async fn begin_for(&self, who: OnBehalfOf) -> Result<DatabaseTransaction, DbErr> {
        self.writer.begin(who).await
    }

    /// Waits for the permit to write a single statement. Hold the returned permit until the
    /// statement is done.
    ///
    /// # Errors
    /// The database fails.
    pub async fn write_permit(&self, who: OnBehalfOf) -> Result<QueuePermit<OnBehalfOf>, DbErr> {
        self.writer.permit(who).await
    }

    /// Whether this is SQLite, which only one server uses.
    pub const fn is_sqlite(&self) -> bool {
        self.ways.is_none()
    }

    /// How to learn of other processes' changes.
    pub fn watched(&self) -> ChangeSource<'_> {
        if let Some(ways) = &self.ways {
            return ChangeSource::Postgres(ways);
        }
        let writer = self.writer.pool.get_sqlite_connection_pool();
        ChangeSource::Sqlite { writer, number: &self.writers }
    }

    /// Retires all current connections: they may lead to a server that is no longer the primary.
    pub fn renew(&self) {
        self.renewal.begin();
    }

    /// How many statements this process has sent since it started.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Name, number of connections and number of idle connections of each pool.
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

    /// Waits for statements in progress and closes every connection.
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
