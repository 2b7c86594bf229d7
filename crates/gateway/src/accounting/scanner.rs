//! A streaming JSON scanner that finds the reported usage and counts the bytes of generated text.
//!
//! Responses may be of any size, so they are never buffered to be parsed. Each byte is looked at
//! once; only the current member name and a bounded `usage` are kept. The same scanner reads whole
//! responses, chunk by chunk, and single events of a stream.
//!
//! Text is what the model generated, inside `choices`, `output` or Anthropic's content blocks, or
//! the transcript of a recording: content, reasoning, refusals and tool arguments. The envelope,
//! log probabilities, vectors, media and the results of tools that the server ran do not count.

mod members;
mod status;
#[cfg(test)]
mod tests;

use std::mem;

use memchr::memchr2;

use super::ItemId;
use super::reported::ReportedUsage;
use super::responses_stream::MAX_ID_CHARS;
pub(crate) use members::AnswerForm;
use members::Member;
pub(crate) use status::FinalStatus;

/// Maximum length of a member name. All names that matter are shorter, even fully escaped.
const MAX_NAME_BYTES: usize = 120;
/// Maximum size of a `usage` object.
const MAX_USAGE_BYTES: usize = 64 * 1024;
/// Maximum size of an ID.
const MAX_ID_BYTES: usize = 4 * MAX_ID_CHARS;
/// Longest status that is kept.
const MAX_STATUS_BYTES: usize = 32;
/// Maximum number of items whose IDs are kept until they are taken.
const MAX_ITEMS: usize = 256;
/// Size of `{}`.
const EMPTY_INPUT_BYTES: u64 = 2;
/// Maximum depth at which members are interpreted.
const MAX_DEPTH: usize = 32;

/// An open object or array.
#[derive(Debug, Clone, Copy)]
struct Container {
    is_object: bool,
    /// The member that an array belongs to, which decides what its strings are.
    of: Member,
    /// Inside what the model generated.
    in_answer: bool,
    skipped: bool,
}

/// Position relative to a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum StringState {
    #[default]
    Outside,
    Inside,
    Escaped,
    /// In the digits after `\u`: the number of digits left, and the value so far.
    Unicode(u8, u32),
}

/// Scanner of a response, or of one event of a stream.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether one thing was seen")]
pub(crate) struct ResponseScanner {
    form: AnswerForm,
    frames: Vec<Container>,
    /// Number of open objects and arrays beyond [`MAX_DEPTH`].
    deeper: usize,
    string_state: StringState,
    /// The current string is a member name.
    in_name: bool,
    /// The next string is a member name.
    at_name: bool,
    name: Vec<u8>,
    /// The member whose value comes next.
    member: Member,
    /// The depth at which a `usage` began, and its JSON so far.
    usage: Option<(usize, Vec<u8>)>,
    /// The depth at which the arguments of a tool began, and their size so far.
    input: Option<(usize, u64)>,
    /// The ID of the response so far.
    id: Vec<u8>,
    status: Vec<u8>,
    /// The ID of the current output item of a response, or of its container, so far.
    item: Vec<u8>,
    /// The IDs of output items and their containers that are complete.
    items: Vec<ItemId>,
    reported: ReportedUsage,
    reported_depth: usize,
    text: u64,
    length: u64,
    ended: bool,
    has_tool_call: bool,
    has_finish: bool,
    has_error: bool,
    has_choice: bool,
    has_id: bool,
}

impl ResponseScanner {
    pub(crate) fn new(form: AnswerForm) -> Self {
        Self { form, ..Self::default() }
    }

    /// Starts over, but keeps the allocations.
    pub(super) fn restart(&mut self) {
        let (mut frames, mut name) = (mem::take(&mut self.frames), mem::take(&mut self.name));
        frames.clear();
        name.clear();
        *self = Self { form: self.form, frames, name, ..Self::default() };
    }

    /// Scans the next bytes.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        while let Some((first, rest)) = bytes.split_first() {
            if self.ended {
                return;
            }
            bytes = if self.string_state == StringState::Inside {
                self.inside(bytes)
            } else {
                self.keep(&[*first]);
                match self.string_state {
                    StringState::Escaped => self.escaped(*first),
                    StringState::Unicode(left, code) => self.unicode(left, code, *first),
                    StringState::Outside | StringState::Inside => self.outside(*first),
                }
                rest
            };
        }
    }

    /// Counts bytes of an answer that is nothing but generated text.
    pub(crate) const fn count_text(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.text += bytes.len() as u64;
    }

    /// The reported usage.
    pub(super) const fn reported(&self) -> ReportedUsage {
        self.reported
    }

    /// Bytes of generated text.
    pub(super) const fn text(&self) -> u64 {
        self.text
    }

    /// Whether there is a member `error` that is an object or a string.
    pub(crate) const fn has_error(&self) -> bool {
        self.has_error
    }

    /// Whether a choice has a finish reason, or a message a reason why it stopped.
    pub(super) const fn has_finish(&self) -> bool {
        self.has_finish
    }

    /// Whether a choice calls a tool.
    pub(super) const fn has_tool_call(&self) -> bool {
        self.has_tool_call
    }

    /// Whether there is a choice, a content block, or a response of the Responses API.
    pub(crate) const fn has_choice(&self) -> bool {
        self.has_choice
    }

    /// The ID of a response of the Responses API, once it is complete.
    pub(crate) fn response_id(&self) -> Option<&str> {
        valid_id(&self.id).filter(|_| self.has_id)
    }

    /// The IDs of output items and their containers that were completed since the last call.
    pub(crate) fn take_item_ids(&mut self) -> Vec<ItemId> {
        mem::take(&mut self.items)
    }

    /// Whether the current member is such an ID of a whole response.
    fn is_item_id(&self) -> bool {
        matches!(self.member, Member::Id | Member::ContainerId)
            && matches!(&*self.frames, [_, list, _] if list.of == Member::Output && !list.is_object)
    }

    fn is_skipped(&self) -> bool {
        self.deeper > 0 || self.frames.last().is_some_and(|frame| frame.skipped)
    }

    fn in_answer(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.in_answer)
    }

    /// Whether the current string is generated text.
    fn is_text(&self) -> bool {
        !self.in_name
            && matches!(self.member, Member::Text | Member::Content)
            && self.in_answer()
            && !self.is_skipped()
    }

    /// Appends to the current `usage`, up to one byte more than the maximum, so that a longer one
    /// is not valid JSON. Arguments of a tool count as the JSON that they are, without its gaps.
    fn keep(&mut self, bytes: &[u8]) {
        if let Some((_, size)) = &mut self.input {
            let is_gap = self.string_state == StringState::Outside
                && matches!(bytes, [b' ' | b'\t' | b'\n' | b'\r']);
            let more = if is_gap { 0 } else { bytes.len() as u64 };
            *size += more;
            self.text += more;
        }
        if let Some((_, buffer)) = &mut self.usage {
            let free = (MAX_USAGE_BYTES + 1).saturating_sub(buffer.len());
            buffer.extend_from_slice(&bytes[..bytes.len().min(free)]);
        }
    }

    /// Scans a string up to its end or an escape. Returns the remaining bytes.
    fn inside<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let end = memchr2(b'"', b'\\', bytes);
        let plain = &bytes[..end.unwrap_or(bytes.len())];
        if self.in_name {
            let free = (MAX_NAME_BYTES + 1).saturating_sub(self.name.len());
            self.name.extend_from_slice(&plain[..plain.len().min(free)]);
        } else if self.is_text() {
            self.text += plain.len() as u64;
        } else if self.member == Member::FinishReason && !plain.is_empty() {
            self.has_finish |= self.in_answer() && !self.is_skipped();
        } else if self.member == Member::Id && self.frames.len() == 1 {
            let free = (MAX_ID_BYTES + 1).saturating_sub(self.id.len());
            self.id.extend_from_slice(&plain[..plain.len().min(free)]);
        } else if self.member == Member::Status && self.frames.len() == 1 {
            let free = (MAX_STATUS_BYTES + 1).saturating_sub(self.status.len());
            self.status.extend_from_slice(&plain[..plain.len().min(free)]);
        } else if self.is_item_id() {
            let free = (MAX_ID_BYTES + 1).saturating_sub(self.item.len());
            self.item.extend_from_slice(&plain[..plain.len().min(free)]);
        }
        self.keep(plain);
        let Some(end) = end else { return &[] };
        self.keep(&bytes[end..=end]);
        if bytes[end] == b'\\' {
            self.string_state = StringState::Escaped;
            if self.in_name && self.name.len() <= MAX_NAME_BYTES {
                self.name.push(b'\\');
            }
        } else {
            self.string_state = StringState::Outside;
            if !self.in_name {
                self.has_id |= self.member == Member::Id && self.frames.len() == 1;
                self.end_item_id();
                self.value_ended();
            }
        }
        &bytes[end + 1..]
    }

    /// Keeps the ID of an output item or its container, whose string has ended.
    fn end_item_id(&mut self) {
        if self.is_item_id() && self.items.len() < MAX_ITEMS {
            let is_container = self.member == Member::ContainerId;
            let id = valid_id(&self.item).map(str::to_owned);
            self.items.extend(id.map(|id| ItemId { id, is_container }));
        }
    }

    fn escaped(&mut self, byte: u8) {
        if self.in_name && self.name.len() <= MAX_NAME_BYTES {
            self.name.push(byte);
        }
        if self.member == Member::Id && !self.in_name && self.frames.len() == 1 {
            // No ID has characters that need an escape; this one becomes too long.
            self.id.resize(MAX_ID_BYTES + 1, 0);
        }
        if self.is_item_id() && !self.in_name {
            self.item.resize(MAX_ID_BYTES + 1, 0);
        }
        if byte == b'u' && !self.in_name {
            self.string_state = StringState::Unicode(4, 0);
            return;
        }
        self.string_state = StringState::Inside;
        self.text += u64::from(self.is_text());
    }

    fn unicode(&mut self, left: u8, code: u32, byte: u8) {
        let digit = char::from(byte).to_digit(16).unwrap_or_default();
        let code = code << 4 | digit;
        if left > 1 {
            self.string_state = StringState::Unicode(left - 1, code);
            return;
        }
        self.string_state = StringState::Inside;
        if self.is_text() {
            self.text += match code {
                0..0x80 => 1,
                // Each half of a surrogate pair counts two of its four bytes.
                0x80..0x800 | 0xd800..0xe000 => 2,
                _ => 3,
            };
        }
    }

    fn outside(&mut self, byte: u8) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b'"' => {
                self.string_state = StringState::Inside;
                self.in_name = self.at_name;
                self.name.clear();
                self.value_begins(byte);
            }
            b':' => {
                if self.in_name && self.deeper == 0 {
                    self.member = self.named();
                }
                (self.in_name, self.at_name) = (false, false);
            }
            b',' => self.next(),
            b'{' | b'[' => {
                self.value_begins(byte);
                self.open(byte == b'{');
            }
            b'}' | b']' => self.close(),
            _ => {
                self.value_begins(byte);
                // A top-level scalar contains nothing to find.
                self.ended = self.frames.is_empty();
            }
        }
    }

    fn named(&self) -> Member {
        if self.name.contains(&b'\\') {
            let quoted = [b"\"", self.name.as_slice(), b"\""].concat();
            let name: Option<String> = serde_json::from_slice(&quoted).ok();
            return name.map_or(Member::Other, |name| self.form.member(name.as_bytes()));
        }
        self.form.member(&self.name)
    }

    /// Handles the first byte of a value.
    fn value_begins(&mut self, byte: u8) {
        if self.in_name || self.is_skipped() {
            return;
        }
        match self.member {
            Member::Error if self.frames.len() == 1 => {
                self.has_error |= matches!(byte, b'{' | b'"');
                self.member = Member::Other;
            }
            Member::Status if self.frames.len() == 1 => {
                self.status.clear();
                self.has_choice |= byte == b'"';
            }
            Member::Id if self.frames.len() == 1 => self.id.clear(),
            Member::Id | Member::ContainerId => self.item.clear(),
            Member::ToolCalls if byte == b'{' && self.in_answer() => self.has_tool_call = true,
            Member::Input if byte == b'{' && self.in_answer() => {
                self.input = Some((self.frames.len(), 1));
                self.text += 1;
            }
            Member::Usage if byte == b'{' && self.usage.is_none() => {
                self.usage = Some((self.frames.len(), vec![byte]));
            }
            _ => {}
        }
    }

    fn open(&mut self, is_object: bool) {
        self.at_name = is_object;
        if self.deeper > 0 || self.frames.len() == MAX_DEPTH {
            self.deeper += 1;
            return;
        }
        let parent = self.frames.last();
        let is_inside = parent.is_some_and(|frame| frame.in_answer);
        let in_answer = is_inside || self.form.is_root(self.member, self.frames.len());
        let may_be_choice = is_object || self.form == AnswerForm::Responses;
        self.has_choice |=
            may_be_choice && in_answer && self.form.is_choice_depth(self.frames.len());
        let skipped = parent.is_some_and(|frame| frame.skipped)
            || match self.member {
                Member::Skipped | Member::Usage | Member::Input => true,
                // The content of a block is the result of a tool that the server ran. The blocks
                // themselves are the items of a list of that name.
                Member::Content => is_inside && parent.is_some_and(|frame| frame.is_object),
                _ => false,
            };
        self.frames.push(Container { is_object, of: self.member, in_answer, skipped });
        if is_object {
            self.member = Member::Other;
        }
    }

    fn close(&mut self) {
        self.in_name = false;
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.frames.pop();
        }
        let depth = self.frames.len();
        if let Some((_, buffer)) = self.usage.take_if(|(began, _)| *began == depth) {
            self.report(depth, &buffer);
        }
        let is_input_closed = |(began, _): &mut (usize, u64)| *began == depth;
        if self.deeper == 0
            && let Some((_, size)) = self.input.take_if(is_input_closed)
            && size == EMPTY_INPUT_BYTES
        {
            // Events have it where arguments follow, and no event follows where there are none.
            self.text -= size;
        }
        self.ended = self.frames.is_empty();
        self.value_ended();
        self.at_name = false;
    }

    /// The outermost `usage` wins; of several on the same level, the last.
    fn report(&mut self, depth: usize, usage: &[u8]) {
        let usage = ReportedUsage::read(usage);
        if usage != ReportedUsage::default()
            && (self.reported == ReportedUsage::default() || depth <= self.reported_depth)
        {
            (self.reported, self.reported_depth) = (usage, depth);
        }
    }

    fn next(&mut self) {
        self.value_ended();
        self.at_name = self.deeper == 0 && self.frames.last().is_some_and(|frame| frame.is_object);
    }

    /// The next value of an array belongs to the member of the array.
    fn value_ended(&mut self) {
        let list = self.frames.last().filter(|frame| !frame.is_object);
        self.member = list.map_or(Member::Other, |list| list.of);
    }
}

/// An ID that is not empty, and not longer than one may be.
fn valid_id(id: &[u8]) -> Option<&str> {
    let id = std::str::from_utf8(id).ok()?;
    let is_bounded = id.len() <= MAX_ID_BYTES && id.chars().count() <= MAX_ID_CHARS;
    (!id.is_empty() && is_bounded).then_some(id)
}
