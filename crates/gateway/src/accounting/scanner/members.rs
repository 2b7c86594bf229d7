//! What the members of an answer mean, in each form of answers.

use crate::endpoint::Endpoint;

/// Where an answer has the text that the model generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AnswerForm {
    /// As OpenAI’s completions have it, and all answers without text.
    #[default]
    Choices,
    /// In Anthropic's `content`; in events, in `delta` and `content_block`.
    Messages,
    /// In `output` of OpenAI's Responses; in the last events, in `response.output`.
    Responses,
    /// At the top of an OpenAI transcript, in `text` or `delta`.
    Transcript,
}

impl AnswerForm {
    pub(crate) const fn of(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::Messages => Self::Messages,
            Endpoint::Responses | Endpoint::CompactResponse => Self::Responses,
            Endpoint::Transcriptions | Endpoint::Translations => Self::Transcript,
            _ => Self::Choices,
        }
    }

    /// Whether a member inside `depth` objects holds what was generated.
    pub(super) const fn is_root(self, member: Member, depth: usize) -> bool {
        match self {
            Self::Choices => depth == 1 && matches!(member, Member::Choices),
            Self::Messages => depth == 1 && matches!(member, Member::Content | Member::Block),
            Self::Responses => depth <= 2 && matches!(member, Member::Output),
            // All of the answer was generated.
            Self::Transcript => depth == 0,
        }
    }

    /// Whether an object inside `depth` others may be a choice or a content block.
    pub(super) const fn is_choice_depth(self, depth: usize) -> bool {
        match self {
            Self::Choices | Self::Transcript => depth == 2,
            Self::Messages | Self::Responses => depth <= 2,
        }
    }

    pub(super) fn member(self, name: &[u8]) -> Member {
        match self {
            Self::Choices => Member::of_choices(name),
            Self::Messages => Member::of_messages(name),
            Self::Responses => Member::of_responses(name),
            Self::Transcript => Member::of_transcript(name),
        }
    }
}

/// What a member means to the scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Member {
    #[default]
    Other,
    /// Generated text, if the value is a string.
    Text,
    /// The same, or the content blocks.
    Content,
    /// The arguments of a tool, as an object.
    Input,
    /// A content block, or a part of it.
    Block,
    /// Contains no text at all.
    Skipped,
    Choices,
    /// The output items of a response.
    Output,
    /// The state of a response, which only an answer has.
    Status,
    /// The ID of a response or an output item.
    Id,
    /// The ID of the container of an output item.
    ContainerId,
    FinishReason,
    ToolCalls,
    Error,
    Usage,
}

impl Member {
    fn of_choices(name: &[u8]) -> Self {
        match name {
            b"content" | b"text" | b"reasoning_content" | b"reasoning" | b"refusal"
            | b"arguments" | b"thinking" => Self::Text,
            b"logprobs" | b"top_logprobs" | b"embedding" | b"audio" | b"b64_json" => Self::Skipped,
            b"choices" => Self::Choices,
            b"finish_reason" => Self::FinishReason,
            b"tool_calls" | b"function_call" => Self::ToolCalls,
            b"error" => Self::Error,
            b"usage" => Self::Usage,
            _ => Self::Other,
        }
    }

    fn of_transcript(name: &[u8]) -> Self {
        match name {
            b"delta" => Self::Text,
            // They repeat the text.
            b"segments" | b"words" => Self::Skipped,
            _ => Self::of_choices(name),
        }
    }

    fn of_messages(name: &[u8]) -> Self {
        match name {
            b"text" | b"thinking" | b"partial_json" => Self::Text,
            b"content" => Self::Content,
            b"input" => Self::Input,
            b"delta" | b"content_block" => Self::Block,
            b"stop_reason" => Self::FinishReason,
            b"error" => Self::Error,
            b"usage" => Self::Usage,
            _ => Self::Other,
        }
    }

    fn of_responses(name: &[u8]) -> Self {
        match name {
            b"text" | b"arguments" | b"refusal" | b"input" | b"transcript" => Self::Text,
            // What tools of the server have returned is not generated.
            b"logprobs" | b"annotations" | b"results" | b"outputs" | b"tools" => Self::Skipped,
            b"output" => Self::Output,
            b"status" => Self::Status,
            b"id" => Self::Id,
            b"container_id" => Self::ContainerId,
            b"error" => Self::Error,
            b"usage" => Self::Usage,
            _ => Self::Other,
        }
    }
}
