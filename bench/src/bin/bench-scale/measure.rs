//! The measurements at one size: the same, in the same order, at each size, with services that have
//! not cached or counted anything yet.

use std::time::Duration;

use anyhow::ensure;
use futures::{StreamExt, TryStreamExt, stream};
use latchkey_bench::in_process::{self, Owner};
use latchkey_bench::statistics;
use latchkey_bench::stopwatch::Stopwatch;
use latchkey_checker::CheckRequest;
use latchkey_domain::api::KeyRequest;
use latchkey_domain::key::KeyKind;
use latchkey_services::Services;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use stats_alloc::Region;

use crate::{ALLOCATOR, rows};

const SAMPLES: usize = 400;
/// Checks of cached keys per timed batch: few enough that most batches run uninterrupted.
const BATCH: usize = 100;
const BATCHES: usize = 2_000;
/// Maximum number of cached keys, nearly the cache's capacity of 200,000. The cache is sharded, and
/// no shard may overflow, or some of these keys would be evicted.
const CACHED: usize = 190_000;
/// Number of keys in use where sizes are compared: all keys of the smallest size. More would
/// compare the processor's caches.
const IN_USE: usize = 1_000;
/// Concurrent checks while the cache is filled.
const AT_ONCE: usize = 16;

/// Medians at one size, in microseconds, and the memory of the cache.
pub(crate) struct SizeMeasurement {
    /// A cached check with the same number of keys in use at every size.
    pub(crate) hit: f64,
    /// A cached check with all cached keys in use.
    pub(crate) hit_of_all: f64,
    pub(crate) miss: f64,
    pub(crate) list: f64,
    pub(crate) create: f64,
    /// Number of cached keys.
    pub(crate) cached: usize,
    pub(crate) bytes_per_key: f64,
}

/// Measures with `size` bulk keys in the database of `url`. `round` distinguishes this round's
/// samples.
pub(crate) async fn measure(url: &str, size: u64, round: &str) -> anyhow::Result<SizeMeasurement> {
    let services = in_process::start(url).await?;
    let watching = tokio::spawn({
        let services = services.clone();
        async move { services.checker.keep_in_sync().await }
    });
    while !services.checker.is_listening() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let measured = measure_with(&services, size, round).await;
    watching.abort();
    services.database.close().await?;
    measured
}

async fn measure_with(
    services: &Services,
    size: u64,
    round: &str,
) -> anyhow::Result<SizeMeasurement> {
    let owner = Owner::sign_in(services).await?;
    let create = creations(&owner, round).await?;
    let list = lists(&owner).await?;
    // The same keys in each run, drawn from the whole table.
    let mut random = StdRng::seed_from_u64(size);
    let cached = CACHED.min(usize::try_from(size)?);
    let numbers = rand::seq::index::sample(&mut random, usize::try_from(size)?, cached);
    let secrets: Vec<String> =
        numbers.iter().map(|index| rows::secret(index as u64 + 1).expose().to_owned()).collect();
    let (few, rest) = secrets.split_at(SAMPLES);
    let miss = misses(services, few).await?;
    let bytes_per_key = fill_cache(services, rest).await?;
    let in_cache = services.checker.cache_size().keys;
    ensure!(in_cache == cached, "{in_cache} keys of {cached} are cached");
    let hit_of_all = hits(services, &secrets, &mut random).await?;
    let hit = hits(services, &secrets[..IN_USE], &mut random).await?;
    let [hit, hit_of_all, miss, list, create] =
        [hit, hit_of_all, miss, list, create].map(statistics::median);
    Ok(SizeMeasurement { hit, hit_of_all, miss, list, create, cached, bytes_per_key })
}

async fn creations(owner: &Owner, round: &str) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for number in 0..SAMPLES {
        let name = format!("{round} {number}").parse()?;
        let watch = Stopwatch::start();
        owner.create(KeyRequest::new(name, KeyKind::Api)).await?;
        times.push(micros(watch.elapsed()));
    }
    Ok(times)
}

async fn lists(owner: &Owner) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..SAMPLES {
        let watch = Stopwatch::start();
        ensure!(owner.list().await? == 50, "a page has 50 keys");
        times.push(micros(watch.elapsed()));
    }
    Ok(times)
}

async fn misses(services: &Services, secrets: &[String]) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for secret in secrets {
        let watch = Stopwatch::start();
        admitted(services, secret).await?;
        times.push(micros(watch.elapsed()));
    }
    Ok(times)
}

/// Checks cached keys in random order.
async fn hits(
    services: &Services,
    secrets: &[String],
    random: &mut StdRng,
) -> anyhow::Result<Vec<f64>> {
    // Create the counters of every key first, as a key in use has them.
    for secret in secrets {
        admitted(services, secret).await?;
    }
    let mut times = Vec::new();
    for _ in 0..BATCHES {
        // Copies, since a caller's secret is in the processor's cache, wherever the cached record
        // is.
        let one = |_| secrets[random.random_range(0..secrets.len())].clone();
        let batch: Vec<String> = (0..BATCH).map(one).collect();
        let watch = Stopwatch::start();
        for secret in &batch {
            admitted(services, secret).await?;
        }
        #[expect(clippy::cast_precision_loss, reason = "it is small")]
        times.push(micros(watch.elapsed()) / BATCH as f64);
    }
    Ok(times)
}

/// Caches the keys of these secrets. Returns the additional memory per key, without usage counters
/// but with connections that were opened meanwhile.
async fn fill_cache(services: &Services, secrets: &[String]) -> anyhow::Result<f64> {
    let region = Region::new(ALLOCATOR);
    stream::iter(secrets)
        .map(anyhow::Ok)
        .try_for_each_concurrent(AT_ONCE, async |secret| {
            let found = services.checker.authenticate_for_server(Some(secret)).await;
            found.map_err(|denial| anyhow::anyhow!(denial.detail))?;
            Ok(())
        })
        .await?;
    let change = region.change();
    let kept = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
    #[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
    Ok(kept as f64 / secrets.len() as f64)
}

async fn admitted(services: &Services, secret: &str) -> anyhow::Result<()> {
    services.checker.check(Some(secret), CheckRequest::default()).await?;
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
