//! Retries transactions that the database rolled back.
//!
//! PostgreSQL aborts one of two transactions that deadlock (40P01). Where an operator has
//! configured a stricter isolation level than READ COMMITTED, it also aborts one of two that can't
//! be serialized (40001). The rollback is complete, so the whole transaction runs again and reads
//! everything again.

use std::time::Duration;

use crate::error::Error;
use crate::services::Services;

/// Number of retries; after the last one the caller gets `Unavailable`.
const MORE: u32 = 4;
/// Base of the first pause; it doubles with each retry.
const PAUSE: Duration = Duration::from_millis(10);

/// Runs `work`, and runs it again if the database rolled it back because of another transaction.
///
/// # Errors
/// As `work`; `Unavailable` if the last retry conflicts too.
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

/// Random between half and all of the pause, so that the two transactions don't collide again.
fn pause(services: &Services, done: u32) -> Duration {
    let [random] = services.random.bytes::<1>();
    let whole = PAUSE * 2_u32.pow(done);
    whole / 2 + whole * u32::from(random) / 512
}
