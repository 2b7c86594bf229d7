//! Finds the parts of a `multipart/form-data` body ([RFC
//! 7578](https://www.rfc-editor.org/rfc/rfc7578)) and where they are in it.
//!
//! The gateway checks the model of a form that it passes on as it came. Servers read forms that are
//! not written by the letter in different ways: bare line feeds, text before the first part, two
//! names of one part, escapes in names. An upstream could then read another model than the one that
//! was checked. So whatever could be read in two ways is refused.

use std::ops::Range;

use memchr::memmem;

/// Maximum number of parts.
pub(crate) const MAX_PARTS: usize = 256;
/// Maximum size of a part's headers.
const MAX_HEAD_BYTES: usize = 4 * 1024;
/// Maximum length of a boundary, by RFC 2046.
const MAX_BOUNDARY_BYTES: usize = 70;

/// Why a form cannot be read, in words for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadForm(pub(crate) &'static str);

const CONTENT_TYPE: BadForm = BadForm(
    "Send the form as `multipart/form-data` with one `boundary`, and no other parameter than \
     `charset=utf-8`.",
);
const BOUNDARY: BadForm = BadForm(
    "The boundary of the form must have 1 to 70 letters, digits or marks that RFC 2046 allows.",
);
const BOUNDARY_INSIDE: BadForm = BadForm(
    "The form must begin with its boundary, which must not occur in a part and be followed by \
     CRLF or `--`.",
);
const END: BadForm = BadForm("The form must end with its boundary and `--`.");
const TOO_MANY_PARTS: BadForm = BadForm("The form has more than 256 parts.");
const HEAD: BadForm = BadForm(
    "Each part of the form needs headers of at most 4 KiB, one a line, and an empty line after \
     them.",
);
const DISPOSITION: BadForm = BadForm(
    "Each part of the form needs one header `Content-Disposition: form-data; name=\"…\"`, with no \
     other parameters than `filename` and `filename*`, and no escapes.",
);
const ENCODING: BadForm = BadForm("The parts of the form must not be encoded.");

/// A name, and where in the body its value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormPart {
    pub(crate) name: String,
    /// Whether it has a file name.
    pub(crate) is_file: bool,
    /// Where its headers and its value are, without the lines of the boundary.
    pub(crate) whole: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// The boundary in a `Content-Type`.
///
/// # Errors
/// Another type, no boundary, or more than one.
pub(crate) fn boundary(content_type: &str) -> Result<&str, BadForm> {
    let (kind, parameters) = content_type.split_once(';').ok_or(CONTENT_TYPE)?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(CONTENT_TYPE);
    }
    let mut boundary = None;
    for parameter in parameters.split(';') {
        let (name, value) = parameter.trim().split_once('=').ok_or(CONTENT_TYPE)?;
        if name.eq_ignore_ascii_case("boundary") {
            if boundary.replace(value).is_some() {
                return Err(CONTENT_TYPE);
            }
        } else if !name.eq_ignore_ascii_case("charset") || !value.eq_ignore_ascii_case("utf-8") {
            // Some servers read even the names of the parts in this character set. In UTF-7 a name
            // of plain ASCII characters may be another one.
            return Err(CONTENT_TYPE);
        }
    }
    let written = boundary.ok_or(CONTENT_TYPE)?;
    let quoted = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let is_allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || b"'+_-.".contains(&byte)
            // Without quotes these end the boundary for some servers.
            || quoted.is_some() && b"(),/:=?".contains(&byte)
    };
    let boundary = quoted.unwrap_or(written);
    let is_valid =
        (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len()) && boundary.bytes().all(is_allowed);
    if is_valid { Ok(boundary) } else { Err(BOUNDARY) }
}

/// The parts of a body, in their order. Takes time linear in the body.
///
/// # Errors
/// The body is not a form, or could be read in more than one way.
pub(crate) fn parts(body: &[u8], boundary: &str) -> Result<Vec<FormPart>, BadForm> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    // Where the current part begins. None before the first.
    let mut begin: Option<usize> = None;
    for at in memmem::find_iter(body, delimiter.as_bytes()) {
        match begin {
            None if at == 0 => {}
            Some(begin) if at >= begin + 2 && body[at - 2..at] == *b"\r\n" => {
                if parts.len() == MAX_PARTS {
                    return Err(TOO_MANY_PARTS);
                }
                parts.push(part(body, begin..at - 2)?);
            }
            _ => return Err(BOUNDARY_INSIDE),
        }
        match &body[at + delimiter.len()..] {
            [b'\r', b'\n', ..] => begin = Some(at + delimiter.len() + 2),
            [b'-', b'-'] | [b'-', b'-', b'\r', b'\n'] => return Ok(parts),
            [b'-', b'-', ..] => return Err(END),
            _ => return Err(BOUNDARY_INSIDE),
        }
    }
    Err(if begin.is_none() { BOUNDARY_INSIDE } else { END })
}

/// Reads the headers of a part.
fn part(body: &[u8], whole: Range<usize>) -> Result<FormPart, BadForm> {
    let bytes = &body[whole.clone()];
    let head = &bytes[..bytes.len().min(MAX_HEAD_BYTES)];
    let end = memmem::find(head, b"\r\n\r\n").ok_or(HEAD)?;
    let head = std::str::from_utf8(&head[..end]).map_err(|_| HEAD)?;
    let mut disposition = None;
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or(HEAD)?;
        // A line that begins with a space would continue the line before it.
        if name.is_empty() || !name.bytes().all(is_token) || value.contains(char::is_control) {
            return Err(HEAD);
        }
        let value = value.trim_matches(' ');
        if name.eq_ignore_ascii_case("content-disposition") {
            if disposition.replace(Disposition::read(value)?).is_some() {
                return Err(DISPOSITION);
            }
        } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
            let is_plain = |encoding: &&str| value.eq_ignore_ascii_case(encoding);
            if !["7bit", "8bit", "binary"].iter().any(is_plain) {
                return Err(ENCODING);
            }
        }
    }
    let Disposition { name, is_file } = disposition.ok_or(DISPOSITION)?;
    let value = whole.start + end + 4..whole.end;
    Ok(FormPart { name, is_file, whole, value })
}

/// What a `Content-Disposition` says.
struct Disposition {
    name: String,
    is_file: bool,
}

impl Disposition {
    fn read(value: &str) -> Result<Self, BadForm> {
        let (kind, mut rest) = value.split_at(value.find(';').ok_or(DISPOSITION)?);
        if !kind.trim_end_matches(' ').eq_ignore_ascii_case("form-data") {
            return Err(DISPOSITION);
        }
        let (mut name, mut file_name, mut encoded_file_name) = (None, None, None);
        while !rest.is_empty() {
            let parameter = rest.trim_start_matches(' ').strip_prefix(';').ok_or(DISPOSITION)?;
            let (key, after) =
                parameter.trim_start_matches(' ').split_once('=').ok_or(DISPOSITION)?;
            let (text, after) = parameter_value(after)?;
            let place = match key.to_ascii_lowercase().as_str() {
                "name" => &mut name,
                "filename" => &mut file_name,
                "filename*" => &mut encoded_file_name,
                _ => return Err(DISPOSITION),
            };
            if place.replace(text).is_some() {
                return Err(DISPOSITION);
            }
            rest = after;
        }
        let is_plain = |name: &&str| {
            // Some servers decode names as those in mails (RFC 2047): `=?utf-8?q?model?=`.
            let is_encoded = name.contains(['\\', '%']) || name.contains("=?");
            !is_encoded && !name.is_empty() && name.trim() == *name
        };
        let name = name.filter(is_plain).ok_or(DISPOSITION)?.to_owned();
        Ok(Self { name, is_file: file_name.is_some() || encoded_file_name.is_some() })
    }
}

/// The value of a parameter, and what follows it.
fn parameter_value(text: &str) -> Result<(&str, &str), BadForm> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find([';', ' ']).unwrap_or(text.len()));
        let is_token = !value.is_empty() && value.bytes().all(is_token);
        return if is_token { Ok((value, rest)) } else { Err(DISPOSITION) };
    };
    let (value, rest) = quoted.split_once('"').ok_or(DISPOSITION)?;
    // Browsers write no escapes, so only some servers read this as an escaped quote.
    if value.ends_with('\\') { Err(DISPOSITION) } else { Ok((value, rest)) }
}

/// Characters of a token, by RFC 9110.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(parts: &[&str]) -> String {
        let parts: Vec<String> = parts.iter().map(|part| format!("--b\r\n{part}\r\n")).collect();
        format!("{}--b--\r\n", parts.concat())
    }

    fn named(name: &str, value: &str) -> String {
        format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}")
    }

    fn fault(body: &str) -> BadForm {
        parts(body.as_bytes(), "b").unwrap_err()
    }

    #[test]
    fn parts_are_found_with_their_places() {
        let file = "content-disposition: FORM-DATA; filename=\"a b.wav\"; name=file\r\n\
                    Content-Type: audio/wav\r\nContent-Transfer-Encoding: binary\r\n\r\n\r\n--\r\n";
        let body = form(&[&named("model", "whisper-1"), file, &named("prompt", "")]);
        let found = parts(body.as_bytes(), "b").unwrap();
        let shown: Vec<(&str, bool, &str)> = found
            .iter()
            .map(|part| (part.name.as_str(), part.is_file, &body[part.value.clone()]))
            .collect();
        assert_eq!(
            shown,
            [("model", false, "whisper-1"), ("file", true, "\r\n--\r\n"), ("prompt", false, "")]
        );
        assert_eq!(&body[found[1].whole.clone()], file);
        assert!(parts(b"--b--", "b").unwrap().is_empty());
    }

    #[test]
    fn boundary_is_read_from_the_content_type() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=----WebKitFormBoundary7M", "----WebKitFormBoundary7M"),
            ("Multipart/Form-Data;boundary=\"a:b=c/d\"", "a:b=c/d"),
            ("multipart/form-data; charset=UTF-8; Boundary=x", "x"),
        ] {
            assert_eq!(boundary(content_type), Ok(expected), "{content_type}");
        }
        let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
        for content_type in [
            "application/json",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=\"a",
            "multipart/form-data; boundary=a b",
            "multipart/form-data; boundary=a:b",
            "multipart/form-data; boundary=\"a;b\"",
            "multipart/form-data; boundary=a; boundary=b",
            "multipart/form-data; boundary=a; x=y",
            "multipart/form-data; boundary*=a",
            "multipart/form-data; charset=\"; boundary=a",
            "multipart/form-data; charset=utf-7; boundary=a",
            "multipart/form-data; boundary=a; charset=utf-16",
            "multipart/mixed; boundary=a",
            &long,
        ] {
            assert!(boundary(content_type).is_err(), "{content_type}");
        }
    }

    #[test]
    fn broken_boundaries_are_refused() {
        let part = named("model", "m");
        for (body, expected) in [
            (String::new(), BOUNDARY_INSIDE),
            (format!("\r\n{}", form(&[&part])), BOUNDARY_INSIDE),
            (format!("x{}", form(&[&part])), BOUNDARY_INSIDE),
            (format!("--b\n{part}\r\n--b--"), BOUNDARY_INSIDE),
            (format!("--b\r\n{part}\n--b--"), BOUNDARY_INSIDE),
            (format!("--b\r\n{part}--b--"), BOUNDARY_INSIDE),
            (format!("--b \r\n{part}\r\n--b--"), BOUNDARY_INSIDE),
            (form(&[&named("model", "x\n--b\ny")]), BOUNDARY_INSIDE),
            (form(&[&named("model", "x--by")]), BOUNDARY_INSIDE),
            (format!("--b\r\n{part}"), END),
            (format!("--b\r\n{part}\r\n--c--\r\n"), END),
            (format!("{}more", form(&[&part])), END),
            (form(&["no head"]), HEAD),
            (form(&["\r\n\r\nx"]), HEAD),
            ("--b\r\n\r\n--b--\r\n".to_owned(), HEAD),
        ] {
            assert_eq!(fault(&body), expected, "{body:?}");
        }
        let many = named("a", "");
        assert!(parts(form(&[many.as_str(); MAX_PARTS]).as_bytes(), "b").is_ok());
        assert_eq!(fault(&form(&[many.as_str(); MAX_PARTS + 1])), TOO_MANY_PARTS);
    }

    #[test]
    fn ambiguous_headers_are_refused() {
        let disposition = "Content-Disposition: form-data; name=\"model\"";
        for head in [
            "Content-Type: text/plain",
            "Content-Disposition: form-data",
            "Content-Disposition: form-data; name=\"\"",
            "Content-Disposition: form-data; name=\" model\"",
            "Content-Disposition: form-data; name=\"model",
            "Content-Disposition: form-data; name=\"mo\\del\"",
            "Content-Disposition: form-data; name=\"mo%64el\"",
            "Content-Disposition: form-data; name=\"=?utf-8?q?model?=\"",
            "Content-Disposition: form-data; name=\"a\"; name=\"model\"",
            "Content-Disposition: form-data; name*=utf-8''model",
            "Content-Disposition: form-data; filename=\"a\\\"; name=\"model\"",
            "Content-Disposition: attachment; name=\"model\"",
            "Content-Disposition : form-data; name=\"model\"",
            &format!("{disposition}\r\n{disposition}"),
            &format!("{disposition};\r\n filename=\"a\""),
            &format!("{disposition}\nX: y"),
            &format!("{disposition}\r\nContent-Transfer-Encoding: base64"),
            &format!("{disposition}; filename=\"{}\"", "a".repeat(MAX_HEAD_BYTES)),
        ] {
            let body = form(&[&format!("{head}\r\n\r\nm")]);
            assert!(parts(body.as_bytes(), "b").is_err(), "{head}");
        }
    }

    proptest! {
        #[test]
        fn every_written_form_is_read_back(
            values in proptest::collection::vec("[c-z\r\n-]{0,20}", 0..8),
        ) {
            let written: Vec<String> = values.iter().map(|value| named("x", value)).collect();
            let written: Vec<&str> = written.iter().map(String::as_str).collect();
            let body = form(&written);
            let found = parts(body.as_bytes(), "b").unwrap();
            let found: Vec<&str> = found.iter().map(|part| &body[part.value.clone()]).collect();
            prop_assert_eq!(found, values.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
