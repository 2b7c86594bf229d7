//! The sandbox's embeddings: vectors that depend only on the input.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;

use axum::response::Response;
use data_encoding::BASE64;
use latchkey_checker::CallSlot;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::body_writer::{self, BodyWriter};
use super::digest::{YIELD_INTERVAL_BYTES, digest};
use crate::body::CallBody;
use crate::error::GatewayError;

/// Default of OpenAI's smaller embedding models.
const DIMENSIONS: usize = 1_536;
const MAX_DIMENSIONS: usize = 4_096;
pub(crate) const MAX_INPUTS: usize = 2_048;
/// Maximum of inputs × dimensions in one response: about 10 MiB of text.
pub(crate) const MAX_NUMBERS: usize = 1 << 20;

/// A validated call.
pub(crate) struct EmbeddingsCall {
    /// Digest of each input.
    inputs: Vec<[u8; 32]>,
    dimensions: usize,
    /// Whether vectors are base64 of little-endian floats.
    encoded: bool,
}

impl EmbeddingsCall {
    /// Reads a call.
    ///
    /// # Errors
    /// 400: the number of dimensions is invalid, or there would be too many vectors or numbers.
    pub(super) async fn of(body: &CallBody) -> Result<Self, GatewayError> {
        let dimensions = dimensions(body.field("dimensions"))?;
        let encoded = body.field("encoding_format") == Some("\"base64\"");
        let input = body.prompt_json();
        let shape = InputShape::of(input);
        if shape.inputs > MAX_INPUTS {
            let message = format!("Send at most {MAX_INPUTS} inputs.");
            return Err(GatewayError::invalid("input", message));
        }
        if shape.inputs * dimensions > MAX_NUMBERS {
            let message = format!(
                "The sandbox returns at most {MAX_NUMBERS} numbers (inputs × dimensions). Send \
                 fewer inputs or request fewer dimensions."
            );
            return Err(GatewayError::invalid("input", message));
        }
        let inputs = if shape.is_list {
            let mut digests = Vec::with_capacity(shape.inputs);
            let mut done = 0;
            for part in serde_json::from_str::<Vec<&RawValue>>(input).unwrap_or_default() {
                digests.push(of_input(part.get()).await);
                done += part.get().len();
                if done >= YIELD_INTERVAL_BYTES {
                    tokio::task::yield_now().await;
                    done = 0;
                }
            }
            digests
        } else {
            vec![of_input(input).await]
        };
        Ok(Self { inputs, dimensions, encoded })
    }

    pub(super) fn respond(self, model: &str, prompt: u64, slot: Option<CallSlot>) -> Response {
        // Serializing a string cannot fail.
        let model = serde_json::to_string(model).unwrap_or_default();
        let usage = format!("{{\"prompt_tokens\":{prompt},\"total_tokens\":{prompt}}}");
        let end = format!("],\"model\":{model},\"usage\":{usage}}}");
        let answer = EmbeddingsWriter { plan: self, next: 0, end: Some(end) };
        body_writer::respond("application/json", answer, slot)
    }
}

/// Number of dimensions.
fn dimensions(text: Option<&str>) -> Result<usize, GatewayError> {
    let Some(text) = text else { return Ok(DIMENSIONS) };
    let count = text.parse().ok().filter(|count| (1..=MAX_DIMENSIONS).contains(count));
    count.ok_or_else(|| {
        let message = format!("Use a whole number from 1 to {MAX_DIMENSIONS}.");
        GatewayError::invalid("dimensions", message)
    })
}

/// Digest of an input: of a text after unescaping, of tokens as written.
async fn of_input(json: &str) -> [u8; 32] {
    match serde_json::from_str::<InputText<'_>>(json) {
        Ok(InputText(text)) => digest(text.as_bytes()).await,
        Err(_) => digest(json.as_bytes()).await,
    }
}

#[derive(serde::Deserialize)]
struct InputText<'a>(#[serde(borrow)] Cow<'a, str>);

/// Number and kind of inputs.
struct InputShape {
    inputs: usize,
    /// Each element of the array is an input. An array of tokens is one input.
    is_list: bool,
}

impl InputShape {
    /// Counts the elements without collecting them.
    fn of(input: &str) -> Self {
        struct InputCounter;
        impl<'de> Visitor<'de> for InputCounter {
            type Value = InputShape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<InputShape, A::Error> {
                let mut shape = InputShape { inputs: 0, is_list: false };
                while let Some(part) = parts.next_element::<&RawValue>()? {
                    shape.inputs += 1;
                    let is_number = |byte: &u8| *byte == b'-' || byte.is_ascii_digit();
                    shape.is_list |= !part.get().as_bytes().first().is_some_and(is_number);
                }
                Ok(shape)
            }
        }
        let counted = serde_json::Deserializer::from_str(input).deserialize_seq(InputCounter);
        match counted {
            Ok(shape) if shape.is_list => shape,
            _ => Self { inputs: 1, is_list: false },
        }
    }
}

/// Writes the response, one vector at a time.
struct EmbeddingsWriter {
    plan: EmbeddingsCall,
    next: usize,
    /// What follows the vectors. None once it is written.
    end: Option<String>,
}

impl BodyWriter for EmbeddingsWriter {
    fn write(&mut self, to: &mut Vec<u8>) -> bool {
        let index = self.next;
        let Some(input) = self.plan.inputs.get(index) else {
            let Some(end) = self.end.take() else { return false };
            to.extend(end.into_bytes());
            return true;
        };
        self.next += 1;
        to.extend_from_slice(if index == 0 { b"{\"object\":\"list\",\"data\":[" } else { b"," });
        // Writing to memory cannot fail.
        let _ = write!(to, "{{\"object\":\"embedding\",\"index\":{index},\"embedding\":");
        let vector = vector(input, self.plan.dimensions);
        if self.plan.encoded {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            let _ = write!(to, "\"{}\"", BASE64.encode(&bytes));
        } else {
            let _ = serde_json::to_writer(&mut *to, &vector);
        }
        to.push(b'}');
        true
    }
}

/// A unit vector derived from the input by SHA-256 in counter mode.
fn vector(input: &[u8; 32], dimensions: usize) -> Vec<f32> {
    let mut numbers: Vec<f32> = Vec::with_capacity(dimensions + 16);
    let mut block: u32 = 0;
    while numbers.len() < dimensions {
        let mut hash = Sha256::new();
        hash.update(input);
        hash.update(block.to_be_bytes());
        for pair in hash.finalize().chunks_exact(2) {
            numbers.push(f32::from(i16::from_be_bytes([pair[0], pair[1]])));
        }
        block += 1;
    }
    numbers.truncate(dimensions);
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt().max(1.0);
    numbers.into_iter().map(|number| number / length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_array_is_one_input() {
        for (input, inputs) in [
            ("\"a\"", 1),
            ("[1, 2, 3]", 1),
            ("[\"a\", \"b\"]", 2),
            ("[[1, 2], [3]]", 2),
            ("[1, \"a\"]", 2),
            ("[]", 1),
        ] {
            assert_eq!(InputShape::of(input).inputs, inputs, "{input}");
        }
    }

    #[tokio::test]
    async fn escaped_text_has_the_same_vector() {
        assert_eq!(of_input("\"a\"").await, of_input("\"\\u0061\"").await);
        assert_ne!(of_input("\"a\"").await, of_input("\"b\"").await);
        let vector = vector(&of_input("\"a\"").await, 40);
        assert_eq!(vector.len(), 40);
        let length = vector.iter().map(|number| number * number).sum::<f32>();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
}
