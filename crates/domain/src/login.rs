//! GitHub logins.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A GitHub login: 1–39 letters, digits and single inner hyphens, and for users managed by an
/// enterprise an underscore and the company's short code. Case is preserved, and ignored in
/// comparisons.
///
/// Source: [GitHub's rules for user
/// names](https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GithubLogin(String);

/// Why a text is not a valid login. The message is shown at the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Enter a GitHub username: letters, digits and single hyphens.")]
pub struct InvalidLogin;

impl GithubLogin {
    /// Maximum number of characters.
    pub const LONGEST: usize = 39;

    /// Parses a login exactly as GitHub returns it. If it needed any correction, it would be
    /// another user's.
    ///
    /// # Errors
    /// The text is not a login.
    pub fn exact(text: &str) -> Result<Self, InvalidLogin> {
        let login: Self = text.parse()?;
        if login.0 == text { Ok(login) } else { Err(InvalidLogin) }
    }

    /// The login as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GithubLogin {
    type Err = InvalidLogin;

    /// Also accepts `@octocat`, as people write it.
    fn from_str(text: &str) -> Result<Self, InvalidLogin> {
        let text = text.trim();
        let login = text.strip_prefix('@').unwrap_or(text);
        let bytes = login.as_bytes();
        let hyphen_outside = login.starts_with('-') || login.ends_with('-') || login.contains("--");
        let good = (1..=Self::LONGEST).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !hyphen_outside
            && !login.starts_with('_');
        if good { Ok(Self(login.to_owned())) } else { Err(InvalidLogin) }
    }
}

impl fmt::Display for GithubLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for GithubLogin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for GithubLogin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for GithubLogin {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .min_length(Some(1))
            .max_length(Some(Self::LONGEST))
            .pattern(Some("^[A-Za-z0-9](?:-?[A-Za-z0-9_])*$"))
            .examples(["octocat"])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for GithubLogin {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_is_distinguished_from_other_text() {
        for good in ["octocat", "a", "O-c-t", "mona_acme", "7of9", &"a".repeat(39)] {
            assert_eq!(good.parse::<GithubLogin>().unwrap().as_str(), good);
        }
        assert_eq!(" @octocat ".parse::<GithubLogin>().unwrap().as_str(), "octocat");
        for bad in ["", "@", "-a", "a-", "a--b", "a b", "_a", "é", "a\0", "a/b", &"a".repeat(40)] {
            assert_eq!(bad.parse::<GithubLogin>(), Err(InvalidLogin), "{bad:?}");
            assert_eq!(GithubLogin::exact(bad), Err(InvalidLogin), "{bad:?}");
        }
        assert_eq!(GithubLogin::exact("O-c-t").unwrap().as_str(), "O-c-t");
        for mended in ["@octocat", " octocat", "octocat\n"] {
            assert_eq!(GithubLogin::exact(mended), Err(InvalidLogin), "{mended:?}");
        }
    }
}
