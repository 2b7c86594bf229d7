//! A form: what the gateway reads of it, and the body that is sent upstream.
//!
//! The form is passed on as it came. Only if the upstream has another name for the model, the part
//! that names it is replaced.

use std::ops::Range;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};

use super::multipart::{self, BadForm, FormPart};
use crate::MAX_FORM_TEXT_BYTES;
use crate::error::GatewayError;
use crate::fields::Fields;

/// The part with the recording.
const FILE: &str = "file";
/// A part that says in which character set the others are.
const CHARSET: &str = "_charset_";
/// Parts that a form may have once.
const SINGLE_PARTS: [&str; 4] = ["model", FILE, "prompt", "stream"];

/// A form as it came.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    body: Bytes,
    content_type: HeaderValue,
    /// Where the part that names the model is.
    model: Range<usize>,
    /// Size of the recording.
    recording_bytes: usize,
}

impl Form {
    /// Reads a form and its texts. Files are not looked into.
    ///
    /// # Errors
    /// 400: it is not a form, could be read in two ways, or has no model or no recording.
    pub(crate) fn read(
        headers: &HeaderMap,
        body: Bytes,
        prompt: &str,
    ) -> Result<(Self, Fields), GatewayError> {
        let content_type = content_type(headers)?;
        // It was read as text before.
        let boundary = multipart::boundary(content_type.to_str().unwrap_or_default());
        let parts = boundary.and_then(|boundary| multipart::parts(&body, boundary));
        let parts = parts.map_err(malformed)?;
        let (mut texts, mut text_bytes) = (Vec::with_capacity(parts.len()), 0_usize);
        for (index, part) in parts.iter().enumerate() {
            let name = field_name(part, &parts[..index])?;
            let text = if part.is_file || name == FILE { "" } else { text(part, &body)? };
            text_bytes = text_bytes.saturating_add(text.len());
            if text_bytes > MAX_FORM_TEXT_BYTES {
                let message = "All texts of the form together must not exceed 1 MiB.";
                return Err(GatewayError::invalid(name, message));
            }
            texts.push((name.to_owned(), text.to_owned()));
        }
        let find = |name: &str| parts.iter().find(|part| part.name == name);
        let model = find("model").map(|part| part.whole.clone());
        let model = model.ok_or_else(|| GatewayError::invalid("model", "Specify a model."))?;
        let recording_bytes = match find(FILE).map(|part| part.value.len()) {
            None => {
                let message = "Send the recording as a part with the name `file`.";
                return Err(GatewayError::invalid(FILE, message));
            }
            Some(0) => return Err(GatewayError::invalid(FILE, "The file is empty.")),
            Some(bytes) => bytes,
        };
        let form = Self { body, content_type, model, recording_bytes };
        Ok((form, Fields::of_texts(texts, prompt)))
    }

    /// Size of the recording.
    pub(crate) const fn recording_bytes(&self) -> usize {
        self.recording_bytes
    }

    /// The `Content-Type` with the boundary.
    pub(crate) const fn content_type(&self) -> &HeaderValue {
        &self.content_type
    }

    /// The form for the upstream. `model` replaces the name of the model.
    pub(crate) fn into_bytes(self, model: Option<&str>) -> Bytes {
        let Some(model) = model else { return self.body };
        // Its headers are replaced too, as they may state the length of the value.
        let part = format!("Content-Disposition: form-data; name=\"model\"\r\n\r\n{model}");
        let Range { start, end } = self.model;
        [&self.body[..start], part.as_bytes(), &self.body[end..]].concat().into()
    }
}

/// The one `Content-Type` of a request.
fn content_type(headers: &HeaderMap) -> Result<HeaderValue, GatewayError> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if value.to_str().is_ok() => Ok(value.clone()),
        (None, _) => Err(malformed(BadForm("Send the form as `multipart/form-data`."))),
        _ => Err(malformed(BadForm("Send one `Content-Type` of ASCII characters."))),
    }
}

/// The field that a part belongs to: some servers collect `a[]` and `a[b]` in `a`.
fn field_name<'a>(part: &'a FormPart, before: &[FormPart]) -> Result<&'a str, GatewayError> {
    let name = part.name.split('[').next().unwrap_or_default();
    if name.eq_ignore_ascii_case(CHARSET) {
        return Err(GatewayError::invalid(CHARSET, "Send the form in UTF-8, without this field."));
    }
    let is_single = SINGLE_PARTS.contains(&name);
    if is_single && (name != part.name || before.iter().any(|other| other.name == name)) {
        let message = format!("Send this field once, as `{name}`.");
        return Err(GatewayError::invalid(name, message));
    }
    if is_single && part.is_file && name != FILE {
        return Err(GatewayError::invalid(name, "Send this field without a file name."));
    }
    Ok(name)
}

fn text<'a>(part: &FormPart, body: &'a [u8]) -> Result<&'a str, GatewayError> {
    let text = std::str::from_utf8(&body[part.value.clone()]);
    text.map_err(|_| GatewayError::invalid(&part.name, "This field must be text in UTF-8."))
}

fn malformed(BadForm(message): BadForm) -> GatewayError {
    GatewayError::new(StatusCode::BAD_REQUEST, "malformed", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, value: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n")
    }

    fn read(parts: &[String]) -> Result<(Form, Fields), GatewayError> {
        let kind = HeaderValue::from_static("multipart/form-data; boundary=b");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
        Form::read(&headers, format!("{}--b--\r\n", parts.concat()).into(), "prompt")
    }

    fn model() -> String {
        part("model", "whisper-1")
    }

    fn file() -> String {
        part("file; filename=\"a.wav\"", "RIFF")
    }

    #[test]
    fn model_is_read_wherever_it_stands() {
        let (first, last) = ([model(), file()], [file(), part("prompt", "é"), model()]);
        for parts in [first.as_slice(), &last] {
            let (form, fields) = read(parts).unwrap();
            assert_eq!(fields.get("model"), Some("\"whisper-1\""));
            let whole = format!("{}--b--\r\n", parts.concat());
            assert_eq!(form.clone().into_bytes(None), whole, "byte for byte");
            let renamed = String::from_utf8(form.into_bytes(Some("w/1")).into()).unwrap();
            let other = "Content-Disposition: form-data; name=\"model\"\r\n\r\nw/1";
            let wanted = whole.replace(&model(), &format!("--b\r\n{other}\r\n"));
            assert_eq!(renamed, wanted, "nothing else is changed");
        }
    }

    #[test]
    fn doubtful_fields_of_a_form_are_named() {
        for (parts, param) in [
            (vec![file()], "model"),
            (vec![model(), file(), model()], "model"),
            (vec![model(), file(), part("\"model[]\"", "x")], "model"),
            (vec![part("model; filename=a", "x"), file()], "model"),
            (vec![model()], "file"),
            (vec![model(), file(), file()], "file"),
            (vec![model(), part("file; filename=a", "")], "file"),
            (vec![model(), file(), part("prompt", &"x".repeat(MAX_FORM_TEXT_BYTES))], "prompt"),
            (vec![model(), file(), part("stream", "1"), part("stream", "0")], "stream"),
            (vec![part("_charset_", "utf-7"), model(), file()], "_charset_"),
        ] {
            let refused = read(&parts).unwrap_err();
            assert_eq!(refused.param(), Some(param), "{}", refused.message());
        }
        let several = [model(), file(), part("\"include[]\"", "a"), part("\"include[]\"", "b")];
        assert!(read(&several).is_ok());
    }

    #[test]
    fn only_texts_of_a_form_are_counted() {
        let long = "RIFF".repeat(10_000);
        let parts = [model(), part("file; filename=a", &long), part("prompt", "12345678")];
        let (_, fields) = read(&parts).unwrap();
        let tokens = |name: &str| {
            fields.iter().find(|field| field.name == name).map(|field| field.tokens.estimate)
        };
        assert_eq!((tokens("file"), tokens("prompt")), (Some(0), Some(2)));
    }
}
