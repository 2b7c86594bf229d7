//! PostgreSQL's `LISTEN`/`NOTIFY`: <https://www.postgresql.org/docs/current/sql-notify.html>.
//!
//! Notifications come in the order of the commits that sent them. A node sends itself a *beat* through the same
//! queue: when the beat comes back, everything that was committed before it was sent has been heard of. The beat goes
//! the way that changes go, through `DATABASE_URL`: where the connection that listens leads elsewhere, none comes back.

use std::convert::Infallible;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnection, PgListener};
use sea_orm::sqlx::{AssertSqlSafe, Connection, raw_sql};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{BEAT, Lost, PATIENCE};
use crate::check::{CHANNEL, Changed};
use crate::random::hex;
use crate::services::Services;

/// Listens at `direct_url` to what is told through `url`, until a connection is lost.
pub(super) async fn listen(
    services: &Services,
    direct_url: &str,
    url: &str,
) -> Result<Infallible, Lost> {
    let own = format!("latchkey_beat_{}", hex(&services.random.bytes::<8>()));
    let mut listener = patiently(PgListener::connect(direct_url)).await?;
    // Not one of the pool's: under load it would come too late.
    let mut teller = patiently(PgConnection::connect(url)).await?;
    // What is missed while it is lost would go unnoticed if it came back by itself.
    listener.eager_reconnect(false);
    patiently(listener.listen_all([CHANNEL, &own])).await?;
    // From here on every change is heard of; what came before was not.
    services.key_cache.evict_all();
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent: Option<Beat> = None;
    let mut number = 0_u64;
    loop {
        let heard = tokio::select! {
            heard = listener.try_recv() => heard?.ok_or(Lost::Connection)?,
            _ = beats.tick() => {
                let now = services.clock.monotonic();
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
            Changed::parse(heard.payload()).evict(services);
        } else if let Some(beat) = sent.take_if(|beat| heard.payload() == beat.number.to_string()) {
            services.key_cache.trust(beat.sent_at);
        }
    }
}

/// A word that does not come back while as many would have been due is lost, and the connection with it.
const MISSED: u32 = 10;

/// A word to ourselves that is on its way.
struct Beat {
    number: u64,
    /// On the services' monotonic clock.
    sent_at: Duration,
    /// How many beats would have been due since.
    beats: u32,
}

async fn patiently<T>(
    work: impl Future<Output = Result<T, sea_orm::sqlx::Error>>,
) -> Result<T, Lost> {
    Ok(timeout(PATIENCE, work).await.map_err(|_| Lost::Silence)??)
}
