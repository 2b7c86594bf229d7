//! Origins whose pages may call from a browser.

use anyhow::{Context, bail};
use axum::http::{HeaderValue, Uri};

/// Origins whose pages may call ingest, the gateway and `/v1/key` from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// All origins are allowed.
    Any,
    /// These, as browsers write them.
    Named(Vec<HeaderValue>),
}

impl CorsOrigins {
    /// Parses the setting. Without a value, no origin is allowed.
    ///
    /// # Errors
    /// One is no origin.
    pub(super) fn parse(setting: &[String]) -> anyhow::Result<Option<Self>> {
        let names = setting.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
        let mut origins = Vec::new();
        for name in names {
            if name == "*" {
                return Ok(Some(Self::Any));
            }
            origins.push(origin(name).with_context(|| format!("LATCHKEY_CORS_ORIGINS, {name}"))?);
        }
        Ok((!origins.is_empty()).then_some(Self::Named(origins)))
    }
}

/// Browsers send an origin in lower case, without a slash at its end.
fn origin(name: &str) -> anyhow::Result<HeaderValue> {
    let uri: Uri = name.parse().context("is not a URL")?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        bail!("specify a scheme and a host, e.g. https://shop.example");
    };
    if !uri.path().trim_matches('/').is_empty()
        || uri.query().is_some()
        || authority.as_str().contains('@')
    {
        bail!("is not an origin: specify only scheme, host and port");
    }
    let origin = format!("{scheme}://{authority}").to_ascii_lowercase();
    HeaderValue::from_str(&origin).context("is not an origin")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(setting: &[&str]) -> anyhow::Result<Option<CorsOrigins>> {
        CorsOrigins::parse(&setting.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        assert_eq!(parse(&[]).unwrap(), None);
        assert_eq!(parse(&["", " "]).unwrap(), None);
        assert_eq!(parse(&["https://a.example", "*"]).unwrap(), Some(CorsOrigins::Any));
        let named = parse(&["https://Shop.Example/", " http://localhost:5173"]).unwrap();
        let expected = ["https://shop.example", "http://localhost:5173"];
        let expected = expected.map(HeaderValue::from_static).to_vec();
        assert_eq!(named, Some(CorsOrigins::Named(expected)));
    }

    #[test]
    fn invalid_origin_is_rejected_by_name() {
        for name in ["shop.example", "https://a/b", "https://a?b", "https://u:p@a", "//a", "a b"] {
            let error = format!("{:#}", parse(&[name]).unwrap_err());
            assert!(error.contains("LATCHKEY_CORS_ORIGINS"), "{error}");
        }
    }
}
