//! Protobuf before it is decoded: how many elements a list has, and no more of them than are read.
//!
//! An empty element takes two bytes of a body and 32 of memory as soon as its list is decoded, so
//! a body of 20 MiB could take half a gigabyte.

use axum::body::Bytes;
use latchkey_services::telemetry::MAX_ITEMS;
use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};

/// Lists have small field numbers in all of OTLP's messages.
const LISTS: usize = 32;

/// One field: its number, and where it ends.
struct FieldNumbers {
    rest: Bytes,
}

impl Iterator for FieldNumbers {
    /// The number of a field that may be of a list, 0 for another; none: the message is broken.
    type Item = Option<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.rest.has_remaining() {
            return None;
        }
        let number = decode_key(&mut self.rest).and_then(|(number, kind)| {
            skip_field(kind, number, &mut self.rest, DecodeContext::default())?;
            let number = usize::try_from(number).unwrap_or(usize::MAX);
            let is_of_list = kind == WireType::LengthDelimited && number < LISTS;
            Ok(if is_of_list { number } else { 0 })
        });
        if number.is_err() {
            self.rest.clear();
        }
        Some(number.ok())
    }
}

/// A message without what its lists have beyond 10,000 elements, and how many those were; none: it
/// is broken.
pub(super) fn bounded(message: Bytes) -> Option<(Bytes, usize)> {
    // Two bytes are the least that an element takes.
    if message.len() <= 2 * MAX_ITEMS {
        return Some((message, 0));
    }
    let mut fields = FieldNumbers { rest: message.clone() };
    let (mut counts, mut kept, mut dropped) = ([0_usize; LISTS], Vec::new(), 0);
    let mut begin = 0;
    while let Some(number) = fields.next() {
        let end = message.len() - fields.rest.len();
        let count = &mut counts[number?];
        *count += 1;
        let is_beyond = number != Some(0) && *count > MAX_ITEMS;
        if is_beyond && dropped == 0 {
            kept.extend_from_slice(&message[..begin]);
        }
        if is_beyond {
            dropped += 1;
        } else if dropped > 0 {
            kept.extend_from_slice(&message[begin..end]);
        }
        begin = end;
    }
    Some(if dropped > 0 { (kept.into(), dropped) } else { (message, 0) })
}

/// How many data points a body of metrics has: those at the ends of these fields, one in another.
/// None: it is broken.
pub(super) fn count(message: Bytes, path: &[&[u32]]) -> Option<usize> {
    let Some((fields, rest)) = path.split_first() else { return Some(1) };
    let mut message = message;
    let mut count = 0;
    while message.has_remaining() {
        let (number, kind) = decode_key(&mut message).ok()?;
        if kind == WireType::LengthDelimited && fields.contains(&number) {
            let length = prost::encoding::decode_varint(&mut message).ok()?;
            let length = usize::try_from(length).ok()?;
            if length > message.remaining() {
                return None;
            }
            count += self::count(message.split_to(length), rest)?;
        } else {
            skip_field(kind, number, &mut message, DecodeContext::default()).ok()?;
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_at_their_bound_and_other_fields_stay() {
        let element = [2 << 3 | 2, 1, 7];
        let number = [3 << 3, 5];
        for more in [0, 1, 25_000] {
            let before = element.repeat(MAX_ITEMS);
            let message = [&before[..], &number, &element.repeat(more), &number].concat();
            let (bounded, dropped) = bounded(message.into()).unwrap();
            assert_eq!(dropped, more);
            assert_eq!(bounded, [&before[..], &number, &number].concat());
        }
    }

    #[test]
    fn broken_messages_are_none() {
        let element = [2 << 3 | 2, 1, 7].repeat(MAX_ITEMS);
        for end in [&[0x0a, 0xff][..], &[0xff; 12], &[0x0c]] {
            assert!(bounded([&element[..], end].concat().into()).is_none(), "{end:?}");
        }
    }
}
