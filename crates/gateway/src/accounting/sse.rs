//! Server-sent events by the [HTML
//! standard](https://html.spec.whatwg.org/multipage/server-sent-events.html): lines end with LF,
//! CRLF or CR, an empty line ends an event, and data may span several lines.

use std::borrow::Cow;

use memchr::{memchr2, memchr2_iter};

/// Length of the first complete event, including its empty line. The first `from` bytes were
/// searched before.
pub(crate) fn next_event(bytes: &[u8], from: usize) -> Option<usize> {
    // The end of an event may have begun in the part that was searched before.
    let from = from.saturating_sub(3);
    memchr2_iter(b'\n', b'\r', &bytes[from..]).find_map(|at| {
        let at = from + at;
        let next = at + line_end(&bytes[at..])?;
        Some(next + line_end(bytes.get(next..)?)?)
    })
}

/// Length of the line ending at the start of `bytes`.
fn line_end(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n' | b'\r', ..] => Some(1),
        _ => None,
    }
}

/// The data of an event, if it has any.
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
    fn event_ends_at_any_kind_of_empty_line() {
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
    fn data_may_span_several_lines() {
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
