//! Encodes vectors as base64 where the client asked for it and the upstream sends numbers.
//!
//! OpenAI's clients ask for `encoding_format: "base64"` and decode any string as base64; some take
//! an array of numbers for bytes. The format is base64 of little-endian 32-bit floats, as [OpenAI's
//! Python
//! client](https://github.com/openai/openai-python/blob/main/src/openai/resources/embeddings.py)
//! decodes it.

use data_encoding::BASE64;

/// Maximum length of a number.
const MAX_NUMBER_BYTES: usize = 64;

/// Rewrites each array under `embedding` as base64 while the response is forwarded.
#[derive(Debug, Default)]
pub(super) struct Base64Vectors {
    state: ScanState,
    name: Vec<u8>,
    number: Vec<u8>,
    floats: Vec<u8>,
    /// The original array, which is forwarded if it is not one of numbers.
    list: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ScanState {
    #[default]
    Outside,
    String,
    Escaped,
    /// After `"embedding"`, before its value.
    Named,
    Vector,
}

impl Base64Vectors {
    /// Converts the next chunk.
    pub(super) fn encode(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            self.byte(*byte, &mut out);
        }
        out
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        match self.state {
            ScanState::Vector => return self.in_vector(byte, out),
            ScanState::Escaped => self.state = ScanState::String,
            ScanState::String => match byte {
                b'\\' => self.state = ScanState::Escaped,
                b'"' if self.name == b"embedding" => self.state = ScanState::Named,
                b'"' => self.state = ScanState::Outside,
                // One byte more than the name is enough to tell that it is another.
                _ if self.name.len() <= b"embedding".len() => self.name.push(byte),
                _ => {}
            },
            ScanState::Named if byte == b'[' => {
                self.state = ScanState::Vector;
                self.list.push(byte);
                return;
            }
            ScanState::Named if byte == b':' || byte.is_ascii_whitespace() => {}
            ScanState::Outside | ScanState::Named => {
                self.state = ScanState::Outside;
                if byte == b'"' {
                    self.state = ScanState::String;
                    self.name.clear();
                }
            }
        }
        out.push(byte);
    }

    fn in_vector(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.list.push(byte);
        let is_number = match byte {
            b',' => self.finish_number(),
            b']' => self.number.is_empty() && self.floats.is_empty() || self.finish_number(),
            _ if byte.is_ascii_whitespace() => true,
            _ => {
                self.number.push(byte);
                self.number.len() <= MAX_NUMBER_BYTES
                    && matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
            }
        };
        if is_number && byte != b']' {
            return;
        }
        if is_number {
            out.push(b'"');
            out.extend_from_slice(BASE64.encode(&self.floats).as_bytes());
            out.push(b'"');
        } else {
            out.append(&mut self.list);
        }
        self.state = ScanState::Outside;
        (self.list, self.floats, self.number) = (Vec::new(), Vec::new(), Vec::new());
    }

    fn finish_number(&mut self) -> bool {
        let text = std::str::from_utf8(&self.number).unwrap_or_default();
        let Ok(number) = text.parse::<f32>() else { return false };
        self.floats.extend_from_slice(&number.to_le_bytes());
        self.number.clear();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(json: &str, size: usize) -> String {
        let mut vectors = Base64Vectors::default();
        let parts = json.as_bytes().chunks(size).map(|part| vectors.encode(part));
        String::from_utf8(parts.collect::<Vec<_>>().concat()).unwrap()
    }

    #[test]
    fn numbers_are_encoded_as_base64() {
        let json = r#"{"data": [{"embedding": [ 1, -0.5,1e-3 ], "index": 0}, {"embedding":[]}]}"#;
        let bytes = [1.0_f32, -0.5, 1e-3].map(f32::to_le_bytes).concat();
        let wanted = format!(
            r#"{{"data": [{{"embedding": "{}", "index": 0}}, {{"embedding":""}}]}}"#,
            BASE64.encode(&bytes)
        );
        for size in [1, 2, 7, 1_000] {
            assert_eq!(encoded(json, size), wanted);
        }
    }

    #[test]
    fn other_values_are_unchanged() {
        for json in [
            r#"{"data": [{"embedding": "AAAA"}]}"#,
            r#"{"object": "embedding", "x": [1, 2]}"#,
            r#"{"embedding": {"a": [1]}}"#,
            r#"{"embedding": [[1, 2], [3]]}"#,
            r#"{"embedding": ["a", 1]}"#,
            r#"{"a": "\"embedding\": [1]", "embeddings": [1]}"#,
        ] {
            assert_eq!(encoded(json, 3), json);
        }
    }
}
