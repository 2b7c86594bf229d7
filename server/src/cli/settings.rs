//! Settings of the server, and where what is stored is.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use latchkey_domain::limit::Cidr;

/// Location of the stored data.
#[derive(Clone, Args)]
pub struct Storage {
    /// Data folder, with the database and the generated secrets.
    #[arg(long = "latchkey-data-dir", env = "LATCHKEY_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// Database URL: `sqlite://path` or `postgres://user:password@host:5432/database`.
    /// Percent-encode all characters except letters and digits in the user and password (# as %23)
    /// [default: latchkey.db in the data folder].
    #[arg(long = "database-url", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// Secret key for the digests of API keys, at least 32 bytes [default: a file in the data
    /// folder].
    #[arg(long = "latchkey-pepper", env = "LATCHKEY_PEPPER", hide_env_values = true)]
    pub pepper: Option<String>,

    /// The pepper before, while it is being replaced. Keys move to the new one when they are used,
    /// once every running node has both [default: none].
    #[arg(
        long = "latchkey-pepper-retired",
        env = "LATCHKEY_PEPPER_RETIRED",
        hide_env_values = true
    )]
    pub pepper_retired: Option<String>,

    /// TOML file of settings, named as the variables in lower case and without `LATCHKEY_`. A
    /// variable or flag wins over it [default: none].
    #[arg(long = "latchkey-config", env = "LATCHKEY_CONFIG")]
    pub config: Option<PathBuf>,
}

/// The database's URL holds a password.
impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

impl Storage {
    /// The database URL, or the default in the data folder.
    pub fn database_url(&self) -> String {
        set(self.database_url.as_deref()).map_or_else(
            || format!("sqlite://{}", self.data_dir.join("latchkey.db").display()),
            str::to_owned,
        )
    }

    /// Path of the pepper file, which is used if no pepper is set.
    pub fn pepper_file(&self) -> PathBuf {
        self.data_dir.join("pepper")
    }
}

/// Treats an empty setting as not set.
pub(crate) fn set(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|text| !text.is_empty())
}

/// The settings of `latchkey serve`.
#[derive(Clone, Args)]
pub struct Settings {
    /// Address and port to listen on.
    #[arg(long = "latchkey-listen", env = "LATCHKEY_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,

    /// URL at which users and GitHub reach this server [default: http:// and the listen address].
    #[arg(long = "latchkey-public-url", env = "LATCHKEY_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// Where what is stored is.
    #[command(flatten)]
    pub storage: Storage,

    /// URL of a Redis or Valkey server through which nodes share rate limits and `max_parallel`,
    /// `redis://:password@host:6379/0` or `rediss://…` [default: each node enforces these on its
    /// own].
    #[arg(long = "redis-url", env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,

    /// Address and port of the Prometheus metrics (`/metrics`), which must not be reachable by the
    /// public, or `off` [default: 127.0.0.1:9464, unless it is in use].
    #[arg(long = "latchkey-metrics-listen", env = "LATCHKEY_METRICS_LISTEN")]
    pub metrics_listen: Option<String>,

    /// PostgreSQL URL that bypasses a connection pooler without support for `LISTEN`, such as
    /// PgBouncer with `pool_mode = transaction` [default: the database URL].
    #[arg(long = "database-direct-url", env = "DATABASE_DIRECT_URL", hide_env_values = true)]
    pub database_direct_url: Option<String>,

    /// Client ID of the GitHub OAuth app. If not set, and both the listen address and the public
    /// URL are loopback, local sign-in with a code from the log is enabled.
    #[arg(long = "latchkey-github-client-id", env = "LATCHKEY_GITHUB_CLIENT_ID")]
    pub github_client_id: Option<String>,

    /// Client secret of the GitHub OAuth app.
    #[arg(
        long = "latchkey-github-client-secret",
        env = "LATCHKEY_GITHUB_CLIENT_SECRET",
        hide_env_values = true
    )]
    pub github_client_secret: Option<String>,

    /// URL of GitHub. Change it for GitHub Enterprise.
    #[arg(
        long = "latchkey-github-url",
        env = "LATCHKEY_GITHUB_URL",
        default_value = "https://github.com"
    )]
    pub github_url: String,

    /// URL of GitHub's API. Change it for GitHub Enterprise.
    #[arg(
        long = "latchkey-github-api-url",
        env = "LATCHKEY_GITHUB_API_URL",
        default_value = "https://api.github.com"
    )]
    pub github_api_url: String,

    /// Administrators of the instance, separated by commas: GitHub logins, or `id:` and the number
    /// of a GitHub account. A login is permanently bound to the account that first signs in with
    /// it. If empty, only the local developer is an administrator.
    #[arg(long = "latchkey-admins", env = "LATCHKEY_ADMINS", value_delimiter = ',')]
    pub admins: Vec<String>,

    /// Who can sign in for the first time.
    #[arg(long = "latchkey-signup", env = "LATCHKEY_SIGNUP", value_enum, default_value_t)]
    pub signup: SignupSetting,

    /// Secret that signs access tokens, at least 32 bytes [default: a file in the data folder].
    #[arg(long = "latchkey-jwt-secret", env = "LATCHKEY_JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<String>,

    /// The secret before, while it is being replaced: access tokens that it signed are accepted
    /// until they expire [default: none].
    #[arg(
        long = "latchkey-jwt-secret-retired",
        env = "LATCHKEY_JWT_SECRET_RETIRED",
        hide_env_values = true
    )]
    pub jwt_secret_retired: Option<String>,

    /// Lifetime of an access token, in seconds.
    #[arg(
        long = "latchkey-access-token-ttl",
        env = "LATCHKEY_ACCESS_TOKEN_TTL",
        default_value_t = 900,
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub access_token_ttl: u64,

    /// Lifetime of a refresh token, in seconds.
    #[arg(
        long = "latchkey-refresh-token-ttl",
        env = "LATCHKEY_REFRESH_TOKEN_TTL",
        default_value_t = 2_592_000,
        value_parser = clap::value_parser!(u64).range(1..=31_536_000)
    )]
    pub refresh_token_ttl: u64,

    /// Maximum writes per minute of a user or service key, per node.
    #[arg(
        long = "latchkey-writes-per-minute",
        env = "LATCHKEY_WRITES_PER_MINUTE",
        default_value_t = 600,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000_000)
    )]
    pub writes_per_minute: u64,

    /// Maximum lifetime of a session in seconds, regardless of refreshes.
    #[arg(
        long = "latchkey-session-ttl",
        env = "LATCHKEY_SESSION_TTL",
        default_value_t = 7_776_000,
        value_parser = clap::value_parser!(u64).range(1..=315_360_000)
    )]
    pub session_ttl: u64,

    /// Code for local sign-in. The log contains a link with it [default: random at each start].
    #[arg(long = "latchkey-local-code", env = "LATCHKEY_LOCAL_CODE", hide_env_values = true)]
    pub local_code: Option<String>,

    /// TOML file with the gateway's upstreams, read again on SIGHUP and when it changes [default:
    /// only the built-in sandbox].
    #[arg(long = "latchkey-upstreams", env = "LATCHKEY_UPSTREAMS")]
    pub upstreams: Option<PathBuf>,

    /// Maximum time until the first byte of an upstream's response, in seconds.
    #[arg(
        long = "latchkey-upstream-timeout",
        env = "LATCHKEY_UPSTREAM_TIMEOUT",
        default_value_t = 600,
        value_parser = clap::value_parser!(u64).range(1..=3_600)
    )]
    pub upstream_timeout: u64,

    /// CIDR networks of proxies whose X-Forwarded-For and Forwarded headers are trusted, separated
    /// by commas. If a request has both headers, they must name the same address.
    #[arg(
        long = "latchkey-trusted-proxies",
        env = "LATCHKEY_TRUSTED_PROXIES",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<Cidr>,

    /// Origins that can call ingest, the gateway and /v1/key from a browser, separated by commas,
    /// e.g. `https://shop.example`; `*` allows all [default: none].
    #[arg(long = "latchkey-cors-origins", env = "LATCHKEY_CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<String>,

    /// Contact for security reports in `/.well-known/security.txt`: an email address or a URI
    /// [default: the file is not served].
    #[arg(long = "latchkey-security-contact", env = "LATCHKEY_SECURITY_CONTACT")]
    pub security_contact: Option<String>,

    /// Settings from cargo-leptos, if it started the server.
    #[command(flatten)]
    pub cargo_leptos: CargoLeptos,
}

/// Half of them are secret.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("public_url", &self.public_url)
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

/// Environment that cargo-leptos sets for the site it has built.
#[derive(Debug, Clone, Default, Args)]
pub struct CargoLeptos {
    /// Base name of the site's files, which have no hash in their names.
    #[arg(long = "leptos-output-name", env = "LEPTOS_OUTPUT_NAME", hide = true)]
    pub output_name: Option<String>,

    /// Whether cargo-leptos watches the sources and announces rebuilds on `reload_port`.
    #[arg(long = "leptos-watch", env = "LEPTOS_WATCH", hide = true)]
    pub watch: bool,

    /// Port of the live-reload WebSocket.
    #[arg(
        long = "leptos-reload-port",
        env = "LEPTOS_RELOAD_PORT",
        hide = true,
        default_value_t = 3001
    )]
    pub reload_port: u16,
}

/// Who can sign in for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SignupSetting {
    /// Anybody with a GitHub account.
    #[default]
    Open,
    /// Only administrators and invited users.
    Invited,
}
