//! The upstreams of the gateway, from a TOML file.

mod model;

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, bail};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::tier::Tier;
use latchkey_gateway::{Audience, CapField, Upstream};
use serde::Deserialize;

use model::ModelEntry;

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
    models: Vec<ModelEntry>,
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
        let name = entry.name;
        let of = |key: &str| format!("upstream \"{name}\", {key}");
        if name.is_empty() || !names.insert(name.clone()) {
            bail!("upstream names must be present and unique: \"{name}\"");
        }
        let url: reqwest::Url = entry.base_url.parse().with_context(|| of("base_url"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            bail!("{}: use an http:// or https:// URL", of("base_url"));
        }
        if entry.models.is_empty() {
            bail!("{}: list at least one model", of("models"));
        }
        let mut served = Vec::new();
        for model in entry.models {
            let model = model.read().with_context(|| of("models"))?;
            if model.id.is_empty() || model.upstream.is_empty() || model.id == "sandbox" {
                bail!("{}: \"{}\" is not a valid model name", of("models"), model.id);
            }
            if !models.insert(model.id.clone()) {
                bail!("{}: \"{}\" is already served", of("models"), model.id);
            }
            served.push(model);
        }
        let api_key = match &entry.api_key_env {
            None => None,
            Some(variable) => Some(
                environment(variable)
                    .with_context(|| format!("{}: {variable} is not set", of("api_key_env")))?,
            ),
        };
        upstreams.push(Upstream {
            base_url: entry.base_url.trim_end_matches('/').to_owned(),
            name,
            api_key,
            audience: Audience::named(entry.tiers, entry.organizations)
                .unwrap_or_else(|| Audience::unnamed(people_are_known)),
            pass_fields: entry.pass_fields.iter().map(|name| name.to_lowercase()).collect(),
            cap_field: entry.cap_field,
            cancels: entry.cancels,
            models: served,
        });
    }
    Ok(upstreams)
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
            ("base_url = \"http://x\"\nmodels = [\"m\", \"m\"]", "\"m\" is already served"),
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
            ("base_url = \"http://x\"\nmodels = [\"m\"]\ntiers = [\"gold\"]", "gold"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\norganizations = [\"x\"]", "organizations"),
            ("base_url = \"http://x\"\nmodels = [\"m\"]\napi_key_env = \"NO\"", "NO is not set"),
        ] {
            let message = error(&upstream(rest));
            assert!(message.contains(named), "{message}");
        }
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
