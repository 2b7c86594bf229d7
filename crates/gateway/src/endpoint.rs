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
    Rerank,
    Moderations,
    Images,
    Speech,
    Transcriptions,
    Translations,
}

impl Endpoint {
    pub(super) const ALL: [Self; 14] = [
        Self::Chat,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::CompactResponse,
        Self::Messages,
        Self::CountTokens,
        Self::InputTokens,
        Self::Rerank,
        Self::Moderations,
        Self::Images,
        Self::Speech,
        Self::Transcriptions,
        Self::Translations,
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
            Self::Rerank => "/rerank",
            Self::Moderations => "/moderations",
            Self::Images => "/images/generations",
            Self::Speech => "/audio/speech",
            Self::Transcriptions => "/audio/transcriptions",
            Self::Translations => "/audio/translations",
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
            Self::Rerank => EndpointGroup::Rerank,
            Self::Moderations => EndpointGroup::Moderations,
            Self::Images => EndpointGroup::Images,
            Self::Speech | Self::Transcriptions | Self::Translations => EndpointGroup::Audio,
        }
    }

    /// Name of the field that holds the prompt.
    pub(super) const fn prompt(self) -> &'static str {
        match self {
            Self::Chat | Self::Messages | Self::CountTokens => "messages",
            Self::Completions | Self::Images | Self::Transcriptions | Self::Translations => {
                "prompt"
            }
            Self::Embeddings
            | Self::Responses
            | Self::CompactResponse
            | Self::InputTokens
            | Self::Moderations
            | Self::Speech => "input",
            Self::Rerank => "documents",
        }
    }

    /// Format in which its clients read errors.
    pub(super) const fn format(self) -> ApiFormat {
        match self {
            Self::Messages | Self::CountTokens => ApiFormat::Anthropic,
            _ => ApiFormat::OpenAi,
        }
    }

    /// Whether the model generates text.
    pub(super) const fn generates(self) -> bool {
        matches!(
            self,
            Self::Chat
                | Self::Completions
                | Self::Responses
                | Self::CompactResponse
                | Self::Messages
        )
    }

    /// Whether it belongs to the Responses API.
    pub(super) const fn is_responses(self) -> bool {
        matches!(self, Self::Responses | Self::CompactResponse | Self::InputTokens)
    }

    /// Whether its answer may be streamed.
    pub(super) const fn streams(self) -> bool {
        self.generates() && !matches!(self, Self::CompactResponse)
    }

    /// Whether a body may have a cap.
    pub(super) const fn is_capped(self) -> bool {
        self.streams()
    }

    /// Whether it is one of the endpoints for media, rankings and moderations. Their answers have
    /// no cap.
    pub(super) const fn is_media(self) -> bool {
        matches!(
            self,
            Self::Rerank
                | Self::Moderations
                | Self::Images
                | Self::Speech
                | Self::Transcriptions
                | Self::Translations
        )
    }

    /// Whether its answers may have completion tokens.
    pub(super) const fn has_completion(self) -> bool {
        self.generates()
            || matches!(
                self,
                Self::Images | Self::Speech | Self::Transcriptions | Self::Translations
            )
    }

    /// Whether its answers are the text of a recording, and its bodies are forms.
    pub(super) const fn is_transcript(self) -> bool {
        matches!(self, Self::Transcriptions | Self::Translations)
    }

    /// Whether a body may leave the model out.
    pub(super) const fn has_default_model(self) -> bool {
        matches!(self, Self::Moderations | Self::Images)
    }

    /// Maximum size of a body.
    pub(super) const fn max_body_bytes(self) -> usize {
        match self {
            Self::Responses
            | Self::CompactResponse
            | Self::Messages
            | Self::CountTokens
            | Self::InputTokens
            | Self::Transcriptions
            | Self::Translations => super::MAX_LARGE_BODY_BYTES,
            _ => super::MAX_BODY_BYTES,
        }
    }
}
