//! `make bench-check`: what a check costs in the process, without the network.
//!
//! A cached key plain, with a limit of requests a minute, and with a budget; a malformed and an unknown secret. Every
//! one of them is polled once: a check that waited for anything would end the bench. Above criterion's report stand
//! the allocations of one check.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use futures::FutureExt;
use latchkey_bench::stopwatch::Stopwatch;
use latchkey_bench::{report, statistics};
use latchkey_domain::api::{KeyRequest, OrganizationPatch};
use latchkey_domain::key::KeyKind;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::secret::SecretKey;
use latchkey_domain::tier::Tier;
use latchkey_domain::time::Timestamp;
use latchkey_services::accounts::{self, Device};
use latchkey_services::check::{self, Call};
use latchkey_services::clock::Clock;
use latchkey_services::random::Random;
use latchkey_services::{
    Actor, Database, Error, PageRequest, Pepper, Services, Settings, Signup, keys, nodes,
    organizations, projects, usage,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Checks that are timed together for the figure: enough that reading the clock does not show.
const BATCH: u32 = 1_000;
const BATCHES: usize = 2_000;

struct RealClock(Stopwatch);

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.0.elapsed().as_millis()).unwrap_or_default();
        // Any day will do; reading the wall clock costs what reading this one does.
        Timestamp::from_millis(1_795_000_000_000 + elapsed)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

struct ThreadRandom;

impl Random for ThreadRandom {
    fn fill(&self, buffer: &mut [u8]) {
        use rand::Rng;
        rand::rng().fill_bytes(buffer);
    }
}

fn main() -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let services =
        runtime.block_on(start(&folder.path().join("latchkey.db").display().to_string()))?;
    let secrets = runtime.block_on(make_keys(&services))?;
    runtime.spawn({
        let services = services.clone();
        async move { nodes::watch(&services).await }
    });
    // Counters are written as a server writes them, or the check would be measured with ever more of them.
    runtime.spawn({
        let services = services.clone();
        async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                usage::flush(&services).await.expect("counters are written");
            }
        }
    });
    while !check::hears_of_changes(&services) {
        std::thread::sleep(Duration::from_millis(10));
    }
    report::machine();
    for (name, secret, outcome) in &secrets {
        // It is cached from here on.
        assert_eq!(runtime.block_on(checked(&services, secret)), *outcome, "{name}");
        report::say(&format!("{name}: {} allocations a check", allocations(&services, secret)));
    }
    let mut criterion = Criterion::default().configure_from_args();
    for (name, secret, outcome) in &secrets {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| assert_eq!(once(&services, black_box(secret)), *outcome));
        });
    }
    criterion.final_summary();
    let (_, plain, _) = &secrets[0];
    report::figure("check-hit-us", micros(&services, plain));
    Ok(())
}

/// One check of a cached secret: it neither waits nor asks anybody.
fn once(services: &Services, secret: &str) -> Outcome {
    checked(services, secret).now_or_never().expect("a check of what is cached does not wait")
}

async fn checked(services: &Services, secret: &str) -> Outcome {
    let call = Call { kind: Some(KeyKind::Api), ..Call::default() };
    match check::check(services, Some(secret), call).await {
        Ok(_) => Outcome::Valid,
        Err(Error::Denied(denial)) => denial.outcome,
        Err(error) => panic!("{error}"),
    }
}

fn allocations(services: &Services, secret: &str) -> usize {
    // The first of a minute makes the key's counter.
    once(services, secret);
    let region = Region::new(ALLOCATOR);
    once(services, secret);
    region.change().allocations
}

/// The median, in microseconds.
fn micros(services: &Services, secret: &str) -> f64 {
    let batch = || {
        let watch = Stopwatch::start();
        for _ in 0..BATCH {
            black_box(once(services, black_box(secret)));
        }
        watch.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH)
    };
    statistics::median((0..BATCHES).map(|_| batch()).collect())
}

async fn start(path: &str) -> anyhow::Result<Services> {
    let database = Database::open(&format!("sqlite://{path}")).await?;
    let settings = Settings {
        pepper: Pepper::new(b"a pepper of a bench, long enough."),
        jwt_secret: accounts::tokens::JwtSecret::new(vec![7; 32])?,
        issuer: "http://127.0.0.1".to_owned(),
        access_token_ttl: Duration::from_mins(15),
        refresh_token_ttl: Duration::from_hours(1),
        administrators: Vec::new(),
        signup: Signup::Open,
    };
    let clock = Arc::new(RealClock(Stopwatch::start()));
    Ok(Services::start(database, settings, clock, Arc::new(ThreadRandom)).await?)
}

/// What is checked: its name, its secret, and what comes of it.
async fn make_keys(services: &Services) -> anyhow::Result<Vec<(&'static str, String, Outcome)>> {
    let actor = sign_in(services).await?;
    let page = PageRequest::default();
    let organization = organizations::list(services, &actor, page.clone()).await?.data.remove(0);
    let unlimited = OrganizationPatch { name: None, tier: Some(Tier::Enterprise) };
    organizations::change(services, &actor, organization.id, unlimited).await?;
    let project = projects::list(services, &actor, organization.id, page).await?.data.remove(0);
    let key = async |limits: serde_json::Value| -> anyhow::Result<String> {
        let request: KeyRequest = serde_json::from_value(limits)?;
        let created = keys::create(services, &actor, project.id, request, None).await?;
        Ok(created.key.expose().to_owned())
    };
    let most = 1_000_000_000_u64;
    let plain = key(serde_json::json!({"name": "plain"})).await?;
    let mut malformed = plain.clone();
    malformed.pop();
    let unknown =
        SecretKey::generate(&"lk".parse()?, latchkey_domain::key::Environment::Live, |buffer| {
            ThreadRandom.fill(buffer);
        });
    Ok(vec![
        ("hit", plain, Outcome::Valid),
        ("hit with rpm", key(serde_json::json!({"name": "rpm", "rpm": most})).await?, Outcome::Valid),
        (
            "hit with budget",
            key(serde_json::json!({"name": "budget", "token_limit": most, "token_limit_period": "month"})).await?,
            Outcome::Valid,
        ),
        ("malformed", malformed, Outcome::MalformedKey),
        ("unknown", unknown.expose().to_owned(), Outcome::UnknownKey),
    ])
}

async fn sign_in(services: &Services) -> anyhow::Result<Actor> {
    let device = Device::default();
    let refresh_token = accounts::sign_in_local(services, &device).await?;
    let renewed = accounts::refresh(services, &refresh_token, &device).await?;
    Ok(accounts::authenticate(services, Some(&renewed.token), None).await?)
}
