//! Runs the services in this process, without a server.
#![expect(clippy::disallowed_methods, reason = "this is the edge of the benches")]

use std::sync::Arc;
use std::time::Duration;

use latchkey_domain::api::{KeyFilter, KeyRequest, OrganizationPatch};
use latchkey_domain::id::{ProjectId, UserId};
use latchkey_domain::tier::Tier;
use latchkey_domain::time::Timestamp;
use latchkey_services::accounts::tokens::JwtSecret;
use latchkey_services::accounts::{self, Administrators, Device, LocalCode};
use latchkey_services::clock::Clock;
use latchkey_services::random::Random;
use latchkey_services::{
    Actor, Database, PageRequest, Pepper, Services, Settings, Signup, keys, organizations, projects,
};

use crate::stopwatch::Stopwatch;

/// A real clock that starts at a fixed date.
struct RealClock(Stopwatch);

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.0.elapsed().as_millis()).unwrap_or_default();
        // The date does not matter, and reading the wall clock costs as much as reading this one.
        Timestamp::from_millis(1_795_000_000_000 + elapsed)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The operating system's random number generator.
pub struct ThreadRandom;

impl Random for ThreadRandom {
    fn fill(&self, buffer: &mut [u8]) {
        use rand::Rng;
        rand::rng().fill_bytes(buffer);
    }
}

/// Pepper: the HMAC key of all digests.
pub const PEPPER: &[u8] = b"a pepper of a bench, long enough.";

/// Code of the local sign-in.
const CODE: &str = "bench";

/// Starts the services on a database.
///
/// # Errors
/// The database can't be opened.
pub async fn start(url: &str) -> anyhow::Result<Services> {
    let database = Database::open(url).await?;
    let settings = Settings {
        pepper: Pepper::new(PEPPER),
        jwt_secret: JwtSecret::new(vec![7; 32])?,
        issuer: "http://127.0.0.1".to_owned(),
        access_token_ttl: Duration::from_mins(15),
        refresh_token_ttl: Duration::from_hours(1),
        // No write limit: keys are created as fast as the machine can.
        writes_per_minute: u64::MAX,
        session_ttl: Duration::from_hours(1),
        administrators: Administrators::default(),
        local_code: Some(LocalCode::new(CODE.to_owned())),
        signup: Signup::Open,
        redis: None,
    };
    let clock = Arc::new(RealClock(Stopwatch::start()));
    Ok(Services::start(database, settings, clock, Arc::new(ThreadRandom)).await?)
}

/// A signed-in user with a project that has no limits.
pub struct Owner {
    services: Services,
    actor: Actor,
    /// ID of the owner.
    pub user: UserId,
    /// ID of the owner's project.
    pub project: ProjectId,
}

impl Owner {
    /// Signs the local developer in.
    ///
    /// # Errors
    /// The database fails.
    pub async fn sign_in(services: &Services) -> anyhow::Result<Self> {
        let device = Device::default();
        let refresh_token = accounts::sign_in_local(services, CODE, &device).await?;
        let renewed = accounts::refresh(services, &refresh_token, &device).await?;
        let actor = accounts::authenticate(services, Some(&renewed.token), None).await?;
        let page = PageRequest::default();
        let organization =
            organizations::list(services, &actor, page.clone()).await?.data.remove(0);
        let unlimited = OrganizationPatch { tier: Some(Tier::Enterprise), ..Default::default() };
        organizations::change(services, &actor, organization.id, unlimited).await?;
        let project = projects::list(services, &actor, organization.id, page).await?.data.remove(0);
        let user = accounts::me(services, &actor).await?.id;
        Ok(Self { services: services.clone(), actor, user, project: project.id })
    }

    /// Creates another organization with a project, on a tier without limits. The two have the
    /// limits of these API bodies.
    ///
    /// # Errors
    /// The services refuse a request.
    pub async fn beside(
        &self,
        name: &str,
        of_project: serde_json::Value,
        of_organization: serde_json::Value,
    ) -> anyhow::Result<Self> {
        let Self { services, actor, user, .. } = self;
        let named = serde_json::json!({ "name": name });
        let request = serde_json::from_value(named.clone())?;
        let organization = organizations::create(services, actor, request, None).await?.id;
        let unlimited = OrganizationPatch { tier: Some(Tier::Enterprise), ..Default::default() };
        organizations::change(services, actor, organization, unlimited).await?;
        let limits = serde_json::from_value(of_organization)?;
        organizations::change(services, actor, organization, limits).await?;
        let request = serde_json::from_value(named)?;
        let project = projects::create(services, actor, organization, request, None).await?.id;
        projects::change(services, actor, project, serde_json::from_value(of_project)?).await?;
        Ok(Self { services: services.clone(), actor: actor.clone(), user: *user, project })
    }

    /// Creates a key and returns its secret.
    ///
    /// # Errors
    /// The services refuse the request.
    pub async fn create(&self, request: KeyRequest) -> anyhow::Result<String> {
        let created =
            keys::create(&self.services, &self.actor, self.project, request, None).await?;
        Ok(created.key.expose().to_owned())
    }

    /// Lists the first page of the project's keys and returns its length.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(&self) -> anyhow::Result<usize> {
        let (filter, page) = (KeyFilter::default(), PageRequest::default());
        let listed = keys::list(&self.services, &self.actor, self.project, &filter, page).await?;
        Ok(listed.data.len())
    }
}
