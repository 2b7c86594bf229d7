//! The gateway's settings. The server reads them from its environment and the upstreams file.

use std::fmt;
use std::time::Duration;

use latchkey_domain::price::Price;
use serde::Deserialize;

use super::audience::Audience;

/// Settings of the gateway.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Upstreams and their models, in the order of the file.
    pub upstreams: Vec<Upstream>,
    /// How long an upstream may take to send its first byte.
    pub upstream_timeout: Duration,
    /// Maximum number of concurrent calls to upstreams. Each needs a connection.
    pub max_calls: usize,
    /// Maximum number of idle connections, over all upstreams.
    pub max_idle_connections: usize,
}

/// The request field by which an upstream limits the output tokens.
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

/// How an upstream is sent our credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamKind {
    /// As a bearer token.
    #[default]
    OpenAi,
    /// In `x-api-key`, beside `anthropic-version`.
    Anthropic,
}

/// A group of endpoints that an upstream may be configured to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointGroup {
    /// Chat completions.
    Chat,
    /// The older completions of a prompt.
    Completions,
    /// Vectors of texts.
    Embeddings,
    /// `/responses` and what is below it.
    Responses,
    /// `/messages` and what is below it.
    Messages,
    /// Documents in the order of their relevance.
    Rerank,
    /// Whether texts and pictures are harmful.
    Moderations,
    /// `/images/generations`
    Images,
    /// `/audio/speech`, `/audio/transcriptions` and `/audio/translations`.
    Audio,
}

impl EndpointGroup {
    /// All groups, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Chat,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::Messages,
        Self::Rerank,
        Self::Moderations,
        Self::Images,
        Self::Audio,
    ];

    /// Name in the upstreams file and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Rerank => "rerank",
            Self::Moderations => "moderations",
            Self::Images => "images",
            Self::Audio => "audio",
        }
    }
}

/// An upstream: a server with an API like OpenAI's or Anthropic's.
#[derive(Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Name in logs, in `/readyz` and in `GET /v1/upstreams`.
    pub name: String,
    /// How it is sent our credentials.
    pub kind: UpstreamKind,
    /// Base URL of its API without a trailing slash, e.g. `http://127.0.0.1:8000/v1`.
    pub base_url: String,
    /// API key that calls to it carry.
    pub api_key: Option<String>,
    /// Organizations that may use it.
    pub audience: Audience,
    /// Lower-case names of fields that are passed on although they choose a model, host or
    /// credential.
    pub pass_fields: Vec<String>,
    /// Field that carries the cap. None: the field that the client used.
    pub cap_field: Option<CapField>,
    /// Whether it stops generating when the connection closes.
    pub cancels: bool,
    /// Endpoints that it serves.
    pub endpoints: Vec<EndpointGroup>,
    /// Its share of the calls among the upstreams of a model.
    pub weight: u32,
    /// Whether it is called only if no other upstream of the model can serve the call.
    pub backup: bool,
    /// Models that the upstream serves.
    pub models: Vec<Model>,
}

/// Without the API key, and without the URL, which may have credentials too.
impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("models", &self.models)
            .finish_non_exhaustive()
    }
}

/// A model, by the name that clients use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name that clients use.
    pub id: String,
    /// The name that the upstream uses.
    pub upstream: String,
    /// Maximum output tokens of the model, if known.
    pub max_output_tokens: Option<u64>,
    /// The model's tokenizer, if it is a built-in one.
    pub tokenizer: Option<Tokenizer>,
    /// What it costs, if known. Without a price, calls under a spend limit are refused.
    pub price: Option<Price>,
}
