//! The security contact of this installation, for `/.well-known/security.txt`.

use std::fmt;
use std::str::FromStr;

/// A URI, as RFC 9116 wants a contact: an address on the web, of mail, or a telephone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityContact(String);

/// Why a text is no contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "use an email address such as security@example.com, or a URI that starts with https://, \
     mailto: or tel:"
)]
pub struct InvalidContact;

impl FromStr for SecurityContact {
    type Err = InvalidContact;

    fn from_str(text: &str) -> Result<Self, InvalidContact> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidContact);
        }
        let is_uri = ["https://", "mailto:", "tel:"]
            .iter()
            .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
        let is_mail = || {
            let (name, host) = text.split_once('@')?;
            let plain = !name.is_empty() && !host.is_empty() && !text.contains([':', '/']);
            plain.then_some(())
        };
        if is_uri {
            Ok(Self(text.to_owned()))
        } else if is_mail().is_some() {
            Ok(Self(format!("mailto:{text}")))
        } else {
            Err(InvalidContact)
        }
    }
}

impl fmt::Display for SecurityContact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_uris() {
        for (text, contact) in [
            ("security@example.com", "mailto:security@example.com"),
            ("mailto:security@example.com", "mailto:security@example.com"),
            ("https://example.com/security", "https://example.com/security"),
            ("tel:+1-201-555-0123", "tel:+1-201-555-0123"),
        ] {
            assert_eq!(text.parse::<SecurityContact>().unwrap().to_string(), contact);
        }
        for text in ["", "security", "http://example.com", "https://", "a@b\r\nX: y", "a b@c"] {
            assert_eq!(text.parse::<SecurityContact>(), Err(InvalidContact), "{text}");
        }
    }
}
