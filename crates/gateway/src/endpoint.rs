//! The endpoints that call a model.

use super::api_format::ApiFormat;
use super::config::EndpointGroup;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Completions,
    Embeddings,
    Responses,
    /// Responses whose answer is a shorter conversation.
    CompactResponse,
    Messages,
    /// How many tokens a message has.
    CountTokens,
    /// How many tokens the input of a response has.
    InputTokens,
}

impl Endpoint {
    pub(super) const ALL: [Self; 8] = [
        Self::Chat,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::CompactResponse,
        Self::Messages,
        Self::CountTokens,
        Self::InputTokens,
    ];

    /// Path below the base URL of an upstream.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Completions => "/completions",
            Self::Embeddings => "/embeddings",
            Self::Responses => "/responses",
            Self::CompactResponse => "/responses/compact",
            Self::Messages => "/messages",
            Self::CountTokens => "/messages/count_tokens",
            Self::InputTokens => "/responses/input_tokens",
        }
    }

    /// The group by which upstreams are configured.
    pub(super) const fn group(self) -> EndpointGroup {
        match self {
            Self::Chat => EndpointGroup::Chat,
            Self::Completions => EndpointGroup::Completions,
            Self::Embeddings => EndpointGroup::Embeddings,
            Self::Responses | Self::CompactResponse | Self::InputTokens => EndpointGroup::Responses,
            Self::Messages | Self::CountTokens => EndpointGroup::Messages,
        }
    }

    /// Name of the field that holds the prompt.
    pub(super) const fn prompt(self) -> &'static str {
        match self {
            Self::Chat | Self::Messages | Self::CountTokens => "messages",
            Self::Completions => "prompt",
            Self::Embeddings | Self::Responses | Self::CompactResponse | Self::InputTokens => {
                "input"
            }
        }
    }

    /// Format in which its clients read errors.
    pub(super) const fn format(self) -> ApiFormat {
        match self {
            Self::Chat
            | Self::Completions
            | Self::Embeddings
            | Self::Responses
            | Self::CompactResponse
            | Self::InputTokens => ApiFormat::OpenAi,
            Self::Messages | Self::CountTokens => ApiFormat::Anthropic,
        }
    }

    /// Whether the model generates text.
    pub(super) const fn generates(self) -> bool {
        match self {
            Self::Chat
            | Self::Completions
            | Self::Responses
            | Self::CompactResponse
            | Self::Messages => true,
            Self::Embeddings | Self::CountTokens | Self::InputTokens => false,
        }
    }

    /// Whether it belongs to the Responses API.
    pub(super) const fn is_responses(self) -> bool {
        matches!(self, Self::Responses | Self::CompactResponse)
    }

    /// Whether its answer may be streamed.
    pub(super) const fn streams(self) -> bool {
        self.generates() && !matches!(self, Self::CompactResponse)
    }

    /// Whether a body may have a cap.
    pub(super) const fn is_capped(self) -> bool {
        self.streams()
    }

    /// Maximum size of a body.
    pub(super) const fn max_body_bytes(self) -> usize {
        match self {
            Self::Chat | Self::Completions | Self::Embeddings => super::MAX_BODY_BYTES,
            Self::Responses
            | Self::CompactResponse
            | Self::Messages
            | Self::CountTokens
            | Self::InputTokens => super::MAX_LARGE_BODY_BYTES,
        }
    }
}
