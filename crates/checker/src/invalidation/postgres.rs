//! PostgreSQL's `LISTEN`/`NOTIFY`: <https://www.postgresql.org/docs/current/sql-notify.html>.
//!
//! Notifications come in the order of the commits that sent them. A node sends itself a *beat*
//! through the same queue: when the beat comes back, everything that was committed before it was
//! sent has been heard of. The beat goes the way that changes go, through `DATABASE_URL`: where the
//! connection that listens leads elsewhere, none comes back.
//!
//! A connection stays with the server that it was made to, even if another one is the primary by
//! now and the name leads there. So a node connects anew every two seconds and looks whether it is
//! still the same server.

use std::convert::Infallible;
use std::time::Duration;

use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::postgres::{PgConnection, PgListener, PgPoolOptions};
use sea_orm::sqlx::{AssertSqlSafe, Connection, Error as Sqlx, PgExecutor, Row, raw_sql};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::lost::{DATABASE_TIMEOUT, HEARTBEAT_INTERVAL, Lost};
use crate::checker::Checker;
use crate::key_invalidation::{CHANNEL, KeyInvalidation};
use data_encoding::HEXLOWER;
use latchkey_store::database::{Postgres, PostgresRoutes, why_not};

/// How often a node makes sure that the name still leads to the server that it is connected to.
const LOOK: Duration = Duration::from_secs(2);

/// Listens past a pooler to what is told through it, until a connection is lost or leads elsewhere.
pub(super) async fn listen(checker: &Checker, ways: &PostgresRoutes) -> Result<Infallible, Lost> {
    let own = format!("latchkey_beat_{}", HEXLOWER.encode(&checker.random.bytes::<8>()));
    // Not one of the pool's: under load it would come too late.
    let (mut teller, _) = connect(&ways.through).await?;
    let (mut listener, server) = listener(ways.direct(), [CHANNEL, &own]).await?;
    // From here on every change is heard of; what came before was not.
    checker.key_cache.evict_all();
    let mut beats = interval(HEARTBEAT_INTERVAL);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looking = Box::pin(look(ways, &server));
    let mut sent: Option<Beat> = None;
    let mut number = 0_u64;
    loop {
        let heard = tokio::select! {
            heard = listener.try_recv() => heard?.ok_or(Lost::Connection)?,
            looked = &mut looking => {
                looked?;
                looking.set(look(ways, &server));
                continue;
            }
            _ = beats.tick() => {
                let now = checker.clock.monotonic();
                match &mut sent {
                    Some(beat) if beat.beats == MISSED => return Err(Lost::Unheard),
                    Some(beat) => beat.beats += 1,
                    None => {
                        number += 1;
                        sent = Some(Beat { number, sent_at: now, beats: 0 });
                        // As text in one message: a pooler need keep nothing between two.
                        let notify = raw_sql(AssertSqlSafe(format!("NOTIFY {own}, '{number}'")));
                        patiently(notify.execute(&mut teller)).await?;
                    }
                }
                continue;
            }
        };
        if heard.channel() == CHANNEL {
            KeyInvalidation::parse(heard.payload()).evict(checker);
        } else if let Some(beat) = sent.take_if(|beat| heard.payload() == beat.number.to_string()) {
            checker.key_cache.trust(beat.sent_at);
        }
    }
}

/// A word that does not come back while as many would have been due is lost, and the connection
/// with it.
const MISSED: u32 = 10;

/// A word to ourselves that is on its way.
struct Beat {
    number: u64,
    /// On the services' monotonic clock.
    sent_at: Duration,
    /// How many beats would have been due since.
    beats: u32,
}

/// A connection that listens, and the server that it is made to.
async fn listener(postgres: &Postgres, channels: [&str; 2]) -> Result<(PgListener, String), Lost> {
    // First alone, which says what is in the way.
    connect(postgres).await?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(postgres.options().clone());
    let mut listener = patiently(PgListener::connect_with(&pool)).await?;
    // What is missed while it is lost would go unnoticed if it came back by itself.
    listener.eager_reconnect(false);
    let server = patiently(server(&mut listener)).await?;
    patiently(listener.listen_all(channels)).await?;
    Ok((listener, server))
}

/// After a while, looks whether new connections still lead to the server, on either way.
async fn look(ways: &PostgresRoutes, server: &str) -> Result<(), Lost> {
    sleep(LOOK).await;
    for way in [Some(&ways.through), ways.past.as_ref()].into_iter().flatten() {
        let (connection, now) = connect(way).await?;
        // It is closed whether or not the server hears of it.
        let _ = connection.close().await;
        if now != server {
            return Err(Lost::Moved);
        }
    }
    Ok(())
}

/// A new connection, and which server it is made to.
async fn connect(postgres: &Postgres) -> Result<(PgConnection, String), Lost> {
    let connecting = async {
        let mut connection = PgConnection::connect_with(postgres.options()).await?;
        let server = server(&mut connection).await?;
        Ok((connection, server))
    };
    match timeout(DATABASE_TIMEOUT, connecting).await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(error)) => Err(Lost::unreachable(postgres, &error)),
        Err(_) => {
            Err(Lost::Unreachable { why: format!("{postgres} does not answer"), is_full: false })
        }
    }
}

/// A server is told from another by the moment it was started. The comment keeps pgpool-II from
/// asking a replica.
async fn server(connection: impl PgExecutor<'_>) -> Result<String, Sqlx> {
    const STARTED: &str =
        "/*NO LOAD BALANCE*/ SELECT extract(epoch FROM pg_postmaster_start_time())::text";
    raw_sql(STARTED).fetch_one(connection).await?.try_get(0)
}

impl Lost {
    fn unreachable(postgres: &Postgres, error: &Sqlx) -> Self {
        let code = error.as_database_error().and_then(DatabaseError::code);
        Self::Unreachable {
            why: format!("{postgres} {}", why_not(error)),
            is_full: code.as_deref() == Some("53300"),
        }
    }
}

async fn patiently<T>(work: impl Future<Output = Result<T, Sqlx>>) -> Result<T, Lost> {
    Ok(timeout(DATABASE_TIMEOUT, work).await.map_err(|_| Lost::Silence)??)
}
