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

/// As [`counting`]: if neither has the form of our keys, the only one that is no JWT is selected,
/// else the only one that looks like an imported key.
///
/// A JWT beside a key is of a proxy or an identity provider. This goes before the look of imported
/// keys, because any tenant may have imported keys that look like everybody's JWTs.
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
        (false, false) => {
            let first_is_jwt = is_jwt(one);
            let is_other = if first_is_jwt == is_jwt(another) {
                !is_imported(one) && is_imported(another)
            } else {
                first_is_jwt
            };
            Ok(if is_other { other } else { first })
        }
        _ => Ok(first),
    }
}

/// Whether a text has the structure of a JWT (RFC 7519): three or five parts in base64url, of which
/// the first is an object.
fn is_jwt(text: &str) -> bool {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let dots = text.matches('.').count();
    text.starts_with("ey")
        && matches!(dots, 2 | 4)
        && text.bytes().all(|byte| byte == b'.' || is_base64url(byte))
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
        assert_eq!(counting(Some("y"), Some("x")), Ok(Some("y")));
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
    fn jwt_beside_another_credential_is_no_key() {
        let jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln_-";
        // Whichever of them looks like somebody's imported keys.
        for start in ["ey", "sk-", "", "none"] {
            let is_imported = |text: &str| text.starts_with(start);
            assert_eq!(counting_imported(Some(jwt), Some("sk-1"), is_imported), Ok(Some("sk-1")));
            assert_eq!(counting_imported(Some("sk-1"), Some(jwt), is_imported), Ok(Some("sk-1")));
        }
        let imported = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiIn0.c2ln";
        let is_imported = |text: &str| text == imported;
        assert_eq!(counting_imported(Some(jwt), Some(imported), is_imported), Ok(Some(imported)));
        assert_eq!(counting_imported(None, Some(imported), is_imported), Ok(Some(imported)));
        for no_jwt in ["ey", "eyJ.eyJ", "eyJ.eyJ.x.y", "eyJ.eyJ.x/", "sk.eyJ.x"] {
            assert!(!is_jwt(no_jwt), "{no_jwt}");
        }
        for jwt in [jwt, "eyJ.eyJ.", "eyJ..a.b.c"] {
            assert!(is_jwt(jwt), "{jwt}");
        }
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
