//! The fields of these endpoints: which the gateway interprets, and which text counts.

use crate::endpoint::Endpoint;
use crate::error::GatewayError;
use crate::fields::Fields;

/// Fields that the gateway interprets, beside those of all endpoints.
pub(crate) const INTERPRETED_FIELDS: [&str; 4] = ["query", "documents", "stream_format", "file"];

/// Fields that do not reach the model as text: choices of a format or a voice, and media.
pub(crate) const UNCOUNTED_FIELDS: [&str; 25] = [
    "audio",
    "background",
    "chunking_strategy",
    "file",
    "image",
    "include",
    "known_speaker_references",
    "language",
    "mask",
    "moderation",
    "output_format",
    "quality",
    "rank_fields",
    "ref_audio",
    "response_format",
    "return_documents",
    "size",
    "speed",
    "stream",
    "stream_format",
    "style",
    "temperature",
    "timestamp_granularities",
    "top_n",
    "voice",
];

/// Rejects a body without the text that its endpoint needs.
///
/// # Errors
/// 400, naming the field.
pub(crate) fn check(fields: &Fields, endpoint: Endpoint) -> Result<(), GatewayError> {
    match endpoint {
        Endpoint::Rerank => {
            if !is_filled(fields, "query", b"\"{") {
                return Err(GatewayError::invalid("query", "Send the query as a string."));
            }
            if !is_filled(fields, "documents", b"[{") {
                let message = "Send a list of at least one document.";
                return Err(GatewayError::invalid("documents", message));
            }
        }
        Endpoint::Moderations => {
            if !is_filled(fields, "input", b"\"[") {
                return Err(GatewayError::invalid("input", "Send a string or a list."));
            }
        }
        Endpoint::Images | Endpoint::Speech => {
            let name = endpoint.prompt();
            if !is_filled(fields, name, b"\"") {
                return Err(GatewayError::invalid(name, "Send a string."));
            }
        }
        _ => {}
    }
    Ok(())
}

/// Whether a field begins with one of these bytes and is not an empty list or object.
fn is_filled(fields: &Fields, name: &str, opening: &[u8]) -> bool {
    match fields.bytes(name) {
        [first, rest @ ..] => {
            let is_empty = matches!(rest.trim_ascii_start(), [b']' | b'}', ..]);
            opening.contains(first) && (*first == b'"' || !is_empty)
        }
        [] => false,
    }
}

/// Whether the client asks for a stream of events.
///
/// # Errors
/// 400: `stream` is neither true nor false.
pub(crate) fn asks_for_stream(fields: &Fields, endpoint: Endpoint) -> Result<bool, GatewayError> {
    if endpoint == Endpoint::Speech {
        return Ok(fields.get("stream_format") == Some("\"sse\""));
    }
    let is_form = endpoint.is_transcript();
    if !is_form && endpoint != Endpoint::Images {
        return Ok(false);
    }
    match fields.get("stream") {
        None => Ok(false),
        Some("true") if !is_form => Ok(true),
        Some("false") if !is_form => Ok(false),
        // In a form every value is a text, and Python's clients write `True`.
        Some("\"true\"" | "\"True\"" | "\"1\"") if is_form => Ok(true),
        Some("\"false\"" | "\"False\"" | "\"0\"" | "\"\"") if is_form => Ok(false),
        Some(_) => Err(GatewayError::invalid("stream", "Use true or false.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str, endpoint: Endpoint) -> Fields {
        Fields::read(json.to_owned().into(), endpoint.prompt()).unwrap()
    }

    #[test]
    fn each_endpoint_needs_its_text() {
        for (endpoint, json, param) in [
            (Endpoint::Rerank, r#"{"query": "a", "documents": ["b"]}"#, None),
            (Endpoint::Rerank, r#"{"query": {"content": []}, "documents": {"content": 1}}"#, None),
            (Endpoint::Rerank, r#"{"documents": ["b"]}"#, Some("query")),
            (Endpoint::Rerank, r#"{"query": 7, "documents": ["b"]}"#, Some("query")),
            (Endpoint::Rerank, r#"{"query": "a"}"#, Some("documents")),
            (Endpoint::Rerank, r#"{"query": "a", "documents": [ ]}"#, Some("documents")),
            (Endpoint::Rerank, r#"{"query": "a", "documents": "b"}"#, Some("documents")),
            (Endpoint::Moderations, r#"{"input": [{"type": "text"}]}"#, None),
            (Endpoint::Moderations, r#"{"input": []}"#, Some("input")),
            (Endpoint::Moderations, r#"{"input": null}"#, Some("input")),
            (Endpoint::Images, r#"{"prompt": "a"}"#, None),
            (Endpoint::Images, r#"{"prompt": ["a"]}"#, Some("prompt")),
            (Endpoint::Speech, r#"{"input": "a"}"#, None),
            (Endpoint::Speech, "{}", Some("input")),
        ] {
            let checked = check(&fields(json, endpoint), endpoint);
            let refused = checked.as_ref().err().and_then(GatewayError::param);
            assert_eq!(refused, param, "{json}");
        }
    }

    #[test]
    fn streams_are_asked_for_in_the_way_of_the_endpoint() {
        for (endpoint, json, streams) in [
            (Endpoint::Speech, r#"{"stream_format": "sse"}"#, Some(true)),
            (Endpoint::Speech, r#"{"stream_format": "audio"}"#, Some(false)),
            (Endpoint::Speech, r#"{"stream": 7}"#, Some(false)),
            (Endpoint::Images, r#"{"stream": true}"#, Some(true)),
            (Endpoint::Images, r#"{"stream": "true"}"#, None),
            (Endpoint::Transcriptions, r#"{"stream": "True"}"#, Some(true)),
            (Endpoint::Transcriptions, r#"{"stream": "0"}"#, Some(false)),
            (Endpoint::Transcriptions, r#"{"stream": "yes"}"#, None),
            (Endpoint::Transcriptions, "{}", Some(false)),
            (Endpoint::Rerank, r#"{"stream": 7}"#, Some(false)),
        ] {
            assert_eq!(asks_for_stream(&fields(json, endpoint), endpoint).ok(), streams, "{json}");
        }
    }
}
