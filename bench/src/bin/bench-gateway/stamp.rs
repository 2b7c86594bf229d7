//! The time at which an event was sent, as text within the event.

use std::time::Duration;

use anyhow::Context;

/// Begins a stamp. The rest of an event does not contain it.
const MARK: char = '@';
/// Digits of a stamp: microseconds of the bench's clock.
const DIGITS: usize = 13;

/// The stamp of a time.
pub(crate) fn write(time: Duration) -> String {
    format!("{MARK}{:0DIGITS$}", time.as_micros())
}

/// Removes the complete stamps from the front of what was received, with all that is before them.
///
/// # Errors
/// Something else follows a mark.
pub(crate) fn take(unread: &mut Vec<u8>) -> anyhow::Result<Vec<Duration>> {
    let mut stamps = Vec::new();
    let mut read = 0;
    while let Some(rest) = unread.get(read..)
        && let Some(at) = rest.iter().position(|byte| char::from(*byte) == MARK)
        && let Some(digits) = rest.get(at + 1..=at + DIGITS)
    {
        let micros = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        stamps.push(Duration::from_micros(micros.context("an event has no time")?));
        read += at + 1 + DIGITS;
    }
    unread.drain(..read);
    Ok(stamps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_taken_when_they_are_complete() {
        let times = [Duration::from_micros(7), Duration::from_secs(1)];
        let text = times.map(|time| format!("data: {{{}}}\n\n", write(time))).concat();
        let (first, second) = text.split_at(text.len() - 5);
        let mut unread = first.as_bytes().to_vec();
        assert_eq!(take(&mut unread).unwrap(), times[..1]);
        unread.extend_from_slice(second.as_bytes());
        assert_eq!(take(&mut unread).unwrap(), times[1..]);
        assert_eq!(unread, b"}\n\n");
        assert!(take(&mut b"@not a time at all".to_vec()).is_err());
    }
}
