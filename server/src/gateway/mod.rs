//! The gateway: OpenAI's protocol in front of any upstream that speaks it, with the limits of the
//! key enforced.
//!
//! ```text
//! key ─► body ─► model ─► reserve (rpm, tpm, budget) ─► upstream ─► stream through ─► settle
//! ```
//! A call holds what it may cost from before it is forwarded until it is known what it did cost;
//! whoever goes away midway pays for what had come until then.

mod accounting;
mod answer;
mod base64_vectors;
mod body;
mod call;
mod caps;
mod describe;
mod elsewhere;
mod error;
mod estimate;
mod fields;
mod forward;
mod in_flight;
mod json_reader;
mod models;
mod passage;
mod paths;
mod presented;
mod reach;
mod sandbox;
mod stream;
mod tokenizer;
mod unserved;
mod upstream;
mod upstream_client;
mod upstream_error;

/// Reads a call's body and goes no further, for [`crate::parsers`].
pub(crate) fn read_body(bytes: &axum::body::Bytes) {
    use body::{CallBody, Endpoint};
    for endpoint in [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings] {
        let _ = CallBody::parse(endpoint, bytes.clone());
    }
}

/// Reads what an upstream answers and goes no further, for [`crate::parsers`].
pub(crate) fn read_answer(bytes: &[u8]) {
    stream::read_events(bytes);
    let mut scanner = accounting::AnswerScanner::default();
    let mut vectors = base64_vectors::Base64Vectors::default();
    // As it comes: in pieces.
    for piece in bytes.chunks(7) {
        scanner.read(piece);
        let _ = vectors.encode(piece);
    }
    let _ = upstream_error::read(bytes, &std::iter::empty());
}

pub(crate) use call::{
    __path_chat_completions, __path_completions, __path_embeddings, chat_completions, completions,
    embeddings,
};
pub(crate) use error::unavailable;
pub(crate) use models::{__path_get_model, __path_list_models, get_model, list_models};
pub(crate) use paths::without_second_version;
pub(crate) use reach::UpstreamReach;
pub(crate) use unserved::Unserved;
pub(crate) use upstream::Upstreams;

/// The largest body of a call.
pub(crate) const LARGEST_BODY: usize = 10 * 1024 * 1024;
