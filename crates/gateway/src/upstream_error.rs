//! Parses the error of an upstream into a form that clients may see.
//!
//! Its message helps to correct a request, but it may contain the upstream's address and
//! credentials. These are removed, and the message is cut to a maximum length.

use std::borrow::Cow;

use serde_json::Value;

/// Maximum size of an error body that is read.
pub(super) const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Maximum length of the message, in characters.
const MAX_MESSAGE_CHARS: usize = 1_000;
/// Maximum length of types, codes and parameter names.
const MAX_CODE_CHARS: usize = 64;
/// A run of letters and digits of this length is taken for a credential.
const MIN_OPAQUE_LENGTH: usize = 32;

/// Prefixes of common providers' credentials.
const CREDENTIAL_PREFIXES: [&str; 14] = [
    "sk-", "sk_", "pk-", "rk_", "xai-", "gsk_", "hf_", "AIza", "ghp_", "eyJ", "nvapi-", "tgp_",
    "fw_", "AKIA",
];
/// Common last labels of host names. A dotted word that ends otherwise may be the path of a field
/// or a version.
const HOST_SUFFIXES: [&str; 26] = [
    "com",
    "net",
    "org",
    "io",
    "ai",
    "dev",
    "app",
    "cloud",
    "co",
    "eu",
    "de",
    "fr",
    "uk",
    "us",
    "cn",
    "jp",
    "in",
    "xyz",
    "tech",
    "internal",
    "local",
    "localdomain",
    "svc",
    "lan",
    "corp",
    "arpa",
];

/// An error as a client may see it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UpstreamError {
    pub(super) message: String,
    pub(super) kind: Option<String>,
    pub(super) param: Option<String>,
    pub(super) code: Option<String>,
}

/// The message where the upstream sent none.
const DEFAULT_MESSAGE: &str = "The upstream rejected this request.";
/// Types and codes by which servers reject credentials.
const UNAUTHORIZED_CODES: [&str; 7] = [
    "auth_error",
    "authentication_error",
    "invalid_api_key",
    "invalid_authentication",
    "unauthorized",
    "unauthenticated",
    // LiteLLM without a database, if the key is not its master key.
    "no_db_connection",
];

impl UpstreamError {
    /// Whether the upstream account has no quota left, so that retrying is useless.
    pub(super) fn is_quota(&self) -> bool {
        let is = |text: &Option<String>| text.as_deref() == Some("insufficient_quota");
        is(&self.kind) || is(&self.code)
    }

    /// Whether the error is about this server's credentials, not about the request.
    pub(super) fn is_unauthorized(&self) -> bool {
        let words = self.message.to_ascii_lowercase();
        [&self.kind, &self.code]
            .into_iter()
            .flatten()
            .any(|text| UNAUTHORIZED_CODES.contains(&text.as_str()))
            || ["api key", "authentication error", "invalid token", "invalid credentials"]
                .iter()
                .any(|about| words.contains(about))
    }
}

/// Parses an error in any common format: OpenAI's, a string in `error`, `FastAPI`'s `detail`, the
/// members of an error at the top level, or plain text. `secrets` are the upstream's host and API
/// key.
pub(super) fn read<'a>(
    body: &[u8],
    secrets: &(impl Iterator<Item = &'a str> + Clone),
) -> UpstreamError {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let plain = || {
        let text = std::str::from_utf8(body).unwrap_or_default().trim();
        // An HTML page is of no use to a program.
        (!text.starts_with(['<', '{', '['])).then(|| text.to_owned())
    };
    let members = match &json {
        Some(Value::Object(members)) => members,
        Some(Value::String(text)) => return UpstreamError::of_message(text, secrets.clone()),
        _ => return UpstreamError::of_message(&plain().unwrap_or_default(), secrets.clone()),
    };
    let members = match members.get("error").or_else(|| members.get("detail")) {
        Some(Value::Object(error)) => error,
        Some(Value::String(text)) => return UpstreamError::of_message(text, secrets.clone()),
        Some(Value::Array(errors)) => {
            return UpstreamError::of_message(&validation_messages(errors), secrets.clone());
        }
        _ => members,
    };
    let text = |name: &str, most: usize| {
        let text = match members.get(name)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some(sanitize(&text, secrets.clone(), most))
    };
    let message = text("message", MAX_MESSAGE_CHARS).or_else(|| text("error", MAX_MESSAGE_CHARS));
    UpstreamError {
        message: message
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| DEFAULT_MESSAGE.to_owned()),
        kind: text("type", MAX_CODE_CHARS),
        param: text("param", MAX_CODE_CHARS),
        code: text("code", MAX_CODE_CHARS),
    }
}

impl UpstreamError {
    fn of_message<'a>(text: &str, secrets: impl Iterator<Item = &'a str>) -> Self {
        let message = sanitize(text, secrets, MAX_MESSAGE_CHARS);
        let message = if message.is_empty() { DEFAULT_MESSAGE.to_owned() } else { message };
        Self { message, kind: None, param: None, code: None }
    }
}

/// Messages and fields of a list of validation errors, as `FastAPI` writes it.
fn validation_messages(errors: &[Value]) -> String {
    let messages = errors.iter().take(8).filter_map(|error| {
        let message = error.get("msg").or_else(|| error.get("message"))?.as_str()?;
        let place = error.get("loc").and_then(Value::as_array).into_iter().flatten();
        let place: Vec<String> = place
            .filter(|part| part.as_str() != Some("body"))
            .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
            .collect();
        let gap = if place.is_empty() { "" } else { ": " };
        Some(format!("{}{gap}{message}", place.join(".")))
    });
    messages.collect::<Vec<_>>().join("; ")
}

/// Removes control characters, addresses and credentials, and cuts the text to `most` characters.
fn sanitize<'a>(text: &str, secrets: impl Iterator<Item = &'a str>, most: usize) -> String {
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    for secret in secrets.filter(|secret| !secret.is_empty()) {
        if text.contains(secret) {
            text = text.replace(secret, "[…]");
        }
    }
    let mut shown = String::new();
    let mut after_scheme = false;
    for piece in text.split_inclusive(ends_url) {
        let bare = piece.trim_end_matches(ends_url);
        if bare.contains("://") || bare.starts_with("//") {
            // Including the query, which may hold a credential.
            let end = &bare[bare.trim_end_matches(is_end).len()..];
            shown.push_str("[url]");
            shown.push_str(end);
        } else {
            push_words(&mut shown, bare, &mut after_scheme);
        }
        shown.push_str(&piece[bare.len()..]);
    }
    match shown.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// Appends a text without URLs, replacing hosts and credentials.
fn push_words(shown: &mut String, text: &str, after_scheme: &mut bool) {
    for word in text.split_inclusive(is_gap) {
        let bare = word.trim_end_matches(is_gap);
        let (core, end) = bare.split_at(bare.trim_end_matches(is_end).len());
        let is_credential = *after_scheme && !core.is_empty();
        shown.push_str(if is_credential {
            "[credential]"
        } else {
            redaction(core).unwrap_or(core)
        });
        if !core.is_empty() {
            *after_scheme = matches!(core, "Bearer" | "Basic" | "bearer" | "basic");
        }
        shown.push_str(end);
        shown.push_str(&word[bare.len()..]);
    }
}

/// Characters that end a URL.
const fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '(' | ')' | '<' | '>' | '{' | '}')
}

/// Characters that separate words elsewhere.
const fn is_gap(c: char) -> bool {
    matches!(c, ',' | ';' | '=')
}

/// Punctuation that may follow a word.
const fn is_end(c: char) -> bool {
    matches!(c, '.' | ':' | '?' | '!' | '/' | ',' | ';')
}

/// The replacement of a word that a client must not see.
fn redaction(word: &str) -> Option<&'static str> {
    let is_credential =
        CREDENTIAL_PREFIXES.iter().any(|begin| word.starts_with(begin)) || is_opaque(word);
    if is_credential {
        Some("[credential]")
    } else if is_host(word) {
        Some("[host]")
    } else {
        None
    }
}

/// Whether it contains a long run of letters and digits that has both.
fn is_opaque(word: &str) -> bool {
    word.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
        run.len() >= MIN_OPAQUE_LENGTH
            && run.bytes().any(|byte| byte.is_ascii_digit())
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
    })
}

/// Whether it is an IP address or a host name, possibly with a port or a path.
fn is_host(word: &str) -> bool {
    let word = word.rsplit_once('@').map_or(word, |(_, host)| host);
    let word: Cow<'_, str> = match word.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => return address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => word.split('/').next().unwrap_or_default().into(),
    };
    if word.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    let (name, port) = match word.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (&*word, None),
    };
    let is_name = name.split('.').all(|label| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    });
    if !is_name {
        return false;
    }
    let is_port = |port: &str| port.len() >= 2 && port.parse::<u16>().is_ok();
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    name.eq_ignore_ascii_case("localhost")
        || port.is_some_and(is_port) && name.parse::<u64>().is_err()
        || name.contains('.') && HOST_SUFFIXES.contains(&last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        sanitize(text, ["vllm-7.example", "topsecret"].into_iter(), 200)
    }

    #[test]
    fn addresses_and_credentials_are_redacted() {
        for (message, expected) in [
            ("see https://api.example.com/v1?key=1.", "see [url]."),
            ("(url=http://u:p@a/b;c?d=e,f&g=h), or //a/b", "([url]), or [url]"),
            ("connect to 10.0.0.7:8000 failed", "connect to [host] failed"),
            ("host gpu-3:8000/v1, or fe80::1", "host [host], or [host]"),
            ("at [fe80::1]:80: no", "at [host]: no"),
            ("by inference.prod.svc or localhost", "by [host] or [host]"),
            ("key sk-proj-abc***xyz is wrong", "key [credential] is wrong"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer [credential]"),
            ("token=0123456789abcdef0123456789abcdef!", "token=[credential]!"),
            ("root@db.internal and vllm-7.example", "[host] and […]"),
            ("the topsecret", "the […]"),
        ] {
            assert_eq!(shown(message), expected);
        }
    }

    #[test]
    fn helpful_words_are_kept() {
        for message in [
            "This model's maximum context length is 8192 tokens.",
            "messages.0.content: too long, at most 1.5 of [0, 1]",
            "`Qwen/Qwen3.6-27B-Instruct-FP8` does not take `tools[0].function`",
            "line 3 column 14: expected value",
        ] {
            assert_eq!(shown(message), message);
        }
        assert_eq!(shown(&"a ".repeat(300)).chars().count(), 201);
        assert_eq!(shown("a\u{7}b"), "a b");
    }

    #[test]
    fn errors_of_every_format_are_parsed() {
        let read = |body: &str| read(body.as_bytes(), &std::iter::empty());
        let error = read(r#"{"error": {"message": "no", "type": "x", "param": null, "code": 7}}"#);
        assert_eq!((error.message.as_str(), error.kind.as_deref()), ("no", Some("x")));
        assert_eq!((error.param, error.code.as_deref()), (None, Some("7")));
        for (body, words) in [
            (r#"{"error": "no"}"#, "no"),
            (r#"{"detail": "no"}"#, "no"),
            (r#"{"detail": {"message": "no"}}"#, "no"),
            (
                r#"{"detail": [{"loc": ["body", "messages", 0], "msg": "no"}, {"msg": "x"}]}"#,
                "messages.0: no; x",
            ),
            (r#"{"object": "error", "message": "no", "code": 400}"#, "no"),
            ("\"no\"", "no"),
            ("no", "no"),
            ("<html><body>no</body></html>", DEFAULT_MESSAGE),
            ("{}", DEFAULT_MESSAGE),
            ("", DEFAULT_MESSAGE),
            (r#"{"error": null}"#, DEFAULT_MESSAGE),
            (r#"{"error": {"message": ""}}"#, DEFAULT_MESSAGE),
        ] {
            assert_eq!(read(body).message, words, "{body}");
        }
    }

    #[test]
    fn rejected_credentials_are_recognized() {
        let read = |body: &str| read(body.as_bytes(), &std::iter::empty());
        for body in [
            r#"{"error": {"message": "Authentication Error, no such key", "type": "auth_error"}}"#,
            r#"{"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}"#,
            r#"{"detail": "Invalid token"}"#,
        ] {
            assert!(read(body).is_unauthorized(), "{body}");
        }
        for body in [
            r#"{"error": {"message": "Your country is not supported", "code": "unsupported"}}"#,
            r#"{"error": {"message": "max_tokens is too large", "type": "invalid_request_error"}}"#,
        ] {
            assert!(!read(body).is_unauthorized(), "{body}");
        }
        assert!(read(r#"{"error": {"type": "insufficient_quota"}}"#).is_quota());
    }
}
