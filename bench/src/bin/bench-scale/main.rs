//! `make bench-scale`: whether the millionth key is as quick as the first.
//!
//! One project on PostgreSQL with a thousand, a hundred thousand and ten million keys: a check of a cached key, a check
//! that has to ask the database, a page of the list, and making a key. Then the memory of cached keys. In this
//! process, with the services alone: what grows with the keys is not the network.
//!
//! Usage: `LATCHKEY_TEST_POSTGRES_URL=… bench-scale`
#![expect(clippy::disallowed_methods, reason = "the script names the database it started")]

use std::time::Duration;

use anyhow::{Context, ensure};
use latchkey_bench::in_process::{self, Owner};
use latchkey_bench::stopwatch::Stopwatch;
use latchkey_bench::{report, statistics};
use latchkey_domain::api::KeyRequest;
use latchkey_domain::key::KeyKind;
use latchkey_services::check::{self, Call};
use latchkey_services::{Services, nodes};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const SIZES: [u64; 3] = [1_000, 100_000, 10_000_000];
/// Rows in one statement: a line of progress after each.
const CHUNK: u64 = 500_000;
const SAMPLES: usize = 400;
/// Checks of a cached key that are timed together.
const BATCH: usize = 500;
/// Keys whose memory is measured.
const CACHED: usize = 10_000;

/// The medians at one size, in microseconds.
struct Medians {
    hit: f64,
    miss: f64,
    list: f64,
    create: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url =
        std::env::var("LATCHKEY_TEST_POSTGRES_URL").context("scripts/with-postgres.sh sets it")?;
    report::machine();
    let services = in_process::start(&url).await?;
    let admin = sea_orm::Database::connect(&url).await?;
    let owner = Owner::sign_in(&services).await?;
    tokio::spawn({
        let services = services.clone();
        async move { nodes::watch(&services).await }
    });
    let (mut filled, mut medians) = (0, Vec::new());
    for size in SIZES {
        fill(&admin, &owner, filled, size).await?;
        filled = size;
        medians.push(measure(&services, &owner, size).await?);
    }
    tell(&medians);
    report::figure("bytes-per-cached-key", bytes_per_key(&services, &owner).await?);
    Ok(())
}

async fn fill(admin: &DatabaseConnection, owner: &Owner, from: u64, to: u64) -> anyhow::Result<()> {
    let (project, user) = (owner.project.as_uuid(), owner.user.as_uuid());
    let mut first = from;
    while first < to {
        let last = to.min(first + CHUNK);
        let watch = Stopwatch::start();
        let rows = format!(
            "INSERT INTO keys (id, project_id, kind, environment, name, digest, hint, created_by, created_at, search) \
             SELECT ('01' || lpad(to_hex(n), 30, '0'))::uuid, '{project}', 'api', 'live', 'bulk ' || n, \
             sha256(('bulk ' || n)::bytea), 'lk_live_aaaa...bbbb', '{user}', 1700000000000 + n, 'bulk ' || n \
             FROM generate_series({}, {last}) AS n",
            first + 1
        );
        admin.execute_unprepared(&rows).await?;
        report::say(&format!("{last} keys ({:.0} s)", watch.elapsed().as_secs_f64()));
        first = last;
    }
    admin.execute_unprepared("ANALYZE keys").await?;
    Ok(())
}

async fn measure(services: &Services, owner: &Owner, size: u64) -> anyhow::Result<Medians> {
    let (mut create, mut secrets) = (Vec::new(), Vec::new());
    for number in 0..SAMPLES {
        let name = format!("sample {size} {number}").parse()?;
        let watch = Stopwatch::start();
        secrets.push(owner.create(KeyRequest::new(name, KeyKind::Api)).await?);
        create.push(micros(watch.elapsed()));
    }
    while !check::hears_of_changes(services) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (mut miss, mut hit, mut list) = (Vec::new(), Vec::new(), Vec::new());
    for secret in &secrets {
        let watch = Stopwatch::start();
        admitted(services, secret).await?;
        miss.push(micros(watch.elapsed()));
    }
    for secret in &secrets {
        let watch = Stopwatch::start();
        for _ in 0..BATCH {
            admitted(services, secret).await?;
        }
        #[expect(clippy::cast_precision_loss, reason = "it is small")]
        hit.push(micros(watch.elapsed()) / BATCH as f64);
    }
    for _ in 0..SAMPLES {
        let watch = Stopwatch::start();
        ensure!(owner.list().await? == 50, "a page has 50 keys");
        list.push(micros(watch.elapsed()));
    }
    let [hit, miss, list, create] = [hit, miss, list, create].map(statistics::median);
    Ok(Medians { hit, miss, list, create })
}

async fn admitted(services: &Services, secret: &str) -> anyhow::Result<()> {
    check::check(services, Some(secret), Call::default()).await?;
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn tell(medians: &[Medians]) {
    let rows = SIZES.iter().zip(medians).map(|(size, at)| {
        let figures = [at.hit, at.miss, at.list, at.create].map(|figure| format!("{figure:.2}"));
        std::iter::once(format!("{size} keys")).chain(figures).collect()
    });
    let head = ["", "hit µs", "miss µs", "list µs", "create µs"];
    report::table(&head, &rows.collect::<Vec<_>>());
    if let [first, .., last] = medians {
        report::ratio("scale-hit", last.hit / first.hit);
        report::ratio("scale-miss", last.miss / first.miss);
        report::ratio("scale-list", last.list / first.list);
        report::ratio("scale-create", last.create / first.create);
    }
}

/// What the process holds more of, per key that is cached, counters of use left aside.
async fn bytes_per_key(services: &Services, owner: &Owner) -> anyhow::Result<f64> {
    let mut secrets = Vec::with_capacity(CACHED);
    for number in 0..CACHED {
        let name = format!("cached {number}").parse()?;
        secrets.push(owner.create(KeyRequest::new(name, KeyKind::Api)).await?);
    }
    let before = check::cache_size(services).keys;
    let region = Region::new(ALLOCATOR);
    for secret in &secrets {
        check::find(services, Some(secret))
            .await
            .map_err(|denial| anyhow::anyhow!(denial.detail))?;
    }
    let change = region.change();
    let kept = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
    let cached = check::cache_size(services).keys - before;
    ensure!(cached > CACHED / 2, "only {cached} keys were cached");
    #[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
    Ok(kept as f64 / cached as f64)
}
