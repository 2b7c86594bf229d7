//! `make bench-scale`: whether the ten-millionth key is as fast as the first.
//!
//! One project on PostgreSQL has a thousand, a hundred thousand and ten million keys. Measured are
//! a check of a cached key, a check that queries the database, a page of the list, creating a key,
//! and the memory of a cached key. The services run in this process, since the network does not
//! depend on the number of keys.
//!
//! Keys to check are drawn from the whole table, and as many are cached as exist or as fit into the
//! cache. Sizes are compared by checks of a thousand keys each, so that only the table and the
//! cache differ. Checks of all cached keys are measured as well; they differ mostly by how many of
//! them fit into the processor's caches.
//!
//! The first size is measured twice and the first result is discarded, since the programs and
//! PostgreSQL are cold then.
//!
//! Usage: `LATCHKEY_TEST_POSTGRES_URL=… bench-scale [KEYS-OF-THE-LARGEST-SIZE]`
#![expect(clippy::disallowed_methods, reason = "the script names the database it started")]

mod measure;
mod rows;

use anyhow::{Context, ensure};
use latchkey_bench::in_process::{self, Owner};
use latchkey_bench::report;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use measure::{SizeMeasurement, measure};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const SIZES: [u64; 3] = [1_000, 100_000, 10_000_000];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url =
        std::env::var("LATCHKEY_TEST_POSTGRES_URL").context("scripts/with-postgres.sh sets it")?;
    let mut sizes = SIZES;
    if let Some(largest) = std::env::args().nth(1) {
        sizes[2] = largest.parse().context("usage: bench-scale [KEYS-OF-THE-LARGEST-SIZE]")?;
        ensure!(sizes.is_sorted(), "the largest size has more than {} keys", sizes[1]);
    }
    report::machine();
    let services = in_process::start(&url).await?;
    let owner = Owner::sign_in(&services).await?;
    services.database.close().await?;
    let admin = sea_orm::Database::connect(&url).await?;
    let (mut filled, mut all) = (0, Vec::new());
    for size in sizes {
        rows::fill(&admin, &owner, filled + 1, size).await?;
        if filled == 0 {
            measure(&url, size, "not counted").await?;
        }
        filled = size;
        all.push(measure(&url, size, &format!("sample {size}")).await?);
    }
    tell(&sizes, &all);
    Ok(())
}

fn tell(sizes: &[u64], all: &[SizeMeasurement]) {
    let rows = sizes.iter().zip(all).map(|(size, at)| {
        let figures = [at.hit, at.hit_of_all, at.miss, at.list, at.create];
        let figures = figures.map(|figure| format!("{figure:.2}"));
        let cached = at.cached.to_string();
        std::iter::once(format!("{size} keys")).chain([cached]).chain(figures).collect()
    });
    let head = [
        "",
        "cached",
        "hit of 1,000 µs",
        "hit of all cached µs",
        "miss µs",
        "list µs",
        "create µs",
    ];
    report::table(&head, &rows.collect::<Vec<_>>());
    if let [first, .., last] = all {
        report::ratio("scale-hit", last.hit / first.hit);
        report::ratio("scale-hit-of-all-cached", last.hit_of_all / first.hit_of_all);
        report::ratio("scale-miss", last.miss / first.miss);
        report::ratio("scale-list", last.list / first.list);
        report::ratio("scale-create", last.create / first.create);
        report::figure("bytes-per-cached-key", last.bytes_per_key);
    }
}
