//! The built site: embedded in a release binary, read from `target/site` by a debug one.
//!
//! Each has a folder of its own, so that neither `make watch` nor a test can change what a release
//! embeds.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde::Deserialize;

use crate::cli::CargoLeptos;

#[derive(RustEmbed)]
#[cfg_attr(debug_assertions, folder = "../target/site")]
#[cfg_attr(not(debug_assertions), folder = "../target/site-release")]
#[allow_missing = true]
struct Site;

/// The names of the site's files, as `manifest.json` has them. Names with a hash in them never
/// change their content.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct SiteManifest {
    pub(crate) js: String,
    pub(crate) modules: Vec<String>,
    pub(crate) wasm: String,
    pub(crate) pieces: BTreeMap<String, Vec<String>>,
    pub(crate) css: String,
    pub(crate) preload: Vec<String>,
    #[serde(default)]
    pub(crate) reload_port: Option<u16>,
}

impl SiteManifest {
    /// Reads the manifest, unless cargo-leptos has built the site. Without a built site the pages
    /// still come, unstyled and without life, and the log says what to run.
    pub fn load(cargo_leptos: &CargoLeptos) -> Self {
        if let Some(name) = &cargo_leptos.output_name {
            let reload_port = cargo_leptos.watch.then_some(cargo_leptos.reload_port);
            return Self { reload_port, ..Self::of_cargo_leptos(name) };
        }
        let manifest = Site::get("manifest.json");
        manifest.and_then(|file| serde_json::from_slice(&file.data).ok()).unwrap_or_else(|| {
            tracing::warn!("The site is not built; run `make run` or scripts/build-site.sh");
            Self::default()
        })
    }

    /// What cargo-leptos builds: whole, under names without a hash.
    fn of_cargo_leptos(name: &str) -> Self {
        Self {
            js: format!("/pkg/{name}.js"),
            wasm: format!("/pkg/{name}.wasm"),
            css: format!("/pkg/{name}.css"),
            ..Self::default()
        }
    }
}

/// Serves a file of the site, compressed if there is a compressed one that the client takes.
pub(crate) fn serve(uri: &Uri, headers: &HeaderMap) -> Option<Response> {
    let path = uri.path().trim_start_matches('/');
    let ending = path.rsplit('.').next().unwrap_or_default();
    if path == "manifest.json" || matches!(ending, "br" | "gz") {
        return None;
    }
    let plain = Site::get(path)?;
    let kind = plain.metadata.mimetype().to_owned();
    let (file, encoding) = compressed(path, headers).unwrap_or((plain, None));
    let etag = etag(&file);
    let mut response = if headers.get(IF_NONE_MATCH) == Some(&etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(file.data).into_response()
    };
    let answer = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&kind) {
        answer.insert(CONTENT_TYPE, kind);
    }
    if let Some(encoding) = encoding {
        answer.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    answer.insert(VARY, HeaderValue::from_static("accept-encoding"));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static(caching(path)));
    answer.insert(ETAG, etag);
    Some(response)
}

fn compressed(path: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, Option<&'static str>)> {
    let accepted = headers.get(ACCEPT_ENCODING)?.to_str().ok()?;
    let takes = |name: &str| {
        accepted.split(',').map(str::trim).any(|item| {
            let (coding, weight) = item.split_once(';').unwrap_or((item, ""));
            coding.trim() == name && weight.replace(' ', "") != "q=0"
        })
    };
    [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .filter(|(coding, _)| takes(coding))
        .find_map(|(coding, ending)| Some((Site::get(&format!("{path}.{ending}"))?, Some(coding))))
}

/// Files under `pkg/` have their content's hash in their name, unless cargo-leptos built them.
fn caching(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    if path.starts_with("pkg/") && name.split('.').count() > 2 {
        "public, max-age=31536000, immutable"
    } else {
        "public, no-cache"
    }
}

fn etag(file: &EmbeddedFile) -> HeaderValue {
    let hash = file.metadata.sha256_hash();
    let start = u64::from_be_bytes(hash[..8].try_into().unwrap_or_default());
    HeaderValue::from_str(&format!("\"{start:016x}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_are_kept_for_good() {
        assert!(caching("pkg/latchkey.0123abcd.js").contains("immutable"));
        assert!(caching("pkg/latchkey.js").contains("no-cache"));
        assert!(caching("favicon.svg").contains("no-cache"));
    }

    #[test]
    fn cargo_leptos_site_has_no_hash_and_reloads_after_builds() {
        let mut settings = CargoLeptos {
            output_name: Some("latchkey".to_owned()),
            watch: true,
            reload_port: 3001,
        };
        let site = SiteManifest::load(&settings);
        assert_eq!((site.js.as_str(), site.reload_port), ("/pkg/latchkey.js", Some(3001)));
        settings.watch = false;
        assert_eq!(SiteManifest::load(&settings).reload_port, None);
    }
}
