//! The standard variables of OpenTelemetry, as far as they are supported. What is wrong with one is
//! said before the server starts; the SDK would go on without it.
//!
//! Endpoints and headers are secret: no message has their values. Headers, compression, batches,
//! samplers and the resource are only checked here, and read by the SDK.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use axum::http::{HeaderName, HeaderValue, Uri};
use opentelemetry_otlp::Protocol;
use percent_encoding::percent_decode_str;

use crate::invocation::{LayeredSetting, SettingSource};

/// Where a collector is if only an exporter is chosen.
const DEFAULT_ENDPOINT: &str = "http://localhost:4318";
const DEFAULT_TIMEOUT_MS: u64 = 10_000;
const DEFAULT_QUEUE: usize = 2_048;
/// Each span or log record in a queue is about a kilobyte.
const LARGEST_QUEUE: usize = 1_000_000;
/// Variables whose values may be shown.
const PLAIN: [&str; 29] = [
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_TRACES_EXPORTER",
    "OTEL_LOGS_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_PROPAGATORS",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BLRP_SCHEDULE_DELAY",
    "OTEL_BLRP_MAX_QUEUE_SIZE",
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BLRP_EXPORT_TIMEOUT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
];
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

/// Where a collector is, which may have a secret in it.
pub(super) struct Endpoint(String);

impl Endpoint {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint(..)")
    }
}

/// What is exported, and how.
#[derive(Debug, Default)]
pub(super) struct OtelSettings {
    /// None if traces are not exported.
    pub(super) traces: Option<SignalSettings>,
    /// None if logs are not exported.
    pub(super) logs: Option<SignalSettings>,
}

/// How traces or logs are exported.
#[derive(Debug)]
pub(super) struct SignalSettings {
    pub(super) endpoint: Endpoint,
    pub(super) protocol: Protocol,
    /// For an export with all its tries.
    pub(super) timeout: Duration,
    /// Spans or log records that may wait.
    pub(super) max_queue: usize,
}

/// Traces or logs, as variables and paths call them.
struct ExportedSignal {
    name: &'static str,
    path: &'static str,
    batches: &'static str,
}

const TRACES: ExportedSignal =
    ExportedSignal { name: "TRACES", path: "/v1/traces", batches: "OTEL_BSP" };
const LOGS: ExportedSignal =
    ExportedSignal { name: "LOGS", path: "/v1/logs", batches: "OTEL_BLRP" };

/// The variables that are set to something.
struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl OtelSettings {
    /// Reads the variables of the process.
    #[expect(clippy::disallowed_methods, reason = "standard variables are no settings of ours")]
    pub(super) fn of_process() -> anyhow::Result<Self> {
        Self::read(&|name| std::env::var(name).ok())
    }

    fn read(variable: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let variables = Variables(variable);
        let disabled = variables.get("OTEL_SDK_DISABLED");
        if disabled.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Ok(Self::default());
        }
        let traces = variables.signal(&TRACES)?;
        if traces.is_some() {
            variables.check_sampler()?;
        }
        Ok(Self { traces, logs: variables.signal(&LOGS)? })
    }
}

impl Variables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|text| !text.is_empty())
    }

    /// The variable of a signal, or the one for all signals, with its name.
    fn of_signal(&self, signal: &ExportedSignal, end: &str) -> Option<(String, String)> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{end}", signal.name);
        let shared = format!("OTEL_EXPORTER_OTLP_{end}");
        [own, shared].into_iter().find_map(|name| self.get(&name).map(|value| (name, value)))
    }

    fn signal(&self, signal: &ExportedSignal) -> anyhow::Result<Option<SignalSettings>> {
        let name = format!("OTEL_{}_EXPORTER", signal.name);
        let is_chosen = match self.get(&name).as_deref() {
            None => false,
            Some("none") => return Ok(None),
            Some("otlp") => true,
            Some(_) => bail!("{name} must be otlp or none"),
        };
        let Some(endpoint) = self.endpoint(signal, is_chosen)? else { return Ok(None) };
        self.check_headers(signal)?;
        self.check_unsupported(signal)?;
        let [timeout, export_timeout] = self.timeouts(signal)?;
        let max_queue = self.batches(signal)?;
        let protocol = self.protocol(signal)?;
        let timeout = Duration::from_millis(timeout.min(export_timeout));
        Ok(Some(SignalSettings { endpoint, protocol, timeout, max_queue }))
    }

    fn endpoint(
        &self,
        signal: &ExportedSignal,
        is_chosen: bool,
    ) -> anyhow::Result<Option<Endpoint>> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.name);
        let shared = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let of_base = |base: &str| format!("{}{}", base.trim_end_matches('/'), signal.path);
        let (name, endpoint) = if let Some(endpoint) = self.get(&own) {
            (own.as_str(), endpoint)
        } else if let Some(base) = self.get(shared) {
            let has_query = base.contains(['?', '#']);
            ensure!(!has_query, "{shared} must be a URL without a query; set {own} instead");
            (shared, of_base(&base))
        } else if is_chosen {
            (shared, of_base(DEFAULT_ENDPOINT))
        } else {
            return Ok(None);
        };
        let url = reqwest::Url::parse(&endpoint).ok().filter(reqwest::Url::has_host);
        let is_web = url.as_ref().is_some_and(|url| matches!(url.scheme(), "http" | "https"));
        ensure!(
            is_web && Uri::from_str(&endpoint).is_ok(),
            "{name} must be an http:// or https:// URL"
        );
        let has_credentials =
            url.is_some_and(|url| !url.username().is_empty() || url.password().is_some());
        ensure!(
            !has_credentials,
            "{name} has credentials; put them into OTEL_EXPORTER_OTLP_HEADERS"
        );
        Ok(Some(Endpoint(endpoint)))
    }

    fn protocol(&self, signal: &ExportedSignal) -> anyhow::Result<Protocol> {
        let Some((name, protocol)) = self.of_signal(signal, "PROTOCOL") else {
            return Ok(Protocol::HttpBinary);
        };
        match protocol.as_str() {
            "http/protobuf" => Ok(Protocol::HttpBinary),
            "http/json" => Ok(Protocol::HttpJson),
            "grpc" => bail!(
                "{name}=grpc is not supported; set it to http/protobuf, and the endpoint to the \
                 collector's port for HTTP, usually 4318"
            ),
            _ => bail!("{name} must be http/protobuf or http/json"),
        }
    }

    /// Headers that the exporter would leave out without a word.
    fn check_headers(&self, signal: &ExportedSignal) -> anyhow::Result<()> {
        let Some((name, headers)) = self.of_signal(signal, "HEADERS") else { return Ok(()) };
        for (index, header) in headers.split_terminator(',').enumerate() {
            let number = index + 1;
            let wrong = || anyhow!("header {number} of {name} must be NAME=VALUE, percent-encoded");
            let (key, value) = header.split_once('=').ok_or_else(wrong)?;
            let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| wrong())?;
            HeaderName::try_from(key.trim()).map_err(|_| wrong())?;
            if value.is_empty() || HeaderValue::from_str(&value).is_err() {
                return Err(wrong());
            }
        }
        Ok(())
    }

    fn check_unsupported(&self, signal: &ExportedSignal) -> anyhow::Result<()> {
        for end in ["CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"] {
            if let Some((name, _)) = self.of_signal(signal, end) {
                bail!(
                    "{name} is not supported: a collector's certificate must be of an authority \
                     that this machine trusts, and credentials are headers"
                );
            }
        }
        match self.of_signal(signal, "COMPRESSION") {
            Some((name, value)) if !matches!(value.as_str(), "gzip" | "none") => {
                bail!("{name} must be gzip or none")
            }
            _ => Ok(()),
        }
    }

    /// Of a request, and of an export, in milliseconds.
    fn timeouts(&self, signal: &ExportedSignal) -> anyhow::Result<[u64; 2]> {
        let of_request = match self.of_signal(signal, "TIMEOUT") {
            Some((name, value)) => number(&name, &value, 1, 600_000)?,
            None => DEFAULT_TIMEOUT_MS,
        };
        let name = format!("{}_EXPORT_TIMEOUT", signal.batches);
        let of_export = self.number(&name, 1, 600_000)?.unwrap_or(of_request);
        Ok([of_request, of_export])
    }

    /// Checks how batches are made. Returns how many items may wait.
    fn batches(&self, signal: &ExportedSignal) -> anyhow::Result<usize> {
        let name = |end: &str| format!("{}_{end}", signal.batches);
        let largest = u64::try_from(LARGEST_QUEUE).unwrap_or(u64::MAX);
        self.number(&name("SCHEDULE_DELAY"), 1, 600_000)?;
        self.number(&name("MAX_EXPORT_BATCH_SIZE"), 1, largest)?;
        let max_queue = self.number(&name("MAX_QUEUE_SIZE"), 1, largest)?;
        Ok(max_queue.and_then(|max| usize::try_from(max).ok()).unwrap_or(DEFAULT_QUEUE))
    }

    fn check_sampler(&self) -> anyhow::Result<()> {
        const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
        let Some(sampler) = self.get("OTEL_TRACES_SAMPLER") else { return Ok(()) };
        ensure!(
            SAMPLERS.contains(&sampler.as_str()),
            "OTEL_TRACES_SAMPLER must be one of {}",
            SAMPLERS.join(", ")
        );
        if sampler.ends_with("traceidratio") {
            let ratio = self.get(ARGUMENT).and_then(|text| text.parse::<f64>().ok());
            let is_ratio = ratio.is_some_and(|ratio| (0.0..=1.0).contains(&ratio));
            ensure!(is_ratio, "{ARGUMENT} must be a number from 0 to 1 for {sampler}");
        }
        Ok(())
    }

    fn number(&self, name: &str, least: u64, most: u64) -> anyhow::Result<Option<u64>> {
        self.get(name).map(|text| number(name, &text, least, most)).transpose()
    }
}

fn number(name: &str, text: &str, least: u64, most: u64) -> anyhow::Result<u64> {
    let number = text.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| anyhow!("{name} must be a whole number from {least} to {most}"))
}

/// What is wrong with the variables of the process, if anything is.
pub(crate) fn problem() -> Option<String> {
    OtelSettings::of_process().err().map(|error| error.to_string())
}

/// The standard variables that are set, by name.
pub(crate) fn set_variables() -> Vec<LayeredSetting> {
    let texts = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("OTEL_"))?;
        Some((name, value.to_string_lossy().into_owned()))
    });
    let mut variables: Vec<_> = texts
        .map(|(name, value)| LayeredSetting {
            is_secret: !PLAIN.contains(&name.as_str()),
            name,
            source: SettingSource::Variable,
            value: Some(value),
            stand_in: None,
        })
        .collect();
    variables.sort_by(|one, other| one.name.cmp(&other.name));
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/a/");

    fn read(variables: &[(&str, &str)]) -> anyhow::Result<OtelSettings> {
        OtelSettings::read(&|wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn endpoints(variables: &[(&str, &str)]) -> [Option<String>; 2] {
        let OtelSettings { traces, logs } = read(variables).unwrap();
        [traces, logs].map(|signal| signal.map(|signal| signal.endpoint.expose().to_owned()))
    }

    #[test]
    fn nothing_is_exported_without_an_endpoint_or_exporter() {
        let named = ("OTEL_SERVICE_NAME", "x");
        let disabled = ("OTEL_SDK_DISABLED", "TRUE");
        let none = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
        for variables in
            [vec![], vec![named], vec![ENDPOINT, disabled], vec![ENDPOINT, none[0], none[1]]]
        {
            assert_eq!(endpoints(&variables), [None, None], "{variables:?}");
        }
    }

    #[test]
    fn own_endpoint_wins_and_is_taken_as_it_is() {
        let [traces, logs] = endpoints(&[ENDPOINT]);
        assert_eq!(traces.as_deref(), Some("http://127.0.0.1:4318/a/v1/traces"));
        assert_eq!(logs.as_deref(), Some("http://127.0.0.1:4318/a/v1/logs"));
        let own = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://b.example/x?y=z");
        assert_eq!(endpoints(&[ENDPOINT, own])[1].as_deref(), Some(own.1));
        assert_eq!(endpoints(&[own])[0], None);
        let [traces, logs] = endpoints(&[("OTEL_TRACES_EXPORTER", "otlp")]);
        assert_eq!(traces.as_deref(), Some("http://localhost:4318/v1/traces"));
        assert_eq!(logs, None);
    }

    #[test]
    fn wrong_values_are_refused_by_name_and_not_shown() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "sesame"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,sesame key=c"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=sesame%0A"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "sesame"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://sesame"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://sesame:b@c.example/v1/traces"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/sesame.pem"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_TRACES_EXPORTER", "console"),
            ("OTEL_TRACES_SAMPLER", "sesame"),
            ("OTEL_BSP_SCHEDULE_DELAY", "0"),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "-1"),
        ] {
            let error = format!("{:#}", read(&[ENDPOINT, (name, value)]).unwrap_err());
            assert!(error.contains(name) && !error.contains("sesame"), "{error}");
        }
        let ratio = [ENDPOINT, ("OTEL_TRACES_SAMPLER", "traceidratio")];
        assert!(read(&ratio).is_err(), "without an argument");
    }

    #[test]
    fn settings_show_no_endpoint_in_debug_output() {
        let settings = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://sesame.example")]);
        assert!(!format!("{:?}", settings.unwrap()).contains("sesame"));
    }

    #[test]
    fn shorter_timeout_and_wanted_queue_hold() {
        let settings = read(&[
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "500"),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "7"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x, a=b,"),
        ]);
        let OtelSettings { traces, logs } = settings.unwrap();
        let (traces, logs) = (traces.unwrap(), logs.unwrap());
        assert_eq!(traces.timeout, Duration::from_millis(500));
        assert_eq!(logs.timeout, Duration::from_secs(3));
        assert_eq!((traces.max_queue, logs.max_queue), (DEFAULT_QUEUE, 7));
    }
}
