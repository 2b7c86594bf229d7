//! The HTTP client for all outgoing calls: one TLS provider, and redirects are not followed.

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;

/// A builder for an HTTP client. It does not follow redirects, which could carry a credential to
/// another host.
pub fn http_client() -> ClientBuilder {
    install_cryptography();
    ClientBuilder::new().redirect(Policy::none())
}

/// Chooses the cryptography of TLS, which an HTTP client of any kind needs before it is built.
pub(crate) fn install_cryptography() {
    // The first call decides for the process, and there is one choice only (Cargo.toml): an error
    // says that it was made.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
