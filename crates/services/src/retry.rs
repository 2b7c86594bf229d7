//! Doing a write again that the database gave up.
//!
//! PostgreSQL ends one of two transactions that wait for each other (40P01), and where somebody has
//! configured more than READ COMMITTED for what is done in between, one of two that can't be put in
//! an order (40001). Nothing of it stays, so it is done again from its beginning, with what is read
//! then.

use std::time::Duration;

use crate::error::Error;
use crate::services::Services;

/// So often a write is done again; who still has no luck then is told to come back.
const MORE: u32 = 4;
/// About as long it waits the first time, and twice as long each time after.
const PAUSE: Duration = Duration::from_millis(10);

/// Does the work, and does it again if the database gave it up for another transaction.
///
/// # Errors
/// As the work's; after a few times `Unavailable`.
pub(crate) async fn retried<T, W>(services: &Services, work: impl Fn() -> W) -> Result<T, Error>
where
    W: Future<Output = Result<T, Error>>,
{
    for done in 0..MORE {
        match work().await {
            Err(Error::Store(error)) if error.is_transaction_conflict() => {
                tracing::debug!(%error, "Retrying a transaction");
                tokio::time::sleep(pause(services, done)).await;
            }
            answer => return answer,
        }
    }
    work().await
}

/// Between half and the whole of the time, so that the two don't meet again.
fn pause(services: &Services, done: u32) -> Duration {
    let [random] = services.random.bytes::<1>();
    let whole = PAUSE * 2_u32.pow(done);
    whole / 2 + whole * u32::from(random) / 512
}
