//! PostgreSQL's `LISTEN`/`NOTIFY`: <https://www.postgresql.org/docs/current/sql-notify.html>.
//!
//! Notifications arrive in the order of the commits that sent them. A node sends itself a
//! *heartbeat* through the same queue. When it returns, everything committed before it was sent has
//! been received. Heartbeats take the same route as changes, through `DATABASE_URL`: if the
//! listening connection leads to another server, none returns.
//!
//! A connection stays with its server even after a failover, when the host name leads to a new
//! primary. So a node opens new connections every two seconds and checks that they reach the same
//! server. If the former primary still runs, its heartbeats return, and the node does not see what
//! is committed on the new one until then: for two seconds, and up to two more if connecting takes
//! as long. So fence a former primary before promoting another.

use std::convert::Infallible;
use std::time::Duration;

use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::postgres::{PgConnection, PgListener, PgPoolOptions};
use sea_orm::sqlx::{AssertSqlSafe, Connection, Error as Sqlx, PgExecutor, Row, raw_sql};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::listen_error::{DATABASE_TIMEOUT, HEARTBEAT_INTERVAL, ListenError};
use crate::checker::Checker;
use crate::key_invalidation::{CHANNEL, KeyInvalidation};
use data_encoding::HEXLOWER;
use latchkey_store::database::{Postgres, PostgresRoutes, describe_error};

/// Interval at which a node checks that the host name still leads to the connected server.
const SERVER_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Listens on a direct connection for notifications sent through the pooler, until a connection is
/// lost or reaches another server.
pub(super) async fn listen(
    checker: &Checker,
    ways: &PostgresRoutes,
) -> Result<Infallible, ListenError> {
    let own = format!("latchkey_beat_{}", HEXLOWER.encode(&checker.random.bytes::<8>()));
    // Not from the pool: under load the heartbeat would be late.
    let (mut sender, _) = connect(&ways.through).await?;
    let (mut listener, server) = listener(ways.direct(), [CHANNEL, &own]).await?;
    // From here on no invalidation is missed, but earlier ones were.
    checker.key_cache.evict_all();
    if checker.shapes.are_relevant() || with_timeout(have_shapes(&mut sender)).await? {
        checker.shapes.invalidate();
    }
    let mut heartbeats = interval(HEARTBEAT_INTERVAL);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut verifying = Box::pin(verify_server(ways, &server));
    let mut sent: Option<Heartbeat> = None;
    let mut number = 0_u64;
    loop {
        let notification = tokio::select! {
            notification = listener.try_recv() => notification?.ok_or(ListenError::Connection)?,
            verified = &mut verifying => {
                verified?;
                verifying.set(verify_server(ways, &server));
                continue;
            }
            _ = heartbeats.tick() => {
                let now = checker.clock.monotonic();
                match &mut sent {
                    Some(late) if late.missed == MAX_MISSED => return Err(ListenError::Undelivered),
                    Some(late) => late.missed += 1,
                    None => {
                        number += 1;
                        sent = Some(Heartbeat { number, sent_at: now, missed: 0 });
                        // A simple query in one message, so that a pooler need not keep any state.
                        let notify = raw_sql(AssertSqlSafe(format!("NOTIFY {own}, '{number}'")));
                        with_timeout(notify.execute(&mut sender)).await?;
                    }
                }
                continue;
            }
        };
        let payload = notification.payload();
        if notification.channel() == CHANNEL {
            KeyInvalidation::parse(payload).evict(checker);
        } else if let Some(returned) = sent.take_if(|sent| payload == sent.number.to_string()) {
            checker.key_cache.extend_validity(returned.sent_at);
        }
    }
}

/// Heartbeat intervals without a response after which the connection counts as lost, so after about
/// two seconds. The cache became invalid long before: 700 ms after the previous heartbeat.
const MAX_MISSED: u32 = 10;

/// A heartbeat that has not returned yet.
struct Heartbeat {
    number: u64,
    /// On the monotonic clock.
    sent_at: Duration,
    /// Number of heartbeats that would have been due since.
    missed: u32,
}

/// Opens a listening connection, and returns it with the identity of its server.
async fn listener(
    postgres: &Postgres,
    channels: [&str; 2],
) -> Result<(PgListener, String), ListenError> {
    // Connect directly first: that reports why a connection fails.
    connect(postgres).await?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(postgres.options().clone());
    let mut listener = with_timeout(PgListener::connect_with(&pool)).await?;
    // A silent reconnect would hide the notifications missed in between.
    listener.eager_reconnect(false);
    let server = with_timeout(server(&mut listener)).await?;
    with_timeout(listener.listen_all(channels)).await?;
    Ok((listener, server))
}

/// After a while, checks on both routes that new connections still reach the server.
async fn verify_server(ways: &PostgresRoutes, server: &str) -> Result<(), ListenError> {
    sleep(SERVER_CHECK_INTERVAL).await;
    for way in [Some(&ways.through), ways.past.as_ref()].into_iter().flatten() {
        let (connection, now) = connect(way).await?;
        // It is closed even if the server does not get the message.
        let _ = connection.close().await;
        if now != server {
            return Err(ListenError::Moved);
        }
    }
    Ok(())
}

/// Opens a connection and identifies its server.
async fn connect(postgres: &Postgres) -> Result<(PgConnection, String), ListenError> {
    let connecting = async {
        let mut connection = PgConnection::connect_with(postgres.options()).await?;
        let server = server(&mut connection).await?;
        Ok((connection, server))
    };
    match timeout(DATABASE_TIMEOUT, connecting).await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(error)) => Err(ListenError::unreachable(postgres, &error)),
        Err(_) => {
            let why = format!("{postgres} does not answer");
            Err(ListenError::Unreachable { why, is_full: false })
        }
    }
}

/// Whether any project has registered shapes of imported keys.
async fn have_shapes(connection: impl PgExecutor<'_>) -> Result<bool, Sqlx> {
    const EXISTS: &str = "/*NO LOAD BALANCE*/ SELECT EXISTS (SELECT 1 FROM key_shapes)";
    raw_sql(EXISTS).fetch_one(connection).await?.try_get(0)
}

/// Identifies a server by its start time. The comment in the statement keeps pgpool-II from sending
/// it to a replica.
async fn server(connection: impl PgExecutor<'_>) -> Result<String, Sqlx> {
    const STARTED: &str =
        "/*NO LOAD BALANCE*/ SELECT extract(epoch FROM pg_postmaster_start_time())::text";
    raw_sql(STARTED).fetch_one(connection).await?.try_get(0)
}

impl ListenError {
    fn unreachable(postgres: &Postgres, error: &Sqlx) -> Self {
        let code = error.as_database_error().and_then(DatabaseError::code);
        Self::Unreachable {
            why: format!("{postgres} {}", describe_error(error)),
            is_full: code.as_deref() == Some("53300"),
        }
    }
}

async fn with_timeout<T>(work: impl Future<Output = Result<T, Sqlx>>) -> Result<T, ListenError> {
    Ok(timeout(DATABASE_TIMEOUT, work).await.map_err(|_| ListenError::Silence)??)
}
