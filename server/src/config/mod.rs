//! From settings to a configuration that can be served, or a sentence that says what to set.

mod check;
mod contact;
mod cors;
mod database;
mod file;
mod metrics;
pub(crate) mod private_files;
mod public_url;
mod secrets;
mod upstreams;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use latchkey_checker::{RedisUrl, refuses_new_pepper};
use latchkey_domain::limit::Cidr;
use latchkey_gateway::Upstream;
use latchkey_services::accounts::tokens::JwtSecret;
use latchkey_services::accounts::{Administrators, LocalCode};
use latchkey_services::random::Random;
use latchkey_services::{Pepper, Settings as ServiceSettings, Signup};

use crate::cli::{CargoLeptos, Settings, SignupSetting, Storage, set};
use crate::system::SystemRandom;

pub(crate) use check::{Findings, examine};
pub use contact::SecurityContact;
pub use cors::CorsOrigins;
pub(crate) use database::{SqliteLock, is_in_use};
pub(crate) use file::{ConfigFile, KnownSetting};
pub use metrics::MetricsListen;
pub use public_url::PublicUrl;
pub use upstreams::UpstreamsFile;

/// What the server runs on, complete and consistent.
#[derive(Clone)]
pub struct Config {
    /// Address and port of the public listener.
    pub listen: SocketAddr,
    /// Where people reach the server.
    pub public_url: PublicUrl,
    /// Database URL, including its credentials.
    pub database_url: String,
    /// Address and port of the metrics listener.
    pub metrics_listen: MetricsListen,
    /// Where changes are listened to, if that is not the database’s URL.
    pub database_direct_url: Option<String>,
    /// How people sign in.
    pub sign_in: SignIn,
    /// Proxies that are believed.
    pub trusted_proxies: Vec<Cidr>,
    /// Origins whose pages may call the API from a browser. Without any, only our own pages may.
    pub cors_origins: Option<CorsOrigins>,
    /// The contact in `/.well-known/security.txt`, if there is one.
    pub security_contact: Option<SecurityContact>,
    /// What cargo-leptos says, if it started the server.
    pub cargo_leptos: CargoLeptos,
    /// Who answers the gateway's calls; none: the sandbox alone.
    pub upstreams: Vec<Upstream>,
    /// Where they are read from.
    pub upstreams_file: Option<UpstreamsFile>,
    /// How long an upstream may take to its first byte.
    pub upstream_timeout: Duration,
    /// What the services need to know.
    pub services: ServiceSettings,
}

/// How people sign in.
#[derive(Debug, Clone)]
pub enum SignIn {
    /// GitHub sign-in through an OAuth app.
    Github(GithubApp),
    /// As the local developer: no credentials, bound to loopback and reached there.
    Local,
}

/// A GitHub OAuth app.
#[derive(Clone)]
pub struct GithubApp {
    /// Client ID of the OAuth app.
    pub client_id: String,
    /// Client secret of the OAuth app.
    pub client_secret: String,
    /// Where GitHub is, without a slash at the end.
    pub url: String,
    /// Where its API is, without a slash at the end.
    pub api_url: String,
}

impl std::fmt::Debug for GithubApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GithubApp").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The database's URLs hold a password.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("public_url", &self.public_url)
            .field("sign_in", &self.sign_in)
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Completes the settings; on first start makes the data folder and the secrets in it.
    ///
    /// # Errors
    /// A setting is missing or contradicts another; the message says which and what to set.
    pub fn from_settings(settings: Settings) -> anyhow::Result<Self> {
        let public_url = match &settings.public_url {
            Some(url) => url.parse().context("LATCHKEY_PUBLIC_URL")?,
            None => PublicUrl::of_listener(settings.listen),
        };
        let sign_in = sign_in(&settings, &public_url)?;
        let local_code = local_code(&sign_in, settings.local_code.as_deref());
        let database_url = settings.storage.database_url();
        private_files::prepare(&settings.storage.data_dir, &database_url)?;
        let jwt_secret = secrets::setting_or_file(
            "LATCHKEY_JWT_SECRET",
            settings.jwt_secret.as_deref(),
            &settings.storage.data_dir.join("jwt-secret"),
        )?;
        let pepper = pepper(&settings.storage)?;
        let people_are_known =
            matches!(sign_in, SignIn::Local) || settings.signup == SignupSetting::Invited;
        let upstreams_file =
            settings.upstreams.map(|path| UpstreamsFile::new(path, people_are_known));
        let certificates = database::certificates();
        let database_url =
            database::with_certificates(settings.storage.database_url(), certificates.as_deref());
        let database_direct_url = set(settings.database_direct_url.as_deref())
            .map(|url| database::with_certificates(url.to_owned(), certificates.as_deref()));
        Ok(Self {
            listen: settings.listen,
            database_url,
            metrics_listen: MetricsListen::parse(
                settings.metrics_listen.as_deref(),
                settings.listen,
            )?,
            database_direct_url,
            sign_in,
            trusted_proxies: settings.trusted_proxies,
            cors_origins: CorsOrigins::parse(&settings.cors_origins)?,
            security_contact: set(settings.security_contact.as_deref())
                .map(str::parse)
                .transpose()
                .context("LATCHKEY_SECURITY_CONTACT")?,
            cargo_leptos: settings.cargo_leptos,
            upstreams: upstreams_file
                .as_ref()
                .map(UpstreamsFile::read)
                .transpose()?
                .unwrap_or_default(),
            upstreams_file,
            upstream_timeout: Duration::from_secs(settings.upstream_timeout),
            services: ServiceSettings {
                pepper,
                jwt_secret: with_retired(jwt_secret, settings.jwt_secret_retired.as_deref())?,
                issuer: public_url.to_string(),
                access_token_ttl: Duration::from_secs(settings.access_token_ttl),
                refresh_token_ttl: Duration::from_secs(settings.refresh_token_ttl),
                writes_per_minute: settings.writes_per_minute,
                session_ttl: Duration::from_secs(settings.session_ttl),
                administrators: Administrators::parse(settings.admins.iter().map(String::as_str))
                    .context("LATCHKEY_ADMINS")?,
                local_code,
                redis: set(settings.redis_url.as_deref())
                    .map(RedisUrl::new)
                    .transpose()
                    .context("REDIS_URL")?,
                signup: match settings.signup {
                    SignupSetting::Open => Signup::Open,
                    SignupSetting::Invited => Signup::Invited,
                },
            },
            public_url,
        })
    }
}

/// The pepper that the database's keys were made with. Unlike a server that starts, this makes
/// none.
///
/// # Errors
/// There is none, or it can't be read.
pub(crate) fn existing_pepper(storage: &Storage) -> anyhow::Result<Pepper> {
    let file = storage.pepper_file();
    if storage.pepper.is_none() && !file.exists() {
        bail!(
            "{} does not exist; set LATCHKEY_DATA_DIR to the server's data folder, or set \
             LATCHKEY_PEPPER",
            file.display()
        );
    }
    pepper(storage)
}

/// Refuses to make a pepper for a database whose keys have another one, before anything is written:
/// a new file would be taken for theirs.
///
/// # Errors
/// The pepper of the database's keys is not here, or the database can't be read.
pub(crate) async fn refuse_lost_pepper(storage: &Storage) -> anyhow::Result<()> {
    let file = storage.pepper_file();
    if set(storage.pepper.as_deref()).is_some() || file.exists() {
        return Ok(());
    }
    let retired = secrets::setting("LATCHKEY_PEPPER_RETIRED", storage.pepper_retired.as_deref())?;
    let retired = retired.map(|retired| Pepper::new(&retired));
    let url = trusting_system(storage.database_url());
    let is_lost = refuses_new_pepper(&url, retired.as_ref()).await;
    if is_lost.context("can't use the database (DATABASE_URL)")? {
        bail!(
            "the keys in the database have a pepper, and {} does not exist. Copy the file pepper \
             from the data folder that they were made in, or set LATCHKEY_PEPPER",
            file.display()
        );
    }
    Ok(())
}

/// The pepper, with the one that it replaces.
fn pepper(storage: &Storage) -> anyhow::Result<Pepper> {
    let (setting, file) = (storage.pepper.as_deref(), storage.pepper_file());
    let pepper = Pepper::new(&secrets::setting_or_file("LATCHKEY_PEPPER", setting, &file)?);
    let retired = storage.pepper_retired.as_deref();
    let retired = secrets::setting("LATCHKEY_PEPPER_RETIRED", retired)?;
    Ok(match retired {
        Some(retired) => pepper.replacing(Pepper::new(&retired)),
        None => pepper,
    })
}

/// The secret that signs access tokens, with the one that it replaces.
fn with_retired(secret: Vec<u8>, retired: Option<&str>) -> anyhow::Result<JwtSecret> {
    const RETIRED: &str = "LATCHKEY_JWT_SECRET_RETIRED";
    let secret = JwtSecret::new(secret).context("LATCHKEY_JWT_SECRET")?;
    Ok(match secrets::setting(RETIRED, retired)? {
        Some(retired) => secret.replacing(JwtSecret::new(retired).context(RETIRED)?),
        None => secret,
    })
}

/// The database's URL, where certificates of the authorities that this machine trusts are valid.
pub(crate) fn trusting_system(url: String) -> String {
    database::with_certificates(url, database::certificates().as_deref())
}

/// The pepper of a setting or an existing file, or `None` if there is neither.
///
/// # Errors
/// It can't be read, or is too short.
pub(crate) fn pepper_if_any(setting: Option<&str>, file: &Path) -> anyhow::Result<Option<Pepper>> {
    if set(setting).is_none() && !file.exists() {
        return Ok(None);
    }
    let pepper = secrets::setting_or_file("LATCHKEY_PEPPER", setting, file)?;
    Ok(Some(Pepper::new(&pepper)))
}

/// The code of local sign-in: the configured one, or a new random one.
fn local_code(sign_in: &SignIn, setting: Option<&str>) -> Option<LocalCode> {
    if matches!(sign_in, SignIn::Github(_)) {
        return None;
    }
    let set = setting.filter(|text| !text.is_empty()).map(str::to_owned);
    let random: &dyn Random = &SystemRandom;
    Some(LocalCode::new(set.unwrap_or_else(|| random.token())))
}

fn sign_in(settings: &Settings, public_url: &PublicUrl) -> anyhow::Result<SignIn> {
    let set = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
    match (set(&settings.github_client_id), set(&settings.github_client_secret)) {
        (Some(client_id), Some(client_secret)) => Ok(SignIn::Github(GithubApp {
            client_id,
            client_secret,
            url: settings.github_url.trim_end_matches('/').to_owned(),
            api_url: settings.github_api_url.trim_end_matches('/').to_owned(),
        })),
        (Some(_), None) => {
            bail!("LATCHKEY_GITHUB_CLIENT_ID is set; set LATCHKEY_GITHUB_CLIENT_SECRET too")
        }
        (None, Some(_)) => {
            bail!("LATCHKEY_GITHUB_CLIENT_SECRET is set; set LATCHKEY_GITHUB_CLIENT_ID too")
        }
        (None, None) if settings.listen.ip().is_loopback() && public_url.is_loopback() => {
            Ok(SignIn::Local)
        }
        (None, None) if settings.listen.ip().is_loopback() => bail!(
            "LATCHKEY_PUBLIC_URL ({public_url}) is not a loopback URL, and local sign-in works \
             only on this machine. Set LATCHKEY_GITHUB_CLIENT_ID and \
             LATCHKEY_GITHUB_CLIENT_SECRET, or unset LATCHKEY_PUBLIC_URL"
        ),
        (None, None) => bail!(
            "{} is not a loopback address, and local sign-in works only on this machine. Set \
             LATCHKEY_GITHUB_CLIENT_ID and LATCHKEY_GITHUB_CLIENT_SECRET, or set LATCHKEY_LISTEN \
             to 127.0.0.1:3000",
            settings.listen
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn config(arguments: &[&str]) -> anyhow::Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let data = format!("--latchkey-data-dir={}", folder.path().display());
        let line = ["latchkey", "serve", &data].into_iter().chain(arguments.iter().copied());
        let Command::Serve(settings) = Cli::try_parse_from(line)?.command() else {
            bail!("the line says serve");
        };
        Config::from_settings(*settings)
    }

    #[test]
    fn without_credentials_only_loopback_is_served() {
        assert!(matches!(config(&[]).unwrap().sign_in, SignIn::Local));
        assert!(matches!(
            config(&["--latchkey-listen=[::1]:3000"]).unwrap().sign_in,
            SignIn::Local
        ));
        for address in ["0.0.0.0:3000", "192.168.1.5:80", "[::]:3000"] {
            let error = config(&[&format!("--latchkey-listen={address}")]).unwrap_err().to_string();
            assert!(error.contains("LATCHKEY_GITHUB_CLIENT_ID"), "{error}");
        }
    }

    #[test]
    fn local_sign_in_wants_a_public_url_of_this_machine() {
        for url in ["http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:3000"] {
            let config = config(&[&format!("--latchkey-public-url={url}")]).unwrap();
            assert!(matches!(config.sign_in, SignIn::Local));
        }
        for url in ["https://keys.example", "http://192.168.1.5:3000", "http://localhost.example"] {
            let error = config(&[&format!("--latchkey-public-url={url}")]).unwrap_err().to_string();
            assert!(
                error.contains("LATCHKEY_PUBLIC_URL") && error.contains("CLIENT_ID"),
                "{error}"
            );
        }
    }

    #[test]
    fn local_code_is_new_at_each_start_unless_it_is_set() {
        let code = |arguments: &[&str]| config(arguments).unwrap().services.local_code;
        let random = || code(&[]).unwrap().expose().to_owned();
        assert_ne!(random(), random());
        assert!(random().len() >= 32);
        assert_eq!(code(&["--latchkey-local-code=mine"]).unwrap().expose(), "mine");
        let github = ["--latchkey-github-client-id=x", "--latchkey-github-client-secret=y"];
        assert!(code(&github).is_none());
    }

    #[test]
    fn half_a_credential_is_refused_by_name() {
        let error = config(&["--latchkey-github-client-id=x"]).unwrap_err().to_string();
        assert!(error.contains("LATCHKEY_GITHUB_CLIENT_SECRET"), "{error}");
    }

    #[test]
    fn short_secrets_are_refused_by_name() {
        let error = config(&["--latchkey-jwt-secret=short"]).unwrap_err();
        assert!(format!("{error:#}").contains("LATCHKEY_JWT_SECRET"));
        let error = config(&["--latchkey-pepper=short"]).unwrap_err();
        assert!(format!("{error:#}").contains("LATCHKEY_PEPPER"));
    }

    #[test]
    fn no_secret_shows_in_debug_output() {
        let secret = "s".repeat(40);
        let local = config(&[&format!("--latchkey-local-code={secret}")]);
        assert!(!format!("{:?}", local.unwrap()).contains(&secret));
        let config = config(&[
            &format!("--latchkey-pepper={secret}"),
            &format!("--latchkey-jwt-secret={secret}"),
            "--latchkey-github-client-id=x",
            &format!("--latchkey-github-client-secret={secret}"),
        ]);
        assert!(!format!("{:?}", config.unwrap()).contains(&secret));
        let url = format!("postgres://u:{secret}@h/d");
        let line = [
            "latchkey",
            "serve",
            &format!("--database-url={url}"),
            &format!("--database-direct-url={url}"),
            &format!("--redis-url=redis://:{secret}@h"),
            &format!("--latchkey-pepper={secret}"),
            &format!("--latchkey-jwt-secret={secret}"),
            &format!("--latchkey-local-code={secret}"),
            "--latchkey-github-client-id=x",
            &format!("--latchkey-github-client-secret={secret}"),
        ];
        assert!(!format!("{:?}", self::config(&line[2..]).unwrap()).contains(&secret));
        let line = Cli::try_parse_from(line).unwrap();
        assert!(!format!("{line:?}").contains(&secret));
    }
}
