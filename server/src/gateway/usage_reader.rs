//! Reads what an answer says that it has used, while the answer passes.
//!
//! An answer may be as large as its upstream makes it, so it is never held to be read: of its JSON
//! only the member `usage` of the outermost object is kept, wherever it stands, and of that no more
//! than a bound.

use memchr::memchr2;

use super::forward::Usage;

/// The longest name that is compared: `usage`, each letter escaped, in quotes.
const LONGEST_NAME: usize = 5 * 6 + 2;
/// A longer `usage` is not read.
const LONGEST_USAGE: usize = 16 * 1024;

/// What has been read so far.
#[derive(Debug, Default)]
pub(super) struct UsageReader {
    /// How many objects and lists are open.
    depth: usize,
    text: Text,
    /// In the outermost object.
    at: At,
    /// The name or the value that is being kept, as JSON.
    kept: Vec<u8>,
    told: Option<Usage>,
    length: u64,
}

/// Whether a text is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Text {
    #[default]
    Outside,
    Inside,
    /// After a backslash.
    Escaped,
}

/// Where the outermost object is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    /// It has not begun.
    #[default]
    Start,
    Name,
    /// The value of `usage`, which is kept.
    Usage,
    /// Any other value.
    Value,
    /// Behind its end, or in something that is no object.
    End,
}

impl UsageReader {
    /// Reads what comes next. Each byte is looked at once.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        while self.at != At::End {
            let Some((first, rest)) = bytes.split_first() else { return };
            bytes = match self.text {
                Text::Outside => {
                    self.outside(*first);
                    rest
                }
                Text::Escaped => {
                    self.keep(*first);
                    self.text = Text::Inside;
                    rest
                }
                Text::Inside => self.inside(bytes),
            };
        }
    }

    /// What it says that it has used, if it does.
    pub(super) const fn told(&self) -> Option<Usage> {
        self.told
    }

    /// How many bytes have passed.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Reads a text up to its end or an escape; what follows.
    fn inside<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr2(b'"', b'\\', bytes) else {
            self.keep_all(bytes);
            return &[];
        };
        self.keep_all(&bytes[..=end]);
        self.text = if bytes[end] == b'"' { Text::Outside } else { Text::Escaped };
        &bytes[end + 1..]
    }

    fn outside(&mut self, byte: u8) {
        match (self.at, self.depth, byte) {
            (_, _, b' ' | b'\t' | b'\n' | b'\r') => return,
            (At::Start, _, b'{') => {
                (self.depth, self.at) = (1, At::Name);
                return;
            }
            (At::Start, _, _) => {
                self.at = At::End;
                return;
            }
            (At::Name, 1, b':') => {
                self.at = if self.is_usage() { At::Usage } else { At::Value };
                self.kept.clear();
                return;
            }
            (At::Usage | At::Value, 1, b',') => {
                self.finish_value();
                self.at = At::Name;
                return;
            }
            (_, 1, b'}') => {
                self.finish_value();
                self.at = At::End;
                return;
            }
            _ => {}
        }
        match byte {
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b'"' => self.text = Text::Inside,
            _ => {}
        }
        self.keep(byte);
    }

    fn keep(&mut self, byte: u8) {
        self.keep_all(&[byte]);
    }

    /// Keeps what is asked for, up to its bound and a byte more.
    fn keep_all(&mut self, bytes: &[u8]) {
        let bound = match self.at {
            At::Name => LONGEST_NAME,
            At::Usage => LONGEST_USAGE,
            At::Start | At::Value | At::End => return,
        };
        let room = (bound + 1).saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn is_usage(&self) -> bool {
        self.kept == b"\"usage\""
            || self.kept.contains(&b'\\')
                && serde_json::from_slice::<String>(&self.kept).is_ok_and(|name| name == "usage")
    }

    fn finish_value(&mut self) {
        if self.at == At::Usage {
            self.told = serde_json::from_slice(&self.kept).ok();
        }
        self.kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: Usage = Usage { prompt_tokens: 3, completion_tokens: 5 };

    fn told(json: &str, size: usize) -> Option<Usage> {
        let mut reader = UsageReader::default();
        for part in json.as_bytes().chunks(size) {
            reader.read(part);
        }
        assert_eq!(reader.length(), json.len() as u64);
        assert!(reader.kept.capacity() <= 2 * (LONGEST_USAGE + 1));
        reader.told()
    }

    #[test]
    fn usage_is_found_wherever_it_stands_and_however_it_is_cut() {
        let used = r#"{"prompt_tokens": 3, "completion_tokens": 5, "details": {"a": [1, "}"]}}"#;
        for (json, wanted) in [
            (format!(r#"{{"usage": {used}}}"#), Some(USAGE)),
            (
                format!(r#" {{"a": [{{"usage": 7}}, "\"}},"], "usage": {used}, "b": 1}}"#),
                Some(USAGE),
            ),
            (format!(r#"{{"us\u0061ge":{used}}}"#), Some(USAGE)),
            (format!(r#"{{"a": {{"usage": {used}}}}}"#), None),
            (format!(r#"{{"a": "usage", "b": {used}}}"#), None),
            (format!(r#"[{{"usage": {used}}}]"#), None),
            (format!(r#"{{"usage": {used}"#), None),
            (format!(r#"{{"usage": null, "x": {used}}}"#), None),
            (r#"{"usage": {"prompt_tokens": -3}}"#.to_owned(), None),
            (r#"{"usage": {"prompt_tokens": 3, "#.to_owned(), None),
            ("data: x".to_owned(), None),
            (String::new(), None),
        ] {
            for size in [1, 2, 3, 7, 1_000] {
                assert_eq!(told(&json, size), wanted, "{json} by {size}");
            }
        }
    }

    #[test]
    fn names_and_values_of_any_length_are_passed_over() {
        let long = "x".repeat(1_000_000);
        let json = format!(
            r#"{{"{long}": "{long}", "usage": {{"prompt_tokens": 3, "completion_tokens": 5}}}}"#
        );
        assert_eq!(told(&json, 4_096), Some(USAGE));
        assert_eq!(told(&format!(r#"{{"usage": {{"a": "{long}"}}}}"#), 4_096), None);
        let deep = "[".repeat(1_000_000);
        assert_eq!(told(&format!(r#"{{"usage": {deep}"#), 4_096), None);
    }
}
