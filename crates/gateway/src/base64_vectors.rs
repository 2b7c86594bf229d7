//! Vectors as base64, for clients that ask for them where the upstream writes numbers.
//!
//! OpenAI's own clients ask for `encoding_format: "base64"` and take any string for one, and some
//! take a list of numbers for bytes. Base64 is of the vector's little-endian 32-bit floats
//! ([OpenAI's Python
//! client](https://github.com/openai/openai-python/blob/main/src/openai/resources/embeddings.py)
//! reads it so).

use data_encoding::BASE64;

/// A longer number is none.
const MAX_NUMBER_BYTES: usize = 64;

/// Writes each list that stands under `embedding` as base64, while the answer passes.
#[derive(Debug, Default)]
pub(super) struct Base64Vectors {
    state: ScanState,
    name: Vec<u8>,
    number: Vec<u8>,
    floats: Vec<u8>,
    /// The list as it came: it goes on like that if it is none of numbers.
    list: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ScanState {
    #[default]
    Outside,
    String,
    Escaped,
    /// Behind `"embedding"`, perhaps before its value.
    Named,
    Vector,
}

impl Base64Vectors {
    /// What goes to the client of what comes next.
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
                // A byte more than the name: it is another.
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
    fn numbers_become_base64() {
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
    fn anything_else_passes_as_it_is() {
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
