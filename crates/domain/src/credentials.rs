//! Credentials of a request.

use crate::secret::{MalformedSecret, PresentedKey};

/// The token of an `Authorization` header with the `Bearer` scheme (RFC 6750), whose name is
/// case-insensitive.
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A request contains two different keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The request contains two different keys. Send only one.")]
pub struct TwoKeys;

/// Selects one of two credentials: the only one that has the form of our keys, else the first.
///
/// # Errors
/// Both have that form and differ.
pub fn counting<'a>(
    first: Option<&'a str>,
    other: Option<&'a str>,
) -> Result<Option<&'a str>, TwoKeys> {
    counting_imported(first, other, |_| false)
}

/// As [`counting`]: if neither has the form of our keys, the only one that looks like an imported
/// key is selected.
///
/// # Errors
/// Both have the form of our keys and differ.
pub fn counting_imported<'a>(
    first: Option<&'a str>,
    other: Option<&'a str>,
    is_imported: impl Fn(&str) -> bool,
) -> Result<Option<&'a str>, TwoKeys> {
    let (Some(one), Some(another)) = (first, other) else { return Ok(first.or(other)) };
    let is_ours = |text| !matches!(PresentedKey::parse(text), Err(MalformedSecret::Form));
    match (is_ours(one), is_ours(another)) {
        (true, true) if one != another => Err(TwoKeys),
        (false, true) => Ok(other),
        (false, false) if !is_imported(one) && is_imported(another) => Ok(other),
        _ => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_selected_from_two_credentials() {
        let key = "lk_live_000000000000000000000000000000004cjNQE";
        let mistyped = "lk_live_000000000000000000000000000000004cjNQF";
        let other = "eyJ.eyJ.x";
        assert_eq!(counting(None, None), Ok(None));
        assert_eq!(counting(Some(key), None), Ok(Some(key)));
        assert_eq!(counting(None, Some(key)), Ok(Some(key)));
        assert_eq!(counting(Some(other), Some(key)), Ok(Some(key)));
        assert_eq!(counting(Some(key), Some(other)), Ok(Some(key)));
        assert_eq!(counting(Some(key), Some(key)), Ok(Some(key)));
        assert_eq!(counting(Some(other), Some("x")), Ok(Some(other)));
        assert_eq!(counting(Some(key), Some(mistyped)), Err(TwoKeys));
    }

    #[test]
    fn imported_key_counts_beside_what_is_no_key() {
        let key = "lk_live_000000000000000000000000000000004cjNQE";
        let of = |first, other| {
            counting_imported(Some(first), Some(other), |text| text.starts_with("sk-"))
        };
        assert_eq!(of("eyJ.eyJ.x", "sk-1"), Ok(Some("sk-1")));
        assert_eq!(of("sk-1", "eyJ.eyJ.x"), Ok(Some("sk-1")));
        assert_eq!(of("sk-1", "sk-2"), Ok(Some("sk-1")));
        assert_eq!(of("sk-1", key), Ok(Some(key)));
        assert_eq!(of(key, "sk-1"), Ok(Some(key)));
    }

    #[test]
    fn only_bearer_scheme_is_accepted() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        for header in ["", "Bearer", "Basic abc", "abc"] {
            assert_eq!(bearer(header), None, "{header}");
        }
    }
}
