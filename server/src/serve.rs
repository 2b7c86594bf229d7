//! `latchkey serve`: start, serve, drain.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use latchkey_services::random::Random;
use latchkey_services::{Database, Error, Services, accounts, keys, telemetry, usage};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cli::Settings;
use crate::config::{self, Config, SignIn, SqliteLock, private_files};
use crate::connections;
use crate::metrics;
use crate::oauth;
use crate::otel;
use crate::service::HttpService;
use crate::state::{self, AppState};
use crate::system::{SystemClock, SystemRandom};
use crate::upstreams_reload;

/// How often counters are written.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// How long stored responses wait to be written together. Other nodes look for a response several
/// times as long.
const RESPONSES_WAIT: Duration = Duration::from_millis(100);
/// How often expired rows are deleted.
const PURGE_EVERY: Duration = Duration::from_hours(1);
/// How often old usage is deleted, a little each time, so that counters never wait for it; and how
/// often the memory of idle keys, and of addresses without failures, is freed.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How often expired telemetry is deleted.
const PURGE_TELEMETRY_EVERY: Duration = Duration::from_mins(1);
/// How often background responses are looked for that nobody has asked for lately.
const SETTLE_BACKGROUND_EVERY: Duration = Duration::from_mins(1);
/// How long requests in progress may take after the stop signal.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);
/// How long writing the remaining data in memory may take at the stop.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(90);

/// Serves until the process gets a stop signal; then finishes the requests in progress, writes the
/// counters and closes the database.
///
/// # Errors
/// A setting is wrong, the database can't be opened, or the address is taken.
pub async fn serve(settings: Settings) -> anyhow::Result<()> {
    private_files::keep_new_files_private();
    config::refuse_lost_pepper(&settings.storage).await?;
    let config = Config::from_settings(settings)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("can't listen on {} (LATCHKEY_LISTEN)", config.listen))?;
    let metrics_listener = metrics::listen(config.metrics_listen).await?;
    let alone = SqliteLock::on(&config.database_url).await?;
    let services = start(&config).await?;
    announce(&config);
    let state = AppState::new(services.clone(), config)?;
    let stop = CancellationToken::new();
    let syncing = tokio::spawn({
        let services = services.clone();
        async move { services.checker.keep_in_sync().await }
    });
    let jobs = [
        tokio::spawn(run_jobs(services.clone(), stop.clone())),
        tokio::spawn(return_idle_leases(services.clone(), stop.clone())),
        tokio::spawn(purge_telemetry(services.clone(), stop.clone())),
        tokio::spawn(write_responses(services.clone(), stop.clone())),
        tokio::spawn(upstreams_reload::keep_current(state.clone(), stop.clone())),
        tokio::spawn(settle_background(state.clone(), stop.clone())),
    ];
    let measuring =
        metrics_listener.map(|listener| tokio::spawn(metrics::serve(listener, state.clone())));
    let serving = connections::serve(
        listener,
        HttpService::new(state.clone()),
        stop.clone().cancelled_owned(),
    );
    let serving = tokio::spawn(serving);
    wait_for_signal().await?;
    tracing::info!("Shutting down; waiting for requests in progress");
    state.begin_drain();
    stop.cancel();
    if tokio::time::timeout(DRAIN_TIMEOUT, serving).await.is_err() {
        tracing::warn!("Shutdown timed out; aborting requests in progress");
    }
    syncing.abort();
    if let Some(measuring) = measuring {
        measuring.abort();
    }
    let finished = tokio::time::timeout(DATABASE_TIMEOUT, finish(&services, jobs)).await;
    finished.context("timed out writing the last counters to the database")??;
    drop(alone);
    tracing::info!("Server stopped");
    Ok(())
}

/// Writes what is only in memory, after the last request.
async fn finish(
    services: &Services,
    jobs: impl IntoIterator<Item = JoinHandle<()>>,
) -> anyhow::Result<()> {
    for job in jobs {
        job.await.context("background job failed")?;
    }
    services.settled().await;
    let returned = services.checker.return_leases(true).await;
    let noted = services.checker.write_budget_events().await;
    if let Err(error) = services.checker.leave_membership().await {
        tracing::warn!(%error, "Failed to remove this node from the cluster membership");
    }
    // Also if returning the leases failed.
    services.checker.flush_usage().await.context("failed to write the last counters")?;
    let remembered = services.checker.write_responses().await;
    remembered.context("failed to write whose the last stored responses are")?;
    returned.context("failed to return budget leases")?;
    noted.context("failed to write budget events")?;
    services.database.close().await.context("failed to close the database")
}

async fn start(config: &Config) -> anyhow::Result<Services> {
    let (clock, random) = (Arc::new(SystemClock::start()), Arc::new(SystemRandom));
    let (url, direct_url) = (&config.database_url, config.database_direct_url.as_deref());
    let source: &dyn Random = &*random;
    let opening = async {
        Database::check_way(url, direct_url, source.bytes()).await?;
        Database::open_beside(url, direct_url).await
    };
    let database = opening.await.context("can't use the database (DATABASE_URL)")?;
    Ok(Services::start(database, config.services.clone(), clock, random).await?)
}

fn announce(config: &Config) {
    let sign_in = match config.sign_in {
        SignIn::Github(_) => "GitHub",
        SignIn::Local => "local developer",
    };
    if config.services.administrators.is_empty() && matches!(config.sign_in, SignIn::Github(_)) {
        tracing::info!(
            "This instance has no administrators; set LATCHKEY_ADMINS to GitHub logins or id:NUMBER"
        );
    }
    state::announce(&config.upstreams);
    otel::announce();
    let (listen, public_url) = (config.listen, &config.public_url);
    tracing::info!(%listen, %public_url, sign_in, "Server started");
    if let Some(code) = &config.services.local_code {
        // The only secret that is logged on purpose, for the person who started the server, and
        // for no collector.
        let _local = opentelemetry::Context::enter_telemetry_suppressed_scope();
        let link = oauth::local_link(&config.public_url, code);
        tracing::info!("Sign in at {link}");
    }
}

/// Writes counters and deletes what has expired, until the server stops.
async fn run_jobs(services: Services, stop: CancellationToken) {
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    let mut purge = tokio::time::interval(PURGE_EVERY);
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        let result = tokio::select! {
            () = stop.cancelled() => return,
            _ = flush.tick() => services.checker.flush_usage_batch().await.map_err(Error::from),
            _ = purge.tick() => purge_expired(&services).await,
            _ = sweep.tick() => {
                services.forget_idle();
                                usage::purge(&services).await
            }
        };
        if let Err(error) = result {
            tracing::warn!(%error, "Background job failed and will be retried");
        }
    }
}

/// Returns what is unused of leases, and writes budget events. A task of its own: many leases must
/// not delay the counters.
async fn return_idle_leases(services: Services, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(FLUSH_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = services.checker.return_leases(false).await {
            tracing::warn!(%error, "Failed to return unused budget leases");
        }
        if let Err(error) = services.checker.write_budget_events().await {
            tracing::warn!(%error, "Failed to write budget events");
        }
    }
}

/// Writes whose the stored responses are, soon after they were made, until the server stops.
async fn write_responses(services: Services, stop: CancellationToken) {
    let write_forever = async {
        loop {
            services.checker.response_added().await;
            tokio::time::sleep(RESPONSES_WAIT).await;
            if let Err(error) = services.checker.write_responses().await {
                tracing::warn!(%error, "Failed to write whose stored responses are; retrying");
                tokio::time::sleep(FLUSH_EVERY).await;
            }
        }
    };
    stop.run_until_cancelled(write_forever).await;
}

/// Settles background responses that no client has read, until the server stops.
async fn settle_background(state: AppState, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(SETTLE_BACKGROUND_EVERY);
    let settle_forever = async {
        loop {
            ticks.tick().await;
            state.settle_background().await;
        }
    };
    stop.run_until_cancelled(settle_forever).await;
}

async fn purge_expired(services: &Services) -> Result<(), Error> {
    accounts::purge_expired(services).await?;
    keys::purge_idempotency_keys(services).await
}

/// Deletes expired data of the sandbox, telemetry of deleted applications, and the rest of aborted
/// calls: at the start, then every minute. Every hour it deletes what is older than the tier's
/// retention. It is a task of its own, so that a large purge does not delay the counters.
async fn purge_telemetry(services: Services, stop: CancellationToken) {
    let mut purge = tokio::time::interval(PURGE_TELEMETRY_EVERY);
    let mut purge_old = tokio::time::interval(PURGE_EVERY);
    let log = |error: Option<Error>| {
        if let Some(error) = error {
            tracing::warn!(%error, "Failed to purge telemetry; retrying later");
        }
    };
    let purge_forever = async {
        loop {
            tokio::select! {
                _ = purge.tick() => {
                    log(telemetry::purge_sandbox(&services).await.err());
                    log(usage::purge_sandbox_responses(&services).await.err());
                    log(telemetry::purge_deleted(&services).await.err());
                    log(telemetry::purge_unfinished(&services).await.err());
                }
                _ = purge_old.tick() => log(telemetry::purge_live(&services).await.err()),
            }
        }
    };
    stop.run_until_cancelled(purge_forever).await;
}

async fn wait_for_signal() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate =
            signal(SignalKind::terminate()).context("failed to wait for SIGTERM")?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            result = tokio::signal::ctrl_c() => result.context("failed to wait for Ctrl+C"),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("failed to wait for Ctrl+C")
}
