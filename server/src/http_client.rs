//! What the calls that leave this process have in common: one cryptography, and nobody is followed
//! elsewhere.

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;

/// A client of HTTP to build. A redirect is an answer like any other: following one could carry a
/// credential to somebody else.
pub fn http_client() -> ClientBuilder {
    // The first call decides for the process, and there is one choice only (Cargo.toml): an error
    // says that it was made.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ClientBuilder::new().redirect(Policy::none())
}
