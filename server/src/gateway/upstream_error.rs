//! What an upstream says of a call that it refused, as a client may read it.
//!
//! Its words help whoever sent something wrong, and may name what is none of their business: where
//! the upstream is, and by which credential it was called. Those are left out, and what is left is
//! bounded.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

/// The longest error that is read, in bytes.
pub(super) const LONGEST: usize = 64 * 1024;
/// What is passed on of its words, in characters.
const MESSAGE: usize = 1_000;
/// What is passed on of its codes.
const CODE: usize = 64;
/// A run of letters and digits that is as long is no word.
const OPAQUE: usize = 32;

/// How credentials of the usual upstreams begin.
const CREDENTIALS: [&str; 14] = [
    "sk-", "sk_", "pk-", "rk_", "xai-", "gsk_", "hf_", "AIza", "ghp_", "eyJ", "nvapi-", "tgp_",
    "fw_", "AKIA",
];
/// How names of hosts end, mostly: a dotted word that ends otherwise may as well be a field's path
/// or a version.
const HOSTS: [&str; 26] = [
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

/// An upstream's error.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UpstreamError {
    pub(super) message: String,
    pub(super) kind: Option<String>,
    pub(super) param: Option<String>,
    pub(super) code: Option<String>,
}

/// Reads an error in OpenAI's shape; none: it is none. `secrets` are the upstream's own host and
/// credential.
pub(super) fn read<'a>(
    json: &[u8],
    secrets: &(impl Iterator<Item = &'a str> + Clone),
) -> Option<UpstreamError> {
    #[derive(Deserialize)]
    struct Answer {
        error: Detail,
    }
    #[derive(Deserialize)]
    struct Detail {
        message: Option<Value>,
        r#type: Option<Value>,
        param: Option<Value>,
        code: Option<Value>,
    }
    let Answer { error } = serde_json::from_slice(json).ok()?;
    let text = |value: Option<Value>, most: usize| {
        let text = match value? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some(presentable(&text, secrets.clone(), most))
    };
    let message = text(error.message, MESSAGE).filter(|message| !message.is_empty());
    Some(UpstreamError {
        message: message.unwrap_or_else(|| "The upstream refused this request.".to_owned()),
        kind: text(error.r#type, CODE),
        param: text(error.param, CODE),
        code: text(error.code, CODE),
    })
}

/// A text without control characters, addresses and credentials, cut to so many characters.
fn presentable<'a>(text: &str, secrets: impl Iterator<Item = &'a str>, most: usize) -> String {
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
            // With its query: that may hold a credential.
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

/// Adds the words of a text that has no URL, without those that a client has no business with.
fn push_words(shown: &mut String, text: &str, after_scheme: &mut bool) {
    for word in text.split_inclusive(is_gap) {
        let bare = word.trim_end_matches(is_gap);
        let (core, end) = bare.split_at(bare.trim_end_matches(is_end).len());
        let is_credential = *after_scheme && !core.is_empty();
        shown.push_str(if is_credential { "[credential]" } else { hides(core).unwrap_or(core) });
        if !core.is_empty() {
            *after_scheme = matches!(core, "Bearer" | "Basic" | "bearer" | "basic");
        }
        shown.push_str(end);
        shown.push_str(&word[bare.len()..]);
    }
}

/// What no URL holds.
const fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '(' | ')' | '<' | '>' | '{' | '}')
}

/// What separates words elsewhere.
const fn is_gap(c: char) -> bool {
    matches!(c, ',' | ';' | '=')
}

/// What may stand behind a word.
const fn is_end(c: char) -> bool {
    matches!(c, '.' | ':' | '?' | '!' | '/' | ',' | ';')
}

/// What stands in the place of a word that a client has no business with.
fn hides(word: &str) -> Option<&'static str> {
    let is_credential = CREDENTIALS.iter().any(|begin| word.starts_with(begin)) || is_opaque(word);
    if is_credential {
        Some("[credential]")
    } else if is_host(word) {
        Some("[host]")
    } else {
        None
    }
}

/// A long run of letters and digits, both of them.
fn is_opaque(word: &str) -> bool {
    word.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
        run.len() >= OPAQUE
            && run.bytes().any(|byte| byte.is_ascii_digit())
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
    })
}

/// An address, a name of a host, or either with a port or a path.
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
        || name.contains('.') && HOSTS.contains(&last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        presentable(text, ["vllm-7.example", "topsecret"].into_iter(), 200)
    }

    #[test]
    fn addresses_and_credentials_are_left_out() {
        for (said, wanted) in [
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
            assert_eq!(shown(said), wanted);
        }
    }

    #[test]
    fn words_that_help_are_kept() {
        for said in [
            "This model's maximum context length is 8192 tokens.",
            "messages.0.content: too long, at most 1.5 of [0, 1]",
            "`Qwen/Qwen3.6-27B-Instruct-FP8` does not take `tools[0].function`",
            "line 3 column 14: expected value",
        ] {
            assert_eq!(shown(said), said);
        }
        assert_eq!(shown(&"a ".repeat(300)).chars().count(), 201);
        assert_eq!(shown("a\u{7}b"), "a b");
    }

    #[test]
    fn only_errors_in_the_usual_shape_are_read() {
        let read = |json: &str| read(json.as_bytes(), &std::iter::empty());
        let error = read(r#"{"error": {"message": "no", "type": "x", "param": null, "code": 7}}"#);
        let error = error.unwrap();
        assert_eq!((error.message.as_str(), error.kind.as_deref()), ("no", Some("x")));
        assert_eq!((error.param, error.code.as_deref()), (None, Some("7")));
        for json in ["", "{}", r#"{"error": "no"}"#, r#"{"error": null}"#] {
            assert!(read(json).is_none(), "{json}");
        }
    }
}
