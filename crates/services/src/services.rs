//! State that all capabilities share: database, clock, secrets and caches.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use latchkey_checker::digest::Pepper;
use latchkey_checker::{Checker, CheckerConfig, PepperCheckError, PepperError, RedisUrl};
use latchkey_domain::time::Timestamp;
use sea_orm::DbErr;

use crate::accounts::tokens::{JwtSecret, Signer};
use crate::accounts::{Administrators, LocalCode, SignIns};
use crate::import::ImportRoom;
use crate::known_applications::KnownApplications;
use crate::log_limit::LogLimit;
use crate::telemetry::Ingest;
use crate::usage::ReportQueue;
use crate::writes::Writes;
use latchkey_store::clock::Clock;
use latchkey_store::database::Database;
use latchkey_store::random::Random;

/// The operator's settings, as far as the services use them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Secret of the HMAC that digests every key, with the one that it replaces.
    pub pepper: Pepper,
    /// Secret that signs access tokens, with the one that it replaces.
    pub jwt_secret: JwtSecret,
    /// The `iss` claim of access tokens: the public URL.
    pub issuer: String,
    /// Lifetime of an access token.
    pub access_token_ttl: Duration,
    /// Lifetime of a refresh token.
    pub refresh_token_ttl: Duration,
    /// Maximum lifetime of a session, however often it is renewed.
    pub session_ttl: Duration,
    /// Administrators of the instance.
    pub administrators: Administrators,
    /// Code for local sign-in. `None`: people sign in with GitHub, and sessions of the local
    /// developer are refused.
    pub local_code: Option<LocalCode>,
    /// Who may sign in for the first time.
    pub signup: Signup,
    /// Limit of management writes a minute, per person and per service key.
    pub writes_per_minute: u64,
    /// Redis instance that shares rate limits between nodes. `None`: each node limits on its own.
    pub redis: Option<RedisUrl>,
}

/// Who may sign in for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signup {
    /// Anybody with a GitHub account.
    #[default]
    Open,
    /// Administrators, and people who are invited to an organization.
    Invited,
}

/// Why the services can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database returned an error.
    #[error("the database: {0}")]
    Database(#[from] latchkey_store::Error),
    /// The keys in the database were digested with a different pepper.
    #[error(transparent)]
    OtherPepper(PepperError),
    /// The peppers don't fit the keys in the database.
    #[error(transparent)]
    Pepper(PepperError),
    /// Redis responds, but refuses what rate limiting needs.
    #[error("REDIS_URL: {0}")]
    Redis(String),
}

impl From<PepperError> for StartError {
    fn from(error: PepperError) -> Self {
        match error {
            PepperError::Other => Self::OtherPepper(error),
            PepperError::OtherRetired
            | PepperError::Replaced
            | PepperError::Same
            | PepperError::RetiredMissing(_) => Self::Pepper(error),
        }
    }
}

impl From<PepperCheckError> for StartError {
    fn from(error: PepperCheckError) -> Self {
        match error {
            PepperCheckError::Database(error) => Self::Database(error),
            PepperCheckError::Pepper(error) => error.into(),
        }
    }
}

impl From<latchkey_checker::StartError> for StartError {
    fn from(error: latchkey_checker::StartError) -> Self {
        match error {
            latchkey_checker::StartError::Database(error) => Self::Database(error),
            latchkey_checker::StartError::Pepper(error) => error.into(),
            latchkey_checker::StartError::Redis(why) => Self::Redis(why),
        }
    }
}

impl From<DbErr> for StartError {
    fn from(error: DbErr) -> Self {
        Self::Database(error.into())
    }
}

/// Shared state of all capabilities. Cheap to clone.
#[derive(Clone)]
pub struct Services(Arc<Inner>);

/// Contents of [`Services`], reached through `Deref`.
pub struct Inner {
    /// The database and its connection pools.
    pub database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Settings,
    pub(crate) signer: Signer,
    /// Checks keys on the request path.
    pub checker: Checker,
    pub(crate) sign_ins: SignIns,
    pub(crate) ingest: Ingest,
    pub(crate) writes: Writes,
    pub(crate) renewals: Writes,
    pub(crate) key_views: Writes,
    pub(crate) known_applications: KnownApplications,
    pub(crate) usage_reports: ReportQueue,
    /// Room for imports in progress.
    pub(crate) imports: ImportRoom,
    /// Of the line about scopes of a proxy that can’t be read.
    pub(crate) unreadable_scopes: LogLimit,
}

impl Deref for Services {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Services {
    /// Starts the services on an open database.
    ///
    /// # Errors
    /// The database fails, or some of its keys were digested with a pepper that this node does not
    /// have, so that it would reject them as unknown.
    pub async fn start(
        database: Database,
        settings: Settings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StartError> {
        let checker = Checker::start(CheckerConfig {
            database: database.clone(),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            pepper: settings.pepper.clone(),
            redis: settings.redis.clone(),
        })
        .await?;
        checker.read_shapes().await?;
        let signer = Signer::new(&settings.jwt_secret, &settings.issuer, settings.access_token_ttl);
        let writes = Writes::new(settings.writes_per_minute);
        Ok(Self(Arc::new(Inner {
            database,
            clock,
            random,
            settings,
            signer,
            checker,
            sign_ins: SignIns::new(),
            ingest: Ingest::default(),
            writes,
            renewals: Writes::renewals(),
            key_views: Writes::key_views(),
            known_applications: KnownApplications::new(),
            usage_reports: ReportQueue::new(),
            imports: ImportRoom::default(),
            unreadable_scopes: LogLimit::default(),
        })))
    }
}

impl Services {
    /// Monotonic time of the services' clock, since a fixed point of this process.
    pub fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// The clock that all capabilities use.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Wall-clock time of the services' clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Evicts rate-limit state and failed attempts that no longer count.
    pub fn forget_idle(&self) {
        self.checker.forget_idle();
        self.sign_ins.failed.forget_idle(self.clock.monotonic());
    }

    /// Waits until background settlement of reservations is done, and until telemetry whose sender
    /// disconnected is stored. New work may start meanwhile.
    pub async fn settled(&self) {
        self.checker.settled().await;
        self.ingest.storing.close();
        self.ingest.storing.wait().await;
        self.ingest.storing.reopen();
    }
}
