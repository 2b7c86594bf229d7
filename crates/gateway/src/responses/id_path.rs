//! The path of a stored response.

/// An ID as one segment of a path, whatever an upstream has put into it.
pub(super) fn encoded(id: &str) -> String {
    let mut path = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => path.push(char::from(byte)),
            _ => {
                path.push('%');
                for digit in [byte >> 4, byte & 15] {
                    let digit = char::from_digit(digit.into(), 16).unwrap_or_default();
                    path.push(digit.to_ascii_uppercase());
                }
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_one_segment_of_the_path() {
        assert_eq!(encoded("resp_0a-B"), "resp_0a-B");
        assert_eq!(encoded("../x?y#é%"), "%2E%2E%2Fx%3Fy%23%C3%A9%25");
    }
}
