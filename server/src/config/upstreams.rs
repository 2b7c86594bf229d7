//! The upstreams of the gateway, from a TOML file.

use std::collections::HashSet;
use std::fmt;
use std::num::NonZeroU64;
use std::path::Path;

use anyhow::{Context, bail};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::tier::Tier;
use serde::Deserialize;

use super::Audience;

/// The field by which an upstream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapField {
    /// The cap is sent as `max_tokens`.
    MaxTokens,
    /// The cap is sent as `max_completion_tokens`.
    MaxCompletionTokens,
    /// The cap is sent under both names.
    Both,
}

impl CapField {
    /// Field names that carry the cap.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::MaxTokens => &["max_tokens"],
            Self::MaxCompletionTokens => &["max_completion_tokens"],
            Self::Both => &["max_tokens", "max_completion_tokens"],
        }
    }
}

/// The tokenizer of a model, by the name that tiktoken has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Tokenizer {
    /// The encoding `cl100k_base` of OpenAI's older models.
    #[serde(rename = "cl100k_base")]
    Cl100kBase,
    /// The encoding `o200k_base` of OpenAI's newer models.
    #[serde(rename = "o200k_base")]
    O200kBase,
}

/// A server that speaks OpenAI's protocol.
#[derive(Clone)]
pub struct Upstream {
    /// What operators call it.
    pub name: String,
    /// Where its API is, without a slash at the end, e.g. `http://127.0.0.1:8000/v1`.
    pub base_url: String,
    /// What it is called with.
    pub api_key: Option<String>,
    /// Who may use it.
    pub audience: Audience,
    /// Fields that choose a model, host or credential and may pass all the same, in lower case.
    pub pass_fields: Vec<String>,
    /// The field with the cap that it goes by; none: the one that the client used.
    pub cap_field: Option<CapField>,
    /// Whether it stops working when the connection closes.
    pub cancels: bool,
    /// Models that the upstream serves.
    pub models: Vec<Model>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.name)
            .field("base_url", &self.base_url)
            .field("models", &self.models)
            .finish_non_exhaustive()
    }
}

/// A model under the name that clients use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "ModelEntry")]
pub struct Model {
    /// The name that clients use.
    pub id: String,
    /// The name that the upstream uses.
    pub upstream: String,
    /// The most tokens of an answer, if it is known.
    pub max_output_tokens: Option<u64>,
    /// Its tokenizer, if it is one of those that are built in.
    pub tokenizer: Option<Tokenizer>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a model name, or { id = …, upstream = …, max_output_tokens = …, \
                 tokenizer = \"cl100k_base\" or \"o200k_base\" }"
)]
enum ModelEntry {
    Plain(String),
    Full {
        id: String,
        upstream: Option<String>,
        max_output_tokens: Option<NonZeroU64>,
        tokenizer: Option<Tokenizer>,
    },
}

impl From<ModelEntry> for Model {
    fn from(entry: ModelEntry) -> Self {
        match entry {
            ModelEntry::Plain(id) => {
                Self { upstream: id.clone(), id, max_output_tokens: None, tokenizer: None }
            }
            ModelEntry::Full { id, upstream, max_output_tokens, tokenizer } => Self {
                upstream: upstream.unwrap_or_else(|| id.clone()),
                id,
                max_output_tokens: max_output_tokens.map(NonZeroU64::get),
                tokenizer,
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    upstream: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    base_url: String,
    api_key_env: Option<String>,
    #[serde(default)]
    tiers: Vec<Tier>,
    #[serde(default)]
    organizations: Vec<OrganizationId>,
    #[serde(default)]
    pass_fields: Vec<String>,
    cap_field: Option<CapField>,
    #[serde(default)]
    cancels: bool,
    models: Vec<Model>,
}

/// Reads the file.
///
/// # Errors
/// It can't be read, or says something that can't be; the message names the file, the line and the
/// key.
pub(super) fn read(path: &Path, people_are_known: bool) -> anyhow::Result<Vec<Upstream>> {
    let file = || format!("LATCHKEY_UPSTREAMS ({})", path.display());
    let text = std::fs::read_to_string(path).with_context(file)?;
    parse(&text, people_are_known, environment).with_context(file)
}

#[expect(clippy::disallowed_methods, reason = "the file names the variables that hold credentials")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn parse(
    text: &str,
    people_are_known: bool,
    environment: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Vec<Upstream>> {
    let file: File = toml::from_str(text)?;
    let (mut names, mut models) = (HashSet::new(), HashSet::new());
    let mut upstreams = Vec::new();
    for entry in file.upstream {
        let of = |key: &str| format!("upstream \"{}\", {key}", entry.name);
        if entry.name.is_empty() || !names.insert(entry.name.clone()) {
            bail!("upstream names must be present and unique: \"{}\"", entry.name);
        }
        let url: reqwest::Url = entry.base_url.parse().with_context(|| of("base_url"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            bail!("{}: use an http:// or https:// URL", of("base_url"));
        }
        if entry.models.is_empty() {
            bail!("{}: list at least one model", of("models"));
        }
        for model in &entry.models {
            if model.id.is_empty() || model.upstream.is_empty() || model.id == "sandbox" {
                bail!("{}: \"{}\" is not a valid model name", of("models"), model.id);
            }
            if !models.insert(model.id.clone()) {
                bail!("{}: \"{}\" is already served", of("models"), model.id);
            }
        }
        let api_key = match &entry.api_key_env {
            None => None,
            Some(name) => Some(
                environment(name)
                    .with_context(|| format!("{}: {name} is not set", of("api_key_env")))?,
            ),
        };
        upstreams.push(Upstream {
            base_url: entry.base_url.trim_end_matches('/').to_owned(),
            name: entry.name,
            api_key,
            audience: Audience::named(entry.tiers, entry.organizations)
                .unwrap_or_else(|| Audience::unnamed(people_are_known)),
            pass_fields: entry.pass_fields.iter().map(|name| name.to_lowercase()).collect(),
            cap_field: entry.cap_field,
            cancels: entry.cancels,
            models: entry.models,
        });
    }
    Ok(upstreams)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        format!("{:#}", parse(text, true, |_| None).unwrap_err())
    }

    #[test]
    fn the_contracts_example_is_read() {
        let text = r#"
            [[upstream]]
            name = "vllm"
            base_url = "http://127.0.0.1:8000/v1/"
            api_key_env = "VLLM_API_KEY"
            tiers = ["pro", "team"]
            organizations = ["org_01h455vb4pex5vsknk084sn02q"]
            pass_fields = ["Service_Tier"]
            cap_field = "both"
            cancels = true
            models = ["bge-m3", { id = "qwen3.6-27b", upstream = "Qwen/Qwen3.6-27B", max_output_tokens = 32768, tokenizer = "o200k_base" }]
        "#;
        let read = parse(text, false, |name| Some(format!("the value of {name}"))).unwrap();
        assert_eq!(read[0].base_url, "http://127.0.0.1:8000/v1");
        assert_eq!(read[0].api_key.as_deref(), Some("the value of VLLM_API_KEY"));
        assert_eq!(
            read[0].audience.to_string(),
            "tiers pro, team; organizations org_01h455vb4pex5vsknk084sn02q"
        );
        assert_eq!(read[0].pass_fields, ["service_tier"]);
        assert_eq!(read[0].models[0].upstream, "bge-m3");
        assert_eq!(read[0].models[1].upstream, "Qwen/Qwen3.6-27B");
        assert_eq!(read[0].models[1].max_output_tokens, Some(32_768));
        assert_eq!(read[0].models[1].tokenizer, Some(Tokenizer::O200kBase));
        assert_eq!((read[0].cap_field, read[0].cancels), (Some(CapField::Both), true));
        assert!(!format!("{read:?}").contains("the value of"), "credentials are not shown");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        assert!(error("[[upstream]]\nname = 7").contains("line 2"));
        assert!(error("[[upstream]]\nname = \"a\"\nurl = \"b\"").contains("unknown field `url`"));
        let upstream = |rest: &str| format!("[[upstream]]\nname = \"a\"\n{rest}");
        for (rest, named) in [
            ("base_url = \"ftp://x\"\nmodels = [\"m\"]", "base_url"),
            ("base_url = \"x\"\nmodels = [\"m\"]", "base_url"),
            ("base_url = \"http://x\"\nmodels = []", "models"),
            ("base_url = \"http://x\"\nmodels = [\"m\", \"m\"]", "\"m\" is already served"),
            ("base_url = \"http://x\"\nmodels = [\"sandbox\"]", "\"sandbox\""),
            ("base_url = \"http://x\"\nmodels = [7]", "expected a model name"),
            (
                "base_url = \"http://x\"\nmodels = [{ id = \"m\", max_output_tokens = 0 }]",
                "expected a model name",
            ),
            (
                "base_url = \"http://x\"\nmodels = [{ id = \"m\", tokenizer = \"gpt2\" }]",
                "cl100k_base",
            ),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\ncap_field = \"x\"", "cap_field"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\ntiers = [\"gold\"]", "gold"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\norganizations = [\"x\"]", "organizations"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\napi_key_env = \"NO\"", "NO is not set"),
        ] {
            let said = error(&upstream(rest));
            assert!(said.contains(named), "{said}");
        }
    }
}
