//! What a call is charged: the usage that the upstream reports, or an estimate from the text that
//! it sent.
//!
//! Pure: no I/O and no clock. Upstreams report usage in different forms, or not at all. The parsers
//! here take bytes and keep only a bounded part of them.

mod media_stream;
mod messages_stream;
mod reported;
mod responses_stream;
mod scanner;
mod sse;
mod stream_usage;

use latchkey_domain::token_usage::TokenUsage;

pub(super) use responses_stream::MAX_ID_CHARS;
pub(super) use scanner::{AnswerForm, FinalStatus, ResponseScanner};
pub(super) use sse::{data, next_event};
pub(super) use stream_usage::{EventKind, StreamEnd, StreamUsage};

use super::endpoint::Endpoint;
use reported::ReportedUsage;

/// Bytes of text per token in estimates: OpenAI's rule of thumb for English ([What are
/// tokens](https://help.openai.com/en/articles/4936856)).
const BYTES_PER_TOKEN: u64 = 4;

/// The ID of an output item of a response, or of the container that it ran in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemId {
    pub(super) id: String,
    pub(super) is_container: bool,
}

/// Estimated tokens of a text.
pub(super) const fn tokens_of(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN)
}

/// Usage of a call: as reported, or estimated where nothing is reported.
///
/// `prompt` is the estimate of the prompt, `text` the number of bytes of text received.
fn token_usage(endpoint: Endpoint, reported: ReportedUsage, prompt: u64, text: u64) -> TokenUsage {
    let has_completion = endpoint.has_completion();
    let completion = if has_completion { tokens_of(text) } else { 0 };
    let reported = reported.without_zeros(completion > 0);
    // The prompt has at least the tokens that the cache had of it.
    let prompt = prompt.max(reported.cache_tokens());
    let estimated = |prompt: Option<u64>, completion: Option<u64>, guess: (u64, u64)| {
        let of_prompt = prompt.map_or(guess.0, |_| 0);
        let prompt = prompt.unwrap_or(guess.0);
        let cached = reported.cached.unwrap_or_default().min(prompt);
        TokenUsage {
            prompt,
            completion: completion.unwrap_or(guess.1),
            cached,
            cache_written: reported.cache_written.unwrap_or_default().min(prompt - cached),
            estimated: of_prompt.saturating_add(completion.map_or(guess.1, |_| 0)),
        }
    };
    let told_prompt = reported.whole_prompt();
    if !has_completion {
        return estimated(told_prompt.or(reported.total), Some(0), (prompt, 0));
    }
    match (told_prompt, reported.completion, reported.total) {
        (Some(known), None, Some(total)) => {
            estimated(Some(known), Some(total.saturating_sub(known)), (0, 0))
        }
        (None, Some(known), Some(total)) => {
            estimated(Some(total.saturating_sub(known)), Some(known), (0, 0))
        }
        // Only the total is reported; how it is divided is estimated.
        (None, None, Some(total)) => {
            let prompt = prompt.min(total);
            estimated(Some(prompt), Some(total - prompt), (0, 0))
        }
        (known_prompt, known_completion, _) => {
            estimated(known_prompt, known_completion, (prompt, completion))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(endpoint: Endpoint, usage: &str, text: u64) -> (u64, u64, u64) {
        let reported = ReportedUsage::read(usage.as_bytes());
        let TokenUsage { prompt, completion, estimated, .. } =
            token_usage(endpoint, reported, 10, text);
        (prompt, completion, estimated)
    }

    #[test]
    fn usage_is_parsed_in_every_form() {
        for (usage, wanted) in [
            (r#"{"prompt_tokens": 7, "completion_tokens": 43}"#, (7, 43, 0)),
            (r#"{"input_tokens": 7, "output_tokens": 43}"#, (7, 43, 0)),
            (r#"{"prompt_tokens": 7, "total_tokens": 50}"#, (7, 43, 0)),
            (r#"{"completion_tokens": 43, "total_tokens": 50}"#, (7, 43, 0)),
            (r#"{"total_tokens": 50}"#, (10, 40, 0)),
            (r#"{"total_tokens": 4}"#, (4, 0, 0)),
            (r#"{"prompt_tokens": 7, "completion_tokens": null, "total_tokens": 50}"#, (7, 43, 0)),
            (r#"{"prompt_tokens": 7.0, "completion_tokens": "43"}"#, (7, 43, 0)),
            (r#"{"prompt_tokens": " 7 ", "completion_tokens": "43.0"}"#, (7, 43, 0)),
            (r#"{"prompt_tokens": 7}"#, (7, 3, 3)),
            (r#"{"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}"#, (7, 3, 3)),
            (r#"{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}"#, (10, 3, 13)),
            (r#"{"prompt_tokens": -7, "completion_tokens": 43}"#, (10, 43, 10)),
            (r#"{"prompt_tokens": 7.5, "completion_tokens": "x"}"#, (10, 3, 13)),
            ("{}", (10, 3, 13)),
            ("null", (10, 3, 13)),
            ("[7]", (10, 3, 13)),
        ] {
            assert_eq!(of(Endpoint::Chat, usage, 12), wanted, "{usage}");
        }
        let nothing = r#"{"prompt_tokens": 7, "completion_tokens": 0}"#;
        assert_eq!(of(Endpoint::Chat, nothing, 0), (7, 0, 0), "nothing came out");
    }

    #[test]
    fn embeddings_have_no_completion() {
        for (usage, wanted) in [
            ("{}", (10, 0, 10)),
            (r#"{"prompt_tokens": 5, "completion_tokens": 0}"#, (5, 0, 0)),
            (r#"{"total_tokens": 5}"#, (5, 0, 0)),
            (r#"{"prompt_tokens": 5, "total_tokens": 9}"#, (5, 0, 0)),
        ] {
            assert_eq!(of(Endpoint::Embeddings, usage, 4_096), wanted, "{usage}");
        }
    }

    #[test]
    fn media_have_the_completion_that_is_told() {
        for endpoint in [Endpoint::Rerank, Endpoint::Moderations] {
            assert_eq!(of(endpoint, r#"{"total_tokens": 5}"#, 0), (5, 0, 0), "{endpoint:?}");
            assert_eq!(of(endpoint, "{}", 4_096), (10, 0, 10), "{endpoint:?}");
        }
        for endpoint in [Endpoint::Images, Endpoint::Speech, Endpoint::Transcriptions] {
            let usage = r#"{"input_tokens": 7, "output_tokens": 43, "total_tokens": 50}"#;
            assert_eq!(of(endpoint, usage, 0), (7, 43, 0), "{endpoint:?}");
            assert_eq!(of(endpoint, "{}", 0), (10, 0, 10), "{endpoint:?}");
        }
        let duration = r#"{"type": "duration", "seconds": 9}"#;
        assert_eq!(of(Endpoint::Transcriptions, duration, 12), (10, 3, 13));
    }

    #[test]
    fn cached_tokens_are_a_part_of_the_prompt() {
        for (usage, wanted) in [
            (r#"{"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}"#, (9, 4, 0)),
            (r#"{"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 40}}"#, (9, 9, 0)),
            (
                r#"{"prompt_tokens": 9, "cache_write_tokens": 7,
                    "prompt_tokens_details": {"cached_tokens": 4}}"#,
                (9, 4, 5),
            ),
            (
                r#"{"input_tokens": 9, "cache_read_input_tokens": 4,
                    "cache_creation_input_tokens": 7}"#,
                (20, 4, 7),
            ),
            (r#"{"cache_read_input_tokens": 40}"#, (40, 40, 0)),
        ] {
            let reported = ReportedUsage::read(usage.as_bytes());
            let told = token_usage(Endpoint::Chat, reported, 10, 12);
            assert_eq!((told.prompt, told.cached, told.cache_written), wanted, "{usage}");
        }
    }
}
