//! The command line. Every setting is a flag and an environment variable of the same name.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use latchkey_domain::limit::Cidr;

/// Issues API keys, shows each once, limits, meters, rotates and revokes them, and checks them at
/// memory speed. Without a command it serves, with the settings of the environment.
#[derive(Debug, Parser)]
#[command(name = "latchkey", version, about, args_override_self = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Option<Command>,
}

impl Cli {
    /// What to do. `latchkey` alone is `latchkey serve`, which is also how `cargo leptos watch`
    /// starts it.
    pub fn command(self) -> Command {
        self.command
            .unwrap_or_else(|| Command::Serve(Box::new(Serve::parse_from(["latchkey"]).settings)))
    }
}

#[derive(Debug, Parser)]
struct Serve {
    #[command(flatten)]
    settings: Settings,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the dashboard, the API and the ingest endpoints.
    Serve(Box<Settings>),
    /// Look after the audit logs.
    #[command(subcommand)]
    Audit(Audit),
}

/// What to do with the audit logs.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Read every organization's audit log and name the rows that were altered or removed. Fails if
    /// there are any. Servers may run meanwhile.
    Verify(Storage),
}

/// Where what is stored is.
#[derive(Clone, Args)]
pub struct Storage {
    /// Where the database and the secrets made on first start are kept.
    #[arg(long = "latchkey-data-dir", env = "LATCHKEY_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// `sqlite://path` or `postgres://user:password@host:5432/database`, where other characters
    /// than letters and digits in user and password are percent-encoded (# as %23) [default:
    /// latchkey.db in the data folder].
    #[arg(long = "database-url", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// The key of the keys' digests, at least 32 bytes [default: a file in the data folder].
    #[arg(long = "latchkey-pepper", env = "LATCHKEY_PEPPER", hide_env_values = true)]
    pub pepper: Option<String>,
}

/// The database's URL holds a password.
impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

impl Storage {
    /// The database's URL.
    pub fn database_url(&self) -> String {
        set(self.database_url.as_deref()).map_or_else(
            || format!("sqlite://{}", self.data_dir.join("latchkey.db").display()),
            str::to_owned,
        )
    }

    /// The file that the pepper is in unless it is set.
    pub fn pepper_file(&self) -> PathBuf {
        self.data_dir.join("pepper")
    }
}

/// What a setting says; one that is empty says nothing.
pub(crate) fn set(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|text| !text.is_empty())
}

/// The settings of `latchkey serve`.
#[derive(Clone, Args)]
pub struct Settings {
    /// The address and port to listen on.
    #[arg(long = "latchkey-listen", env = "LATCHKEY_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,

    /// The URL that people and GitHub reach this server at [default: http:// and the listen
    /// address].
    #[arg(long = "latchkey-public-url", env = "LATCHKEY_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// Where what is stored is.
    #[command(flatten)]
    pub storage: Storage,

    /// A Redis or Valkey through which nodes share limits per minute,
    /// `redis://:password@host:6379/0` or `rediss://…` [default: each node limits for itself].
    #[arg(long = "redis-url", env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,

    /// Where `/metrics` is, for Prometheus: an address and port that the public can’t reach, or
    /// `off` [default: 127.0.0.1:9464, unless that is taken].
    #[arg(long = "latchkey-metrics-listen", env = "LATCHKEY_METRICS_LISTEN")]
    pub metrics_listen: Option<String>,

    /// A PostgreSQL URL that leads past a pooler that can’t `LISTEN`, as PgBouncer can’t with
    /// `pool_mode = transaction` [default: the database’s own URL].
    #[arg(long = "database-direct-url", env = "DATABASE_DIRECT_URL", hide_env_values = true)]
    pub database_direct_url: Option<String>,

    /// The client id of the GitHub OAuth app. Without one, where listen address and public URL are
    /// loopback, sign-in is local, by the code that the log shows.
    #[arg(long = "latchkey-github-client-id", env = "LATCHKEY_GITHUB_CLIENT_ID")]
    pub github_client_id: Option<String>,

    /// The client secret of the GitHub OAuth app.
    #[arg(
        long = "latchkey-github-client-secret",
        env = "LATCHKEY_GITHUB_CLIENT_SECRET",
        hide_env_values = true
    )]
    pub github_client_secret: Option<String>,

    /// Where GitHub is; change it for GitHub Enterprise.
    #[arg(
        long = "latchkey-github-url",
        env = "LATCHKEY_GITHUB_URL",
        default_value = "https://github.com"
    )]
    pub github_url: String,

    /// Where GitHub's API is; change it for GitHub Enterprise.
    #[arg(
        long = "latchkey-github-api-url",
        env = "LATCHKEY_GITHUB_API_URL",
        default_value = "https://api.github.com"
    )]
    pub github_api_url: String,

    /// The instance's administrators, separated by commas: GitHub logins, or `id:` and the number
    /// of a GitHub account. A login counts for the account that first signs in with it, for good,
    /// also if it is taken out and named again. None: nobody, except the local developer.
    #[arg(long = "latchkey-admins", env = "LATCHKEY_ADMINS", value_delimiter = ',')]
    pub admins: Vec<String>,

    /// Who may sign in.
    #[arg(long = "latchkey-signup", env = "LATCHKEY_SIGNUP", value_enum, default_value_t)]
    pub signup: SignupSetting,

    /// What access tokens are signed with, at least 32 bytes [default: a file in the data folder].
    #[arg(long = "latchkey-jwt-secret", env = "LATCHKEY_JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<String>,

    /// Seconds that an access token is good.
    #[arg(
        long = "latchkey-access-token-ttl",
        env = "LATCHKEY_ACCESS_TOKEN_TTL",
        default_value_t = 900,
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub access_token_ttl: u64,

    /// Seconds that a refresh token is good.
    #[arg(
        long = "latchkey-refresh-token-ttl",
        env = "LATCHKEY_REFRESH_TOKEN_TTL",
        default_value_t = 2_592_000,
        value_parser = clap::value_parser!(u64).range(1..=31_536_000)
    )]
    pub refresh_token_ttl: u64,

    /// Changes that a person or a service key may make in a minute, on each node.
    #[arg(
        long = "latchkey-writes-per-minute",
        env = "LATCHKEY_WRITES_PER_MINUTE",
        default_value_t = 600,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000_000)
    )]
    pub writes_per_minute: u64,

    /// Seconds until a session ends, however often it was renewed.
    #[arg(
        long = "latchkey-session-ttl",
        env = "LATCHKEY_SESSION_TTL",
        default_value_t = 7_776_000,
        value_parser = clap::value_parser!(u64).range(1..=315_360_000)
    )]
    pub session_ttl: u64,

    /// The code that local sign-in wants; the log shows it as a link [default: random at each
    /// start].
    #[arg(long = "latchkey-local-code", env = "LATCHKEY_LOCAL_CODE", hide_env_values = true)]
    pub local_code: Option<String>,

    /// A TOML file that names the upstreams of the gateway [default: the built-in sandbox alone].
    #[arg(long = "latchkey-upstreams", env = "LATCHKEY_UPSTREAMS")]
    pub upstreams: Option<PathBuf>,

    /// Seconds that an upstream may take to its first byte.
    #[arg(
        long = "latchkey-upstream-timeout",
        env = "LATCHKEY_UPSTREAM_TIMEOUT",
        default_value_t = 600,
        value_parser = clap::value_parser!(u64).range(1..=3_600)
    )]
    pub upstream_timeout: u64,

    /// Networks of proxies whose X-Forwarded-For and Forwarded are believed, separated by commas.
    /// Where a request has both, they have to name the same address.
    #[arg(
        long = "latchkey-trusted-proxies",
        env = "LATCHKEY_TRUSTED_PROXIES",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<Cidr>,

    /// Origins whose pages may call ingest and the gateway from a browser, separated by commas,
    /// e.g. `https://shop.example`; `*` means all [default: none].
    #[arg(long = "latchkey-cors-origins", env = "LATCHKEY_CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<String>,

    /// Whom to tell of a weakness: an address of mail, or a URI. `/.well-known/security.txt` names
    /// it [default: there is no such file].
    #[arg(long = "latchkey-security-contact", env = "LATCHKEY_SECURITY_CONTACT")]
    pub security_contact: Option<String>,

    /// What cargo-leptos says, if it started the server.
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

/// What cargo-leptos says of the site that it has built.
#[derive(Debug, Clone, Default, Args)]
pub struct CargoLeptos {
    /// What the site's files are called; there is no hash in their names.
    #[arg(long = "leptos-output-name", env = "LEPTOS_OUTPUT_NAME", hide = true)]
    pub output_name: Option<String>,

    /// Whether it watches, and says so on that port when it has built anew.
    #[arg(long = "leptos-watch", env = "LEPTOS_WATCH", hide = true)]
    pub watch: bool,

    /// The port.
    #[arg(
        long = "leptos-reload-port",
        env = "LEPTOS_RELOAD_PORT",
        hide = true,
        default_value_t = 3001
    )]
    pub reload_port: u16,
}

/// Who may sign in for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SignupSetting {
    /// Anybody.
    #[default]
    Open,
    /// Administrators, and people who were invited.
    Invited,
}
