//! A member of `models` in the upstreams file: a name, or a table.
//!
//! The price is parsed after the file, so that its errors name the upstream and the model.

use std::fmt;
use std::num::NonZeroU64;

use anyhow::anyhow;
use latchkey_domain::price::Price;
use latchkey_gateway::{Model, Tokenizer};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// A model as it is written in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelTable {
    id: String,
    upstream: Option<String>,
    max_output_tokens: Option<NonZeroU64>,
    tokenizer: Option<Tokenizer>,
    price: Option<toml::Value>,
}

/// A model whose price is not parsed yet.
#[derive(Debug)]
pub(super) struct ModelEntry(ModelTable);

impl ModelEntry {
    /// Parses the price.
    ///
    /// # Errors
    /// The price is invalid; the message names the model and the member.
    pub(super) fn read(self) -> anyhow::Result<Model> {
        let ModelTable { id, upstream, max_output_tokens, tokenizer, price } = self.0;
        let price = price
            .map(|value| parse_price(value).map_err(|error| anyhow!("\"{id}\", {error}")))
            .transpose()?;
        Ok(Model {
            upstream: upstream.unwrap_or_else(|| id.clone()),
            id,
            max_output_tokens: max_output_tokens.map(NonZeroU64::get),
            tokenizer,
            price,
        })
    }
}

/// Parses a price. The error starts with the path of the wrong member, e.g. `price.input`.
fn parse_price(value: toml::Value) -> Result<Price, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().message();
        // The path of the price itself is a dot.
        if path == "." { format!("price: {message}") } else { format!("price.{path}: {message}") }
    })
}

impl<'de> Deserialize<'de> for ModelEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ModelVisitor).map(Self)
    }
}

/// Written by hand: an untagged enum would hide what is wrong with a table.
struct ModelVisitor;

impl<'de> Visitor<'de> for ModelVisitor {
    type Value = ModelTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a model name, or { id = …, upstream = …, max_output_tokens = …, tokenizer = …, \
             price = { input = …, output = … } }",
        )
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<ModelTable, E> {
        Ok(ModelTable {
            id: name.to_owned(),
            upstream: None,
            max_output_tokens: None,
            tokenizer: None,
            price: None,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<ModelTable, A::Error> {
        ModelTable::deserialize(MapAccessDeserializer::new(members))
    }
}
