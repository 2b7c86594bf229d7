//! What is wrong or unsafe about settings, found without starting a server and without creating a
//! file.

use anyhow::Context;
use latchkey_checker::RedisUrl;
use latchkey_services::SqliteFiles;
use latchkey_services::accounts::Administrators;

use super::{
    CorsOrigins, MetricsListen, PublicUrl, SecurityContact, SignIn, UpstreamsFile, sign_in,
};
use crate::cli::{Settings, SignupSetting, set};

/// Least length of a secret, in bytes.
const MIN_SECRET_BYTES: usize = 32;

/// Sentences about settings.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// A server would not start.
    pub(crate) invalid: Vec<String>,
    /// A server would start, and should not be left like that.
    pub(crate) unsafe_settings: Vec<String>,
}

impl Findings {
    /// The value; or the error, as something invalid.
    fn valid<T>(&mut self, value: anyhow::Result<T>) -> Option<T> {
        value.map_err(|error| self.invalid.push(format!("{error:#}"))).ok()
    }
}

/// Looks at everything that can be judged by the settings alone.
pub(crate) fn examine(settings: &Settings) -> Findings {
    let mut findings = Findings::default();
    examine_address(settings, &mut findings);
    examine_metrics(settings, &mut findings);
    examine_rest(settings, &mut findings);
    findings
}

/// Where people reach the server, how they sign in, and what those may spend who sign up.
fn examine_address(settings: &Settings, findings: &mut Findings) {
    let public_url = match &settings.public_url {
        Some(url) => {
            let url = url.parse::<PublicUrl>();
            findings.valid(url.context("LATCHKEY_PUBLIC_URL"))
        }
        None => Some(PublicUrl::of_listener(settings.listen)),
    };
    let Some(public_url) = public_url else { return };
    if !public_url.is_https() && !public_url.is_loopback() {
        findings.unsafe_settings.push(format!(
            "no TLS: keys and sessions reach {public_url} in clear text. Put a proxy with TLS in \
             front of the server, and set LATCHKEY_PUBLIC_URL to its https:// URL"
        ));
    }
    let Some(sign_in) = findings.valid(sign_in(settings, &public_url)) else { return };
    let is_open = matches!(sign_in, SignIn::Github(_)) && settings.signup == SignupSetting::Open;
    let Some(path) = &settings.upstreams else { return };
    let file = UpstreamsFile::new(path.clone(), !is_open);
    findings.valid(file.read().map(|_| ()));
    let Ok(open) = file.open_to_sign_ups() else { return };
    if is_open && !open.is_empty() {
        findings.unsafe_settings.push(format!(
            "open sign-up with paid upstreams: anybody with a GitHub account may sign up, and \
             these upstreams do not say whom they serve, or serve Free: {}. Set LATCHKEY_SIGNUP to \
             invited, or list `tiers` or `organizations` for each of them",
            open.join(", ")
        ));
    }
}

fn examine_metrics(settings: &Settings, findings: &mut Findings) {
    let setting = settings.metrics_listen.as_deref();
    let Some(metrics) = findings.valid(MetricsListen::parse(setting, settings.listen)) else {
        return;
    };
    if let MetricsListen::At(address) = metrics
        && !metrics.is_private()
    {
        findings.unsafe_settings.push(format!(
            "metrics are public: {address} is no address of this machine or of a private network \
             alone, and whoever reaches it reads names of upstreams and all counters. Set \
             LATCHKEY_METRICS_LISTEN to 127.0.0.1:9464, or to a private address"
        ));
    }
}

fn examine_rest(settings: &Settings, findings: &mut Findings) {
    let files = SqliteFiles::named(&settings.storage.database_url());
    findings.valid(files.context("DATABASE_URL"));
    findings.valid(CorsOrigins::parse(&settings.cors_origins));
    if let Some(contact) = set(settings.security_contact.as_deref()) {
        let contact = contact.parse::<SecurityContact>();
        findings.valid(contact.context("LATCHKEY_SECURITY_CONTACT"));
    }
    let administrators = Administrators::parse(settings.admins.iter().map(String::as_str));
    findings.valid(administrators.context("LATCHKEY_ADMINS"));
    if let Some(url) = set(settings.redis_url.as_deref()) {
        findings.valid(RedisUrl::new(url).context("REDIS_URL"));
    }
    let secrets = [
        ("LATCHKEY_JWT_SECRET", &settings.jwt_secret),
        ("LATCHKEY_PEPPER", &settings.storage.pepper),
        ("LATCHKEY_JWT_SECRET_RETIRED", &settings.jwt_secret_retired),
        ("LATCHKEY_PEPPER_RETIRED", &settings.storage.pepper_retired),
    ];
    for (name, secret) in secrets {
        let length = secret.as_deref().map_or(0, str::len);
        if length > 0 && length < MIN_SECRET_BYTES {
            let sentence =
                format!("{name} has {length} bytes; at least {MIN_SECRET_BYTES} are required");
            findings.invalid.push(sentence);
        }
    }
}
