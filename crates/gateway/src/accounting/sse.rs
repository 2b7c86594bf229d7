//! Server-sent events as the [HTML
//! standard](https://html.spec.whatwg.org/multipage/server-sent-events.html) has them: lines end
//! with LF, CRLF or CR, an event ends with an empty line, and its data may stand on several lines.

use std::borrow::Cow;

use memchr::{memchr2, memchr2_iter};

/// The length of the first whole event, its empty line included. `from` is how much was looked at
/// before.
pub(crate) fn next_event(bytes: &[u8], from: usize) -> Option<usize> {
    // An end may lie across what was looked at before and what has come since.
    let from = from.saturating_sub(3);
    memchr2_iter(b'\n', b'\r', &bytes[from..]).find_map(|at| {
        let at = from + at;
        let next = at + line_end(&bytes[at..])?;
        Some(next + line_end(bytes.get(next..)?)?)
    })
}

/// The length of the end of a line that stands at the beginning.
fn line_end(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n' | b'\r', ..] => Some(1),
        _ => None,
    }
}

/// An event's data; none: it has none.
pub(crate) fn data(event: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut found: Option<Cow<'_, [u8]>> = None;
    let mut rest = event;
    while !rest.is_empty() {
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        if let Some(value) = rest[..end].strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &mut found {
                None => found = Some(Cow::Borrowed(value)),
                Some(more) => {
                    let more = more.to_mut();
                    more.push(b'\n');
                    more.extend_from_slice(value);
                }
            }
        }
        rest = &rest[end..];
        rest = &rest[line_end(rest).unwrap_or_default()..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_end_with_an_empty_line_of_any_kind() {
        for end in ["\n\n", "\r\n\r\n", "\r\r", "\n\r\n", "\r\n\n"] {
            let first = format!("data: {{\"a\":1}}{end}");
            let two = format!("{first}data: b{end}");
            assert_eq!(next_event(two.as_bytes(), 0), Some(first.len()), "{end:?}");
            for from in 0..first.len() {
                assert_eq!(next_event(two.as_bytes(), from), Some(first.len()), "{end:?} {from}");
            }
        }
        for open in ["", "data: a", "data: a\n", "data: a\r\n", "data: a\r\ndata: b\n"] {
            assert_eq!(next_event(open.as_bytes(), 0), None, "{open:?}");
        }
    }

    #[test]
    fn data_may_stand_on_several_lines() {
        let read = |event: &str| {
            data(event.as_bytes()).map(|data| String::from_utf8(data.into()).unwrap())
        };
        assert_eq!(read("data: a\n\n").unwrap(), "a");
        assert_eq!(read("event: x\r\ndata:a\r\nid: 7\r\n\r\n").unwrap(), "a");
        assert_eq!(read("data: a\rdata:  b\r\r").unwrap(), "a\n b");
        assert_eq!(read("data: a").unwrap(), "a");
        assert_eq!(read(": comment\n\n"), None);
        assert_eq!(read("database: a\n\n"), None);
    }
}
