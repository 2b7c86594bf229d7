//! Checks of a PostgreSQL before a node starts on it. Each error is one sentence that says what to
//! set.

use std::time::Duration;

use futures::future::join_all;
use latchkey_migrations::MigratorTrait;
use sea_orm::sqlx::{AssertSqlSafe, Connection, Error as Sqlx, PgConnection, Row, query, raw_sql};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, Statement};
use tokio::net::lookup_host;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::telemetry;
use super::timeouts::{CONNECTIONS, DATABASE_TIMEOUT};
use super::url::{Postgres, PostgresRoutes};
use data_encoding::HEXLOWER;

/// Connections beside the pools: one listens for invalidations, one publishes them.
const BESIDE: u32 = 2;
/// All connections of a node.
const WANTED: u32 = CONNECTIONS + telemetry::CONNECTIONS + BESIDE;
/// Interval between attempts while the server is starting up or has no connection left.
const RETRY: Duration = Duration::from_millis(200);

fn refused(sentence: String) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(sentence))
}

/// Connects, retrying for at most five seconds. An error names the host.
pub(super) async fn connect(postgres: &Postgres) -> Result<PgConnection, DbErr> {
    #[expect(clippy::disallowed_methods, reason = "how long a connection may take is real time")]
    let until = Instant::now() + DATABASE_TIMEOUT;
    let mut why = format!("did not answer within {} s", DATABASE_TIMEOUT.as_secs());
    loop {
        match timeout_at(until, PgConnection::connect_with(postgres.options())).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => {
                why = describe_error(&error);
                let passes = match &error {
                    Sqlx::Io(_) => true,
                    Sqlx::Database(error) => {
                        error.code().is_some_and(|code| ["53300", "57P03"].contains(&&*code))
                    }
                    _ => false,
                };
                if !passes || timeout_at(until, sleep(RETRY)).await.is_err() {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    Err(refused(format!("{postgres} {why}")))
}

/// Why a connection failed, as the end of a sentence that starts with the host.
pub fn describe_error(error: &Sqlx) -> String {
    match error {
        Sqlx::Io(error) => format!("can’t be reached: {error}"),
        Sqlx::Database(error) => match error.code().as_deref() {
            Some("53300") => format!(
                "accepts no more connections ({}); raise max_connections, or the CONNECTION LIMIT \
                 of the role or the database",
                error.message()
            ),
            code => format!(
                "refused the connection: {} ({})",
                error.message(),
                code.unwrap_or("no code")
            ),
        },
        error => format!("can’t be used: {error}"),
    }
}

/// Checks that this database can be used, and returns how many connections each pool may have.
pub(super) async fn check(postgres: &Postgres) -> Result<PoolSizes, DbErr> {
    let mut connection = connect(postgres).await?;
    let failed = |error: Sqlx| refused(format!("{postgres} {}", describe_error(&error)));
    let encoding = show(&mut connection, "server_encoding").await.map_err(failed)?;
    if encoding != "UTF8" {
        return Err(refused(format!(
            "the database has the encoding {encoding}, which can’t store every name; create one \
             with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )));
    }
    // A replica is read-only as well. The comment keeps pgpool-II from sending the query to one.
    let writes = "/*NO LOAD BALANCE*/ SELECT current_setting('transaction_read_only') = 'off'";
    let writes = raw_sql(writes).fetch_one(&mut connection).await.map_err(failed)?;
    if !writes.try_get(0).map_err(failed)? {
        return Err(refused(format!(
            "{postgres} is read-only; point DATABASE_URL to the primary, with \
             default_transaction_read_only off"
        )));
    }
    let available = available(&mut connection).await.map_err(failed)?;
    // The connection is closed even if the server does not get the message.
    let _ = connection.close().await;
    let available = available.map_or(WANTED, |available| available.min(WANTED));
    if available < BESIDE + 2 {
        return Err(refused(format!(
            "{postgres} allows fewer than {} connections, and a node uses {WANTED}; raise \
             max_connections or the CONNECTION LIMIT of the role or the database",
            BESIDE + 2
        )));
    }
    if available < WANTED {
        tracing::warn!(
            connections = available,
            wanted = WANTED,
            "The database allows a node fewer connections than it uses; continuing with these"
        );
    }
    Ok(PoolSizes::of(available - BESIDE))
}

/// Connections of each pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PoolSizes {
    pub(super) main: u32,
    pub(super) telemetry: u32,
}

impl PoolSizes {
    /// Splits `connections`, at least two, between the pools.
    fn of(connections: u32) -> Self {
        let telemetry = (connections / 5).clamp(1, telemetry::CONNECTIONS);
        Self { main: connections - telemetry, telemetry }
    }
}

async fn show(connection: &mut PgConnection, name: &str) -> Result<String, Sqlx> {
    raw_sql(AssertSqlSafe(format!("SHOW {name}"))).fetch_one(connection).await?.try_get(0)
}

/// How many connections this role may have to this database in total, other nodes' included; `None`
/// for a superuser, who has no limit.
async fn available(connection: &mut PgConnection) -> Result<Option<u32>, Sqlx> {
    const LIMITS: &str = "/*NO LOAD BALANCE*/ SELECT LEAST( \
            current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int, \
            NULLIF(d.datconnlimit, -1), NULLIF(r.rolconnlimit, -1)) \
        FROM pg_database d, pg_roles r \
        WHERE d.datname = current_database() AND r.rolname = current_user AND NOT r.rolsuper";
    let Some(row) = raw_sql(LIMITS).fetch_optional(connection).await? else { return Ok(None) };
    let limit: Option<i32> = row.try_get(0)?;
    Ok(limit.map(|limit| u32::try_from(limit).unwrap_or_default()))
}

/// Names of pending migrations. If there are none, nothing is created, so the role needs no right
/// to.
///
/// # Errors
/// The schema is of a later version, or can't be read.
pub(super) async fn pending<M: MigratorTrait>(
    database: &DatabaseConnection,
    table: &str,
) -> Result<Vec<String>, DbErr> {
    let ours: Vec<_> =
        M::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let backend = database.get_database_backend();
    let statement = Statement::from_string(backend, format!("SELECT version FROM {table}"));
    let rows = match database.query_all_raw(statement).await {
        Ok(rows) => rows,
        Err(error) if is_missing_table(&error) => return Ok(ours),
        Err(error) => return Err(error),
    };
    let mut theirs = Vec::with_capacity(rows.len());
    for row in rows {
        theirs.push(row.try_get::<String>("", "version")?);
    }
    if let Some(later) = theirs.iter().find(|&name| !ours.contains(name)) {
        return Err(refused(format!(
            "the database has the schema of a later version of Latchkey ({later}); start that \
             version, or restore a backup from before the upgrade"
        )));
    }
    Ok(ours.into_iter().filter(|name| !theirs.contains(name)).collect())
}

fn is_missing_table(error: &DbErr) -> bool {
    let (DbErr::Query(RuntimeErr::SqlxError(cause)) | DbErr::Exec(RuntimeErr::SqlxError(cause))) =
        error
    else {
        return false;
    };
    names_missing_table(cause)
}

/// Whether a statement failed because one of its tables does not exist.
pub(super) fn names_missing_table(error: &Sqlx) -> bool {
    let Some(cause) = error.as_database_error() else { return false };
    cause.code().as_deref() == Some("42P01") || cause.message().starts_with("no such table")
}

/// Checks that this node can `LISTEN`, and that its prepared statements survive the pooler.
pub(super) async fn check_way(ways: &PostgresRoutes, word: [u8; 8]) -> Result<(), DbErr> {
    let through = &ways.through;
    let mut probe = Probe::begin(through, &HEXLOWER.encode(&word)).await?;
    if !probe.pools_transactions {
        return probe.check_capacity(through).await;
    }
    if ways.past.is_none() {
        return Err(refused(format!(
            "{through} is a pooler in transaction mode, which does not support LISTEN; set \
             DATABASE_DIRECT_URL to the database itself, or the pooler’s mode to session"
        )));
    }
    if timeout(DATABASE_TIMEOUT, probe.keeps_statements(through)).await != Ok(true) {
        return Err(refused(format!(
            "{through} is a pooler in transaction mode that does not support prepared statements; \
             use PgBouncer 1.21 or later with max_prepared_statements above 0, or pool_mode = \
             session"
        )));
    }
    Ok(())
}

fn too_few(through: &Postgres, got: u32) -> DbErr {
    refused(format!(
        "{through} is a pooler that allows a node {got} of the {WANTED} connections that it uses; \
         raise default_pool_size (PgBouncer) or num_init_children (pgpool-II)"
    ))
}

/// Opens a connection and runs a statement on it. PgBouncer accepts a client at once; only the
/// first statement waits for a server connection.
async fn served(through: &Postgres, statement: &'static str) -> Result<PgConnection, DbErr> {
    let refuses = |error: Sqlx| refused(format!("{through} {}", describe_error(&error)));
    let mut connection = PgConnection::connect_with(through.options()).await.map_err(refuses)?;
    raw_sql(statement).execute(&mut connection).await.map_err(refuses)?;
    Ok(connection)
}

/// Whether the URL leads to the server itself, by the server's own address. The addresses differ
/// behind a pooler or a network that translates addresses.
async fn is_direct(connection: &mut PgConnection, through: &Postgres) -> bool {
    const SERVER_ADDRESS: &str = "SELECT host(inet_server_addr()), inet_server_port()";
    let Ok(row) = raw_sql(SERVER_ADDRESS).fetch_one(connection).await else { return false };
    let (Ok(address), Ok(port)) = (row.try_get(0), row.try_get(1)) else { return false };
    let (address, port): (Option<String>, Option<i32>) = (address, port);
    let options = through.options();
    let (Some(address), Some(port)) = (address, port) else {
        // The server reports no address for a Unix socket.
        return options.get_socket().is_some();
    };
    let host = options.get_host().trim_start_matches('[').trim_end_matches(']');
    let Ok(mut leads_to) = lookup_host((host, options.get_port())).await else { return false };
    port == i32::from(options.get_port()) && leads_to.any(|to| to.ip().to_string() == address)
}

/// Several connections through what may be a pooler.
struct Probe {
    connection: PgConnection,
    others: Vec<PgConnection>,
    pools_transactions: bool,
}

impl Probe {
    /// Detects transaction pooling: a session variable set on one connection is lost once another
    /// client holds the server connection that it was set on.
    async fn begin(through: &Postgres, word: &str) -> Result<Self, DbErr> {
        let failed = |error: Sqlx| refused(format!("{through} {}", describe_error(&error)));
        let mut connection = connect(through).await?;
        let set = raw_sql(AssertSqlSafe(format!("SET latchkey.word = '{word}'")));
        set.execute(&mut connection).await.map_err(failed)?;
        let mut others = Vec::new();
        for count in 1..4 {
            let other = timeout(DATABASE_TIMEOUT, served(through, "BEGIN")).await;
            others.push(other.map_err(|_| too_few(through, count))??);
            if show(&mut connection, "latchkey.word").await.ok().as_deref() != Some(word) {
                return Ok(Self { connection, others, pools_transactions: true });
            }
        }
        Ok(Self { connection, others, pools_transactions: false })
    }

    /// Checks that a session pooler has enough connections for a node. It would let the rest wait
    /// for minutes.
    async fn check_capacity(&mut self, through: &Postgres) -> Result<(), DbErr> {
        if is_direct(&mut self.connection, through).await {
            return Ok(());
        }
        let count = u32::try_from(self.others.len() + 1).unwrap_or(WANTED);
        let more = (count..WANTED).map(|_| timeout(DATABASE_TIMEOUT, served(through, "SELECT 1")));
        // All at once, each held until all were tried. A refused connection does not wait; it is
        // reported when it is needed.
        let more = join_all(more).await;
        let waiting = more.iter().filter(|tried| tried.is_err()).count();
        match u32::try_from(waiting) {
            Ok(0) => Ok(()),
            waiting => Err(too_few(through, WANTED - waiting.unwrap_or(WANTED))),
        }
    }

    /// Whether a prepared statement still works on another server connection, after another client
    /// has taken the one that it was prepared on.
    async fn keeps_statements(&mut self, through: &Postgres) -> bool {
        const STATEMENT: &str = "SELECT $1::int";
        let prepared = query(STATEMENT).bind(1).fetch_one(&mut self.connection).await;
        let Ok(mut other) = connect(through).await else { return false };
        prepared.is_ok()
            && raw_sql("BEGIN").execute(&mut other).await.is_ok()
            && query(STATEMENT).bind(1).fetch_one(&mut self.connection).await.is_ok()
    }
}
