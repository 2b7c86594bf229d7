//! `latchkey keys`.

use std::fmt;
use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use latchkey_domain::api::{KeySort, MAX_GRACE_SECONDS};
use latchkey_domain::id::{ApplicationId, KeyId, ProjectId};
use latchkey_domain::key::{Environment, KeyKind, KeyStatus};
use latchkey_domain::limit::Period;
use latchkey_domain::permission::ServicePermission;
use latchkey_domain::usage::UsageRange;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::budget::{self, BudgetFlag};
use super::remote::{Paging, Remote};

/// Subcommands of `latchkey keys`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List the keys of a project.
    List(Box<ListKeys>),
    /// Show a key.
    Show(OneKey),
    /// Create a key. Standard output gets the secret alone, this once: `KEY=$(latchkey keys create
    /// …)`.
    Create(Box<CreateKey>),
    /// Revoke keys. They stop working at once, for good.
    Revoke(SomeKeys),
    /// Disable keys until they are enabled again.
    Disable(SomeKeys),
    /// Enable disabled keys.
    Enable(SomeKeys),
    /// Replace the secret of a key. Standard output gets the new secret alone, this once.
    Rotate(RotateKey),
    /// Show what a key was used for.
    Usage(KeyUsage),
}

/// Arguments of `latchkey keys list`.
#[derive(Debug, Args)]
pub struct ListKeys {
    /// ID of the project.
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: ProjectId,
    /// Only keys of this kind.
    #[arg(long, value_parser = PossibleValuesParser::new(KeyKind::ALL.map(KeyKind::as_str)))]
    pub(crate) kind: Option<String>,
    /// Only keys of this environment.
    #[arg(long, value_parser = PossibleValuesParser::new(Environment::ALL.map(Environment::as_str)))]
    pub(crate) environment: Option<String>,
    /// Only keys with this status.
    #[arg(long, value_parser = PossibleValuesParser::new(KeyStatus::ALL.map(KeyStatus::as_str)))]
    pub(crate) status: Option<String>,
    /// Only keys of this application.
    #[arg(long, value_name = "APPLICATION")]
    pub(crate) application_id: Option<ApplicationId>,
    /// Only keys with this external ID.
    #[arg(long, value_name = "ID")]
    pub(crate) external_id: Option<String>,
    /// Only keys with this tag.
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// Archived keys too.
    #[arg(long)]
    pub(crate) archived: bool,
    /// Only keys whose name, ID or masked form contains this text.
    #[arg(long, value_name = "TEXT")]
    pub(crate) q: Option<String>,
    /// Order of the list.
    #[arg(long, value_parser = PossibleValuesParser::new(KeySort::ALL.map(KeySort::as_str)))]
    pub(crate) sort: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// A key that is named by its ID.
#[derive(Debug, Args)]
pub struct OneKey {
    /// ID of the key.
    #[arg(value_name = "KEY_ID")]
    pub(crate) id: KeyId,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Keys that are named by their IDs.
#[derive(Debug, Args)]
pub struct SomeKeys {
    /// IDs of the keys.
    #[arg(value_name = "KEY_ID", required = true)]
    pub(crate) ids: Vec<KeyId>,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Arguments of `latchkey keys rotate`.
#[derive(Debug, Args, Serialize)]
pub struct RotateKey {
    /// ID of the key.
    #[arg(value_name = "KEY_ID")]
    #[serde(skip)]
    pub(crate) id: KeyId,
    /// How long the old secret stays valid, in seconds.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(0..=MAX_GRACE_SECONDS)
    )]
    pub(crate) grace_seconds: u64,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) remote: Remote,
}

/// Arguments of `latchkey keys usage`.
#[derive(Debug, Args)]
pub struct KeyUsage {
    /// ID of the key.
    #[arg(value_name = "KEY_ID")]
    pub(crate) id: KeyId,
    /// Time range, which ends now.
    #[arg(
        long,
        default_value = UsageRange::Day.as_str(),
        value_parser = PossibleValuesParser::new(UsageRange::ALL.map(UsageRange::as_str))
    )]
    pub(crate) range: String,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Arguments of `latchkey keys create`, and the body that the API gets.
#[derive(Debug, Args, Serialize)]
pub struct CreateKey {
    /// ID of the project.
    #[arg(long, value_name = "PROJECT")]
    #[serde(skip)]
    pub(crate) project: ProjectId,
    /// Name of the key.
    #[arg(long)]
    name: String,
    /// What the key authenticates.
    #[arg(
        long,
        default_value = KeyKind::Api.as_str(),
        value_parser = PossibleValuesParser::new(KeyKind::ALL.map(KeyKind::as_str))
    )]
    kind: String,
    /// Whether the key is for production or for testing.
    #[arg(
        long,
        default_value = Environment::Live.as_str(),
        value_parser = PossibleValuesParser::new(Environment::ALL.map(Environment::as_str))
    )]
    environment: String,
    /// ID of the application that an API key is restricted to.
    #[arg(long, value_name = "APPLICATION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    application_id: Option<ApplicationId>,
    /// Permission of a service key. Repeat it, or separate several by commas.
    #[arg(
        long = "permission",
        alias = "permissions",
        value_name = "PERMISSION",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(ServicePermission::ALL.map(ServicePermission::as_str))
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    permissions: Vec<String>,
    /// Maximum requests per minute, or `none` in spite of the project's default.
    #[arg(long, value_name = "NUMBER|none")]
    #[serde(skip_serializing_if = "Option::is_none")]
    rpm: Option<LimitFlag>,
    /// Maximum tokens per minute, or `none`.
    #[arg(long, value_name = "NUMBER|none")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tpm: Option<LimitFlag>,
    /// Maximum concurrent gateway calls, or `none` for 64.
    #[arg(long, value_name = "NUMBER|none")]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_parallel: Option<LimitFlag>,
    /// Budget: `unit:limit:period`, e.g. `usd:10.50:month`, or a JSON object, or `none`. The unit
    /// is requests, tokens or usd; the period minute, hour, day, week, month or total. Repeat it
    /// for several.
    #[arg(long = "budget", alias = "budgets", value_name = "UNIT:LIMIT:PERIOD")]
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "budget::serialize")]
    budgets: Vec<BudgetFlag>,
    /// Short form of a budget in tokens.
    #[arg(long, value_name = "TOKENS", requires = "token_limit_period")]
    #[serde(skip_serializing_if = "Option::is_none")]
    token_limit: Option<u64>,
    /// Period of that budget.
    #[arg(
        long,
        value_name = "PERIOD",
        requires = "token_limit",
        value_parser = PossibleValuesParser::new(Period::ALL.map(Period::as_str))
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    token_limit_period: Option<String>,
    /// Short form of a budget in dollars.
    #[arg(long, value_name = "DOLLARS", requires = "spend_limit_period")]
    #[serde(skip_serializing_if = "Option::is_none")]
    spend_limit: Option<String>,
    /// Period of that budget.
    #[arg(
        long,
        value_name = "PERIOD",
        requires = "spend_limit",
        value_parser = PossibleValuesParser::new(Period::ALL.map(Period::as_str))
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    spend_limit_period: Option<String>,
    /// Model that the key may use. Repeat it, or separate several by commas [default: all].
    #[arg(long, alias = "allowed-model", value_name = "MODEL", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_models: Vec<String>,
    /// Network that the key may be used from. Repeat it, or separate several by commas [default:
    /// any].
    #[arg(long, alias = "allowed-cidr", value_name = "CIDR", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_cidrs: Vec<String>,
    /// When the key expires, e.g. `2027-01-31T00:00:00Z` [default: never].
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// Create the key disabled.
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disabled: bool,
    /// Your own ID of whoever uses the key.
    #[arg(long, value_name = "ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// A JSON object of your own, e.g. `{"plan": "gold"}`.
    #[arg(long, value_name = "JSON")]
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<JsonFlag>,
    /// Word to find the key by. Repeat it for several.
    #[arg(long = "tag", alias = "tags", value_name = "TAG")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    /// What an API key may be used for. Repeat it, or separate several by commas.
    #[arg(long = "scope", alias = "scopes", value_name = "SCOPE", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) remote: Remote,
}

/// A limit, or none in spite of the project's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LimitFlag {
    /// No limit.
    None,
    /// At most so many.
    AtMost(u64),
}

impl FromStr for LimitFlag {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self::None);
        }
        text.parse().map(Self::AtMost).map_err(|_| "Use a whole number from 1, or none.")
    }
}

impl Serialize for LimitFlag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::AtMost(number) => serializer.serialize_u64(*number),
        }
    }
}

/// JSON as it was typed.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct JsonFlag(Box<RawValue>);

impl fmt::Debug for JsonFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get())
    }
}

impl FromStr for JsonFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map(Self).map_err(|error| format!("This is no JSON: {error}."))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        create: CreateKey,
    }

    fn body(flags: &[&str]) -> Value {
        let line = ["x", "--project=prj_01h455vb4pex5vsknk084sn02q", "--name=a"];
        let line = Line::try_parse_from(line.iter().chain(flags)).unwrap();
        serde_json::to_value(&line.create).unwrap()
    }

    #[test]
    fn flags_become_the_fields_of_the_api() {
        assert_eq!(body(&[]), json!({"name": "a", "kind": "api", "environment": "live"}));
        let full = body(&[
            "--kind=service",
            "--environment=test",
            "--permission=keys:read,keys:write",
            "--permission=usage:read",
            "--rpm=60",
            "--tpm=none",
            "--max-parallel=3",
            "--budget=tokens:1000:day",
            "--budget",
            r#"{"unit":"usd","limit":"10.50","period":"month"}"#,
            "--allowed-models=a,b",
            "--allowed-cidrs=10.0.0.0/8",
            "--expires-at=2027-01-31T00:00:00Z",
            "--disabled",
            "--external-id=user_1",
            "--metadata",
            r#"{"n":1.50}"#,
            "--tag=a,b",
            "--tag=c",
            "--scope=orders:read,orders:write",
        ]);
        assert_eq!(
            full,
            json!({
                "name": "a", "kind": "service", "environment": "test",
                "permissions": ["keys:read", "keys:write", "usage:read"],
                "rpm": 60, "tpm": null, "max_parallel": 3,
                "budgets": [
                    {"unit": "tokens", "limit": 1000, "period": "day"},
                    {"unit": "usd", "limit": "10.50", "period": "month"},
                ],
                "allowed_models": ["a", "b"], "allowed_cidrs": ["10.0.0.0/8"],
                "expires_at": "2027-01-31T00:00:00Z", "disabled": true, "external_id": "user_1",
                "metadata": {"n": 1.5}, "tags": ["a,b", "c"],
                "scopes": ["orders:read", "orders:write"],
            })
        );
    }

    #[test]
    fn metadata_keeps_its_text() {
        let metadata: JsonFlag = r#"{"n": 12345678901234567890123}"#.parse().unwrap();
        assert_eq!(serde_json::to_string(&metadata).unwrap(), r#"{"n": 12345678901234567890123}"#);
        assert!("{n: 1}".parse::<JsonFlag>().is_err());
    }
}
