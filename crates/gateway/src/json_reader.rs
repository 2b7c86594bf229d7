//! A JSON parser for request bodies: finds where each value is and how long its texts are, in one
//! pass and without copying.
//!
//! Every call waits for it, and prompts are long. With `serde_json` a body was parsed twice, once
//! to find its fields and once to unescape each text only to measure it. For long prompts that took
//! more time than everything else in the gateway. Whatever this parser accepts `serde_json` accepts
//! too; a property test compares them.
//!
//! Long texts are scanned in blocks of 64 bytes, the rest eight bytes at a time with [Bit Twiddling
//! Hacks](https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord).

mod block;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use block::{BLOCK, plain_blocks};

/// Maximum depth of nesting, the body included. The limit of `serde_json`.
const MAX_DEPTH: u8 = 128;
/// Numbers without an exponent are finite up to this many digits.
const MAX_FINITE_DIGITS: usize = 300;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHEST_BITS: u64 = ONES << 7;

/// Not valid JSON, nested too deeply, or a number or text without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadJson;

/// The start of a value. Texts and scalars have been read completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonValue<'a> {
    Text(JsonText<'a>),
    /// Its items follow: [`JsonReader::next_item`].
    List,
    /// Its members follow: [`JsonReader::next_name`].
    Object,
    Null,
    /// A number, true or false, and its length in bytes.
    Scalar(usize),
}

/// A text, still escaped, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JsonText<'a> {
    written: &'a [u8],
    length: usize,
}

impl<'a> JsonText<'a> {
    /// Length in bytes after unescaping.
    pub(super) const fn length(self) -> usize {
        self.length
    }

    /// Unescapes the text. Borrowed if there are no escapes.
    pub(super) fn read(self) -> Cow<'a, str> {
        if self.written.len() == self.length {
            // Reading has verified that it is valid UTF-8.
            return String::from_utf8_lossy(self.written);
        }
        let quoted = [b"\"", self.written, b"\""].concat();
        serde_json::from_slice::<String>(&quoted).unwrap_or_default().into()
    }
}

/// A position in JSON that is valid UTF-8.
#[derive(Debug)]
pub(super) struct JsonReader<'a> {
    json: &'a [u8],
    at: usize,
    levels_left: u8,
}

impl<'a> JsonReader<'a> {
    pub(super) const fn new(json: &'a [u8]) -> Self {
        Self { json, at: 0, levels_left: MAX_DEPTH }
    }

    /// Offset of the next value.
    pub(super) fn position(&mut self) -> usize {
        self.skip_spaces();
        self.at
    }

    /// The bytes read since `position`.
    pub(super) fn since(&self, position: usize) -> &'a [u8] {
        &self.json[position..self.at]
    }

    /// Reads a value, or the start of a list or an object.
    pub(super) fn value(&mut self) -> Result<JsonValue<'a>, BadJson> {
        self.skip_spaces();
        match self.peek().ok_or(BadJson)? {
            b'"' => {
                self.at += 1;
                self.text().map(JsonValue::Text)
            }
            b'[' => self.open().map(|()| JsonValue::List),
            b'{' => self.open().map(|()| JsonValue::Object),
            b'n' => self.word(b"null").map(|()| JsonValue::Null),
            b't' => self.word(b"true").map(|()| JsonValue::Scalar(4)),
            b'f' => self.word(b"false").map(|()| JsonValue::Scalar(5)),
            _ => self.number().map(JsonValue::Scalar),
        }
    }

    /// Whether a list has another item, which must be read next. `is_first` must be true on the
    /// first call.
    pub(super) fn next_item(&mut self, is_first: &mut bool) -> Result<bool, BadJson> {
        self.skip_spaces();
        if self.peek() == Some(b']') {
            self.close();
            return Ok(false);
        }
        self.comma(is_first)?;
        Ok(true)
    }

    /// The name of an object's next member, whose value must be read next. None at the end of the
    /// object. `is_first` must be true on the first call.
    pub(super) fn next_name(
        &mut self,
        is_first: &mut bool,
    ) -> Result<Option<JsonText<'a>>, BadJson> {
        self.skip_spaces();
        if self.peek() == Some(b'}') {
            self.close();
            return Ok(None);
        }
        self.comma(is_first)?;
        self.skip_spaces();
        self.byte(b'"')?;
        let name = self.text()?;
        self.skip_spaces();
        self.byte(b':')?;
        Ok(Some(name))
    }

    /// Checks that only whitespace is left.
    pub(super) fn end(&mut self) -> Result<(), BadJson> {
        self.skip_spaces();
        if self.at == self.json.len() { Ok(()) } else { Err(BadJson) }
    }

    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn byte(&mut self, byte: u8) -> Result<(), BadJson> {
        if self.peek() != Some(byte) {
            return Err(BadJson);
        }
        self.at += 1;
        Ok(())
    }

    fn comma(&mut self, is_first: &mut bool) -> Result<(), BadJson> {
        if std::mem::take(is_first) { Ok(()) } else { self.byte(b',') }
    }

    fn open(&mut self) -> Result<(), BadJson> {
        self.levels_left = self.levels_left.checked_sub(1).ok_or(BadJson)?;
        self.at += 1;
        Ok(())
    }

    const fn close(&mut self) {
        self.levels_left += 1;
        self.at += 1;
    }

    fn word(&mut self, word: &[u8]) -> Result<(), BadJson> {
        if !self.json[self.at..].starts_with(word) {
            return Err(BadJson);
        }
        self.at += word.len();
        Ok(())
    }

    /// Reads a number and returns its length in bytes.
    fn number(&mut self) -> Result<usize, BadJson> {
        let begin = self.at;
        let mut has_exponent = false;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            has_exponent = true;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let number = &self.json[begin..self.at];
        if !has_exponent && number.len() <= MAX_FINITE_DIGITS {
            return Ok(number.len());
        }
        let value = std::str::from_utf8(number).ok().and_then(|text| text.parse::<f64>().ok());
        if value.is_some_and(f64::is_finite) { Ok(number.len()) } else { Err(BadJson) }
    }

    /// Reads one or more digits.
    fn digits(&mut self) -> Result<(), BadJson> {
        let rest = &self.json[self.at..];
        let count = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.at += count;
        if count > 0 { Ok(()) } else { Err(BadJson) }
    }

    /// Reads a text after its opening quote.
    fn text(&mut self) -> Result<JsonText<'a>, BadJson> {
        let begin = self.at;
        let mut shorter = 0;
        loop {
            let (bytes, escapes) = plain_blocks(&self.json[self.at..]);
            self.at += bytes;
            shorter += escapes;
            // The byte that stopped the scan is in this block.
            let stop = self.at + BLOCK;
            while self.at < stop {
                self.skip_plain();
                match self.peek() {
                    Some(b'"') => {
                        let written = &self.json[begin..self.at];
                        self.at += 1;
                        return Ok(JsonText { written, length: written.len() - shorter });
                    }
                    Some(b'\\') => shorter += self.escape()?,
                    _ => return Err(BadJson),
                }
            }
        }
    }

    /// Skips to the next quote, backslash or control character.
    fn skip_plain(&mut self) {
        while let Some(word) = self.json.get(self.at..).and_then(<[u8]>::first_chunk) {
            let found = special(u64::from_le_bytes(*word));
            if found != 0 {
                self.at += found.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while self.peek().is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)) {
            self.at += 1;
        }
    }

    /// Reads an escape. Returns how many bytes shorter the unescaped character is.
    fn escape(&mut self) -> Result<usize, BadJson> {
        match self.json.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(1)
            }
            Some(b'u') => {
                let length = match self.code_unit()? {
                    0..0x80 => 1,
                    0x80..0x800 => 2,
                    0xd800..0xdc00 => {
                        let is_second_half = matches!(self.code_unit()?, 0xdc00..0xe000);
                        return if is_second_half { Ok(12 - 4) } else { Err(BadJson) };
                    }
                    0xdc00..0xe000 => return Err(BadJson),
                    _ => 3,
                };
                Ok(6 - length)
            }
            _ => Err(BadJson),
        }
    }

    /// Reads `\u` and four digits.
    fn code_unit(&mut self) -> Result<u32, BadJson> {
        let digits = self.json[self.at..].strip_prefix(b"\\u").and_then(|rest| rest.get(..4));
        let digits = digits.ok_or(BadJson)?.iter();
        let mut digits = digits.map(|digit| char::from(*digit).to_digit(16));
        let code = digits.try_fold(0, |code, digit| digit.map(|digit| code << 4 | digit));
        self.at += 6;
        code.ok_or(BadJson)
    }
}

/// Marks bytes that end plain text by their highest bit. Above the lowest mark there may be false
/// ones.
const fn special(word: u64) -> u64 {
    // With this bit flipped a quote becomes 0x20, below 0x21 like the control characters.
    let below_quote = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (below_quote | backslash) & !word & HIGHEST_BITS
}
