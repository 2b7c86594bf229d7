//! The caps: fields by which a client limits the output tokens, and what the upstream is sent.
//!
//! Servers differ in the field that they read. A cap is only lowered, to what was reserved, and one
//! is added only if less was reserved than the model may generate. A cap of zero is never sent:
//! many servers take it for no cap.

use super::config::CapField;
use super::endpoint::Endpoint;
use super::error::GatewayError;
use super::fields::Fields;

/// Names of the fields that limit output tokens.
pub(super) const MAX_TOKENS_FIELDS: [&str; 3] =
    ["max_completion_tokens", "max_output_tokens", "max_tokens"];
/// The only name that the Responses API has for it, and that of the Messages API. Others would be
/// taken for a cap that the upstream does not read.
const RESPONSES_FIELDS: [&str; 1] = ["max_output_tokens"];
const MESSAGES_FIELDS: [&str; 1] = ["max_tokens"];

/// Names of the fields that limit the output of an endpoint. The last one is that of a cap that is
/// added.
const fn names(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::Messages | Endpoint::CountTokens => &MESSAGES_FIELDS,
        endpoint if endpoint.is_responses() => &RESPONSES_FIELDS,
        _ => &MAX_TOKENS_FIELDS,
    }
}

/// The caps of a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MaxTokens {
    smallest: Option<u64>,
    /// A field whose value is not a number of tokens, e.g. -1, which some servers take for "no
    /// cap".
    odd: Option<&'static str>,
}

impl MaxTokens {
    /// Reads the fields. Whether a value that is not a number of tokens is valid is left to the
    /// upstream, unless the key has token limits: see [`Self::check`].
    ///
    /// # Errors
    /// 400: a cap is zero.
    pub(super) fn read(fields: &Fields, endpoint: Endpoint) -> Result<Self, GatewayError> {
        let mut caps = Self::default();
        for name in names(endpoint).iter().copied() {
            let Some(text) = fields.get(name) else { continue };
            match tokens(text) {
                Some(0) => {
                    return Err(GatewayError::invalid(
                        name,
                        "Request at least one token, or omit this \
                                                       field.",
                    ));
                }
                Some(cap) => {
                    caps.smallest = Some(caps.smallest.map_or(cap, |other| other.min(cap)));
                }
                None => caps.odd = caps.odd.or(Some(name)),
            }
        }
        Ok(caps)
    }

    pub(super) const fn smallest(self) -> Option<u64> {
        self.smallest
    }

    /// Rejects a value that is not a number of tokens.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn check(self) -> Result<(), GatewayError> {
        match self.odd {
            Some(name) => Err(GatewayError::invalid(name, "Use a whole number of tokens.")),
            None => Ok(()),
        }
    }

    /// Writes the caps for an upstream. `most` is the model's maximum; `reserved` is the maximum of
    /// one completion, if there is one. The upstream's own `field` is for completions; other APIs
    /// know one name only.
    pub(super) fn apply(
        self,
        fields: &mut Fields,
        endpoint: Endpoint,
        field: Option<CapField>,
        most: u64,
        reserved: Option<u64>,
    ) {
        let field = field.filter(|_| matches!(endpoint, Endpoint::Chat | Endpoint::Completions));
        let added = reserved.filter(|reserved| *reserved < most && self.smallest.is_none());
        if let (Some(field), None) = (field, self.odd) {
            let cap = self.smallest.map(|cap| reserved.map_or(cap, |reserved| cap.min(reserved)));
            if let Some(cap) = cap.or(added) {
                let names = field.names();
                for name in MAX_TOKENS_FIELDS.iter().filter(|name| !names.contains(name)) {
                    fields.remove(name);
                }
                for name in names {
                    fields.set(name, cap.to_string());
                }
            }
            return;
        }
        let Some(reserved) = reserved else { return };
        for name in names(endpoint) {
            if fields.get(name).and_then(tokens).is_some_and(|cap| cap > reserved) {
                fields.set(name, reserved.to_string());
            }
        }
        if let (Some(cap), Some(name)) = (added, names(endpoint).last()) {
            fields.set(name, cap.to_string());
        }
    }
}

/// Parses a number of tokens: an integer, or a decimal whose fraction is zero.
pub(super) fn tokens(text: &str) -> Option<u64> {
    let whole = match text.split_once('.') {
        Some((whole, rest)) if !rest.is_empty() && rest.bytes().all(|digit| digit == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    whole.parse::<u32>().ok().map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body after its caps were applied.
    fn sent(body: &str, field: Option<CapField>, most: u64, reserved: Option<u64>) -> String {
        sent_to(Endpoint::Chat, body, field, most, reserved)
    }

    fn sent_to(
        endpoint: Endpoint,
        body: &str,
        field: Option<CapField>,
        most: u64,
        reserved: Option<u64>,
    ) -> String {
        let mut fields = Fields::read(body.to_owned().into(), "messages").unwrap();
        let caps = MaxTokens::read(&fields, endpoint).unwrap();
        caps.apply(&mut fields, endpoint, field, most, reserved);
        String::from_utf8(fields.into_bytes().into()).unwrap()
    }

    #[test]
    fn caps_are_only_lowered() {
        for (body, reserved, wanted) in [
            (r#"{"max_tokens":50}"#, Some(80), r#"{"max_tokens":50}"#),
            (r#"{"max_tokens":50}"#, Some(20), r#"{"max_tokens":20}"#),
            (r#"{"max_tokens":50}"#, None, r#"{"max_tokens":50}"#),
            (
                r#"{"max_tokens":500,"max_completion_tokens":10}"#,
                Some(10),
                r#"{"max_tokens":10,"max_completion_tokens":10}"#,
            ),
            (r#"{"max_completion_tokens":50}"#, Some(20), r#"{"max_completion_tokens":20}"#),
            (r#"{"max_output_tokens":50.0}"#, Some(20), r#"{"max_output_tokens":20}"#),
            (r#"{"a":1}"#, Some(900), r#"{"a":1,"max_tokens":900}"#),
            (r#"{"a":1}"#, Some(1_000), r#"{"a":1}"#),
            (r#"{"a":1}"#, None, r#"{"a":1}"#),
            (r#"{"max_tokens":-1}"#, None, r#"{"max_tokens":-1}"#),
            (r#"{"max_tokens":16.0}"#, None, r#"{"max_tokens":16.0}"#),
        ] {
            assert_eq!(sent(body, None, 1_000, reserved), wanted, "{body}");
        }
    }

    #[test]
    fn caps_are_sent_in_the_upstreams_field() {
        let body = r#"{"max_completion_tokens":50,"a":1}"#;
        let to = |field| sent(body, Some(field), 1_000, Some(20));
        assert_eq!(to(CapField::MaxTokens), r#"{"a":1,"max_tokens":20}"#);
        assert_eq!(to(CapField::MaxCompletionTokens), r#"{"max_completion_tokens":20,"a":1}"#);
        assert_eq!(to(CapField::Both), r#"{"max_completion_tokens":20,"a":1,"max_tokens":20}"#);
        let unlimited = sent(body, Some(CapField::MaxTokens), 1_000, None);
        assert_eq!(unlimited, r#"{"a":1,"max_tokens":50}"#);
        let none = |reserved| sent(r#"{"a":1}"#, Some(CapField::Both), 1_000, reserved);
        assert_eq!(none(None), r#"{"a":1}"#);
        assert_eq!(none(Some(9)), r#"{"a":1,"max_tokens":9,"max_completion_tokens":9}"#);
    }

    #[test]
    fn apis_with_one_name_for_the_cap_keep_it() {
        let field = Some(CapField::Both);
        for (endpoint, name) in
            [(Endpoint::Messages, "max_tokens"), (Endpoint::Responses, "max_output_tokens")]
        {
            let to = |body: &str| sent_to(endpoint, body, field, 1_000, Some(20));
            assert_eq!(to(r#"{"a":1}"#), format!("{{\"a\":1,\"{name}\":20}}"));
            let body = format!("{{\"{name}\":50}}");
            assert_eq!(to(&body), format!("{{\"{name}\":20}}"));
        }
        let other = sent_to(Endpoint::Responses, r#"{"max_tokens":5}"#, None, 1_000, Some(20));
        assert_eq!(other, r#"{"max_tokens":5,"max_output_tokens":20}"#, "it caps nothing there");
        let body = r#"{"max_output_tokens":5,"max_completion_tokens":0}"#;
        let other = sent_to(Endpoint::Messages, body, None, 1_000, Some(20));
        let wanted = r#"{"max_output_tokens":5,"max_completion_tokens":0,"max_tokens":20}"#;
        assert_eq!(other, wanted, "nor do these");
    }

    #[test]
    fn invalid_cap_is_rejected_for_limited_keys() {
        let read = |body: &str| {
            let fields = Fields::read(body.to_owned().into(), "messages").unwrap();
            MaxTokens::read(&fields, Endpoint::Chat)
        };
        for zero in [r#"{"max_tokens":0}"#, r#"{"max_tokens":9,"max_completion_tokens":0.0}"#] {
            assert!(read(zero).is_err(), "{zero}");
        }
        for odd in ["-1", "1.5", "\"16\"", "1e3", "true", "99999999999"] {
            let caps = read(&format!(r#"{{"max_tokens":{odd}}}"#)).unwrap();
            assert!(caps.smallest().is_none() && caps.check().is_err(), "{odd}");
        }
        assert_eq!(read(r#"{"max_tokens":null}"#).unwrap(), MaxTokens::default());
        assert_eq!(read(r#"{"max_tokens":16.0}"#).unwrap().smallest(), Some(16));
    }
}
