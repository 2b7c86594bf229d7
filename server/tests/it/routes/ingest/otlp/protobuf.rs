//! Protobuf written by hand, so that no mistake of the reader is made here too.

use super::START_NANOS;

pub(super) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let [low, ..] = (value & 0x7f).to_le_bytes();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A field that is a text, bytes or a message.
pub(super) fn field(number: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let length = u64::try_from(content.len()).unwrap();
    [varint(number << 3 | 2), varint(length), content.to_vec()].concat()
}

pub(super) fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

pub(super) fn fixed64(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3 | 1), value.to_le_bytes().to_vec()].concat()
}

/// An attribute with a text.
pub(super) fn attribute(field_number: u64, key: &str, value: &str) -> Vec<u8> {
    field(field_number, [field(1, key), field(2, field(1, value))].concat())
}

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// A span without attributes: its ids, its name and 12.5 ms.
pub(super) fn span(name: &str) -> Vec<u8> {
    [
        field(1, hex(super::TRACE)),
        field(2, hex(super::SPAN)),
        field(5, name),
        number(6, 2),
        fixed64(7, START_NANOS),
        fixed64(8, START_NANOS + 12_500_000),
    ]
    .concat()
}

/// A log record with a text.
pub(super) fn record(message: &str) -> Vec<u8> {
    [fixed64(1, START_NANOS), number(2, 9), field(5, field(1, message))].concat()
}

/// The request: one resource, one scope, these items.
pub(super) fn request(items: &[Vec<u8>]) -> Vec<u8> {
    let scope = field(1, [field(1, "shop.checkout"), field(2, "1.2.3")].concat());
    let items = items.iter().flat_map(|item| field(2, item));
    let scope_items: Vec<u8> = scope.into_iter().chain(items).collect();
    let resource = field(1, attribute(1, "service.name", "shop"));
    field(1, [resource, field(2, scope_items)].concat())
}

/// What an answer says of items that were not stored: how many, and why.
pub(super) fn partial_success(answer: &[u8]) -> (u8, String) {
    // ExportResponse.partial_success, of a length under 128 or in two bytes.
    assert_eq!(answer[0], 1 << 3 | 2);
    let content = if answer[1] < 128 { &answer[2..] } else { &answer[3..] };
    // rejected (under 128), then error_message.
    assert_eq!((content[0], content[2]), (1 << 3, 2 << 3 | 2));
    let text = if content[3] < 128 { &content[4..] } else { &content[5..] };
    (content[1], String::from_utf8(text.to_vec()).unwrap())
}
