//! The upstreams of the gateway, from a TOML file.

mod model;

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::tier::Tier;
use latchkey_gateway::{Audience, CapField, EndpointGroup, Model, Upstream, UpstreamKind};
use serde::Deserialize;

use model::ModelEntry;

/// Greatest weight of an upstream.
const MAX_WEIGHT: u32 = 1_000;

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
    #[serde(default)]
    kind: UpstreamKind,
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
    endpoints: Option<Vec<EndpointGroup>>,
    weight: Option<u32>,
    #[serde(default)]
    backup: bool,
    models: Vec<ModelEntry>,
}

/// The upstreams file, which is read again while the server runs.
#[derive(Debug, Clone)]
pub struct UpstreamsFile {
    path: PathBuf,
    people_are_known: bool,
}

impl UpstreamsFile {
    pub(super) const fn new(path: PathBuf, people_are_known: bool) -> Self {
        Self { path, people_are_known }
    }

    /// The text of the file.
    ///
    /// # Errors
    /// It can't be read; the message names the file.
    pub(crate) fn text(&self) -> anyhow::Result<String> {
        std::fs::read_to_string(&self.path).with_context(|| self.name())
    }

    /// Reads the upstreams.
    ///
    /// # Errors
    /// It can't be read, or says something that can't be; the message names the file, the line and
    /// the key.
    pub(crate) fn read(&self) -> anyhow::Result<Vec<Upstream>> {
        let text = self.text()?;
        parse(&text, self.people_are_known, environment).with_context(|| self.name())
    }

    /// Names of the upstreams that anybody may use who signs up, or that name nobody, so that an
    /// administrator opens them by a change of plan.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn open_to_sign_ups(&self) -> anyhow::Result<Vec<String>> {
        let text = self.text()?;
        let file: File = toml::from_str(&text)
            .map_err(|error| located(&error, &text))
            .with_context(|| self.name())?;
        let is_open = |entry: &Entry| {
            let is_unnamed = entry.tiers.is_empty() && entry.organizations.is_empty();
            is_unnamed || entry.tiers.contains(&Tier::Free)
        };
        Ok(file.upstream.into_iter().filter(is_open).map(|entry| entry.name).collect())
    }

    fn name(&self) -> String {
        format!("LATCHKEY_UPSTREAMS ({})", self.path.display())
    }
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
    let file: File = toml::from_str(text).map_err(|error| located(&error, text))?;
    let mut names = HashSet::new();
    let mut upstreams = Vec::new();
    for entry in file.upstream {
        if entry.name.is_empty() || !names.insert(entry.name.clone()) {
            bail!("upstream names must be present and unique: \"{}\"", entry.name);
        }
        upstreams.push(entry.read(people_are_known, &environment)?);
    }
    Ok(upstreams)
}

/// The error with its line and key, but without the value, which may have a credential in its URL.
pub(super) fn located(error: &toml::de::Error, text: &str) -> anyhow::Error {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count();
    let is_bare = |key: &&str| {
        key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    let written = text.lines().nth(line).and_then(|written| written.split_once('='));
    let key = written.map(|(key, _)| key.trim()).filter(is_bare);
    let key = key.map(|key| format!(", {key}")).unwrap_or_default();
    anyhow!("line {}{key}: {}", line + 1, error.message())
}

impl Entry {
    /// Checks an upstream.
    ///
    /// # Errors
    /// A setting is invalid; the message names the upstream and the key.
    fn read(
        self,
        people_are_known: bool,
        environment: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Upstream> {
        let name = self.name;
        let of = |key: &str| format!("upstream \"{name}\", {key}");
        let url: reqwest::Url = self.base_url.parse().with_context(|| of("base_url"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            bail!("{}: use an http:// or https:// URL", of("base_url"));
        }
        let models = read_models(self.models).with_context(|| of("models"))?;
        let api_key = match &self.api_key_env {
            None => None,
            Some(variable) => Some(
                environment(variable)
                    .with_context(|| format!("{}: {variable} is not set", of("api_key_env")))?,
            ),
        };
        let endpoints = self.endpoints.unwrap_or_else(|| EndpointGroup::ALL.to_vec());
        if endpoints.is_empty() {
            bail!("{}: list at least one endpoint", of("endpoints"));
        }
        let weight = self.weight.unwrap_or(1);
        if !(1..=MAX_WEIGHT).contains(&weight) {
            bail!("{}: use a whole number from 1 to {MAX_WEIGHT}", of("weight"));
        }
        Ok(Upstream {
            base_url: self.base_url.trim_end_matches('/').to_owned(),
            kind: self.kind,
            api_key,
            audience: Audience::named(self.tiers, self.organizations)
                .unwrap_or_else(|| Audience::unnamed(people_are_known)),
            pass_fields: self.pass_fields.iter().map(|name| name.to_lowercase()).collect(),
            cap_field: self.cap_field,
            cancels: self.cancels,
            endpoints,
            weight,
            backup: self.backup,
            models,
            name,
        })
    }
}

/// Checks the models of an upstream. Another upstream may serve the same models.
///
/// # Errors
/// There are none, or one is invalid or listed twice.
fn read_models(entries: Vec<ModelEntry>) -> anyhow::Result<Vec<Model>> {
    if entries.is_empty() {
        bail!("list at least one model");
    }
    let mut names = HashSet::new();
    let mut models = Vec::new();
    for entry in entries {
        let model = entry.read()?;
        if model.id.is_empty() || model.upstream.is_empty() || model.id == "sandbox" {
            bail!("\"{}\" is not a valid model name", model.id);
        }
        if !names.insert(model.id.clone()) {
            bail!("\"{}\" is listed twice", model.id);
        }
        models.push(model);
    }
    Ok(models)
}

#[cfg(test)]
mod tests {
    use latchkey_domain::money::Usd;
    use latchkey_gateway::Tokenizer;

    use super::*;

    fn error(text: &str) -> String {
        format!("{:#}", parse(text, true, |_| None).unwrap_err())
    }

    #[test]
    fn contract_example_is_read() {
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
            kind = "anthropic"
            endpoints = ["messages", "audio"]
            weight = 3
            backup = true
            models = ["bge-m3", { id = "qwen3.6-27b", upstream = "Qwen/Qwen3.6-27B", max_output_tokens = 32768, tokenizer = "o200k_base",
                      price = { input = "0.40", cached_input = "0.10", cache_write = "0.50", output = "1.20", request = "0" } }]
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
        let price = read[0].models[1].price.unwrap();
        assert_eq!(price.cached_input.unwrap().to_string(), "0.1");
        assert_eq!((price.output.to_string(), price.request), ("1.2".to_owned(), Usd::ZERO));
        assert_eq!(read[0].models[0].price, None);
        assert_eq!((read[0].cap_field, read[0].cancels), (Some(CapField::Both), true));
        assert_eq!(read[0].kind, UpstreamKind::Anthropic);
        assert_eq!(read[0].endpoints, [EndpointGroup::Messages, EndpointGroup::Audio]);
        assert_eq!((read[0].weight, read[0].backup), (3, true));
        assert!(!format!("{read:?}").contains("the value of"), "credentials are not shown");
    }

    #[test]
    fn error_names_the_wrong_setting() {
        assert!(error("[[upstream]]\nname = 7").contains("line 2"));
        assert!(error("[[upstream]]\nname = \"a\"\nurl = \"b\"").contains("unknown field `url`"));
        let upstream = |rest: &str| format!("[[upstream]]\nname = \"a\"\n{rest}");
        for (rest, named) in [
            ("base_url = \"ftp://x\"\nmodels = [\"m\"]", "base_url"),
            ("base_url = \"x\"\nmodels = [\"m\"]", "base_url"),
            ("base_url = \"http://x\"\nmodels = []", "models"),
            ("base_url = \"http://x\"\nmodels = [\"m\", \"m\"]", "\"m\" is listed twice"),
            ("base_url = \"http://x\"\nmodels = [\"sandbox\"]", "\"sandbox\""),
            ("base_url = \"http://x\"\nmodels = [7]", "expected a model name"),
            (
                "base_url = \"http://x\"\nmodels = [{ id = \"m\", max_output_tokens = 0 }]",
                "expected a nonzero",
            ),
            (
                "base_url = \"http://x\"\nmodels = [{ id = \"m\", tokenizer = \"gpt2\" }]",
                "cl100k_base",
            ),
            (
                "base_url = \"http://x\"\nmodels = [{ id = \"m\", prices = {} }]",
                "unknown field `prices`",
            ),
            ("base_url = \"http://x\"\nmodels = [{ price = {} }]", "missing field `id`"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\ncap_field = \"x\"", "cap_field"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\ntiers = [\"gold\"]", "tiers: "),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\norganizations = [\"x\"]", "organizations"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\napi_key_env = \"NO\"", "NO is not set"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\nkind = \"gemini\"", "gemini"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\nendpoints = [\"chats\"]", "chats"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\nendpoints = []", "endpoints"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\nweight = 0", "weight: use a whole"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\nweight = 1001", "weight: use a whole"),
        ] {
            let message = error(&upstream(rest));
            assert!(message.contains(named), "{message}");
        }
    }

    #[test]
    fn a_model_may_have_several_upstreams_and_plain_defaults() {
        let upstream = |name: &str| {
            format!("[[upstream]]\nname = \"{name}\"\nbase_url = \"http://x\"\nmodels = [\"m\"]\n")
        };
        let both = parse(&(upstream("a") + &upstream("b")), true, |_| None).unwrap();
        assert_eq!(both.len(), 2);
        assert_eq!((both[0].kind, both[0].weight), (UpstreamKind::OpenAi, 1));
        assert_eq!(
            (both[0].endpoints.as_slice(), both[0].backup),
            (&EndpointGroup::ALL[..], false)
        );
        assert!(error(&(upstream("a") + &upstream("a"))).contains("unique: \"a\""));
    }

    #[test]
    fn error_does_not_show_the_credentials_of_a_url() {
        let text = "[[upstream]]\nname = \"a\"\nbase_url = \"http://u:secret@x\" models = 7";
        let message = error(text);
        assert!(message.contains("line 3") && !message.contains("secret"), "{message}");
    }

    #[test]
    fn prices_are_strings_or_numbers() {
        for price in [
            "{ input = \"0.40\", output = \"1.20\" }",
            "{ input = 0.4, output = 1.2 }",
            "{ output = 1.200000000, input = 0.40, request = 0 }",
        ] {
            let price = read_price(price).unwrap();
            assert_eq!(price.input.billionths(), 400_000_000);
            assert_eq!(price.output.billionths(), 1_200_000_000);
            assert_eq!((price.cached_input, price.cache_write), (None, None));
        }
        let free = read_price("{ input = 1e-9, output = \"0\" }").unwrap();
        assert_eq!((free.input.billionths(), free.output), (1, Usd::ZERO));
    }

    #[test]
    fn bad_price_names_the_upstream_and_the_model() {
        for (price, named) in [
            ("{ input = \"-1\", output = \"1\" }", "price.input: "),
            ("{ input = \"+1\", output = \"1\" }", "price.input: "),
            ("{ input = -1, output = 1 }", "integer `-1`"),
            ("{ input = -0.5, output = 1 }", "price.input: "),
            ("{ input = 1, output = 1e-10 }", "at most 9 decimal places"),
            ("{ input = 1, output = \"0.0000000001\" }", "price.output: "),
            ("{ input = 1, output = nan }", "price.output: "),
            ("{ input = 1, output = inf }", "price.output: "),
            ("{ input = 1, output = \"1e3\" }", "price.output: "),
            ("{ input = 1, output = \"\" }", "price.output: "),
            ("{ input = 1, output = true }", "price.output: "),
            ("{ input = 1, output = 1, cached_input = -1 }", "price.cached_input: "),
            ("{ input = 1, output = 1, inputs = 1 }", "unknown field `inputs`"),
            ("{ output = 1 }", "missing field `input`"),
            ("{ input = 1 }", "missing field `output`"),
            ("\"1\"", "price: "),
        ] {
            let message = format!("{:#}", read_price(price).unwrap_err());
            assert!(message.contains("upstream \"a\", models: \"m\", price"), "{message}");
            assert!(message.contains(named), "{price}: {message}");
            assert!(!message.contains('\n'), "{message}");
        }
        assert!(read_price("{ input = 1e400, output = 1 }").is_err());
    }

    fn read_price(price: &str) -> anyhow::Result<latchkey_domain::price::Price> {
        let text = format!(
            "[[upstream]]\nname = \"a\"\nbase_url = \"http://x\"\n\
             models = [{{ price = {price}, id = \"m\" }}]"
        );
        let upstreams = parse(&text, true, |_| None)?;
        Ok(upstreams[0].models[0].price.unwrap())
    }
}
