//! Redis address from the configuration.

use std::fmt;

use redis::{Client, ConnectionAddr, ErrorKind, RedisError};

/// Redis URL. It may contain a password, so `Debug` redacts it.
#[derive(Clone)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// Parses the setting.
    ///
    /// # Errors
    /// The URL is not a Redis URL, or disables certificate verification.
    pub fn new(url: &str) -> Result<Self, RedisError> {
        let client = Client::open(url)?;
        if let ConnectionAddr::TcpTls { insecure: true, .. } = client.get_connection_info().addr() {
            let why = "certificates are always verified; remove #insecure, and set SSL_CERT_FILE \
                       to the file of your certificate authority";
            return Err((ErrorKind::InvalidClientConfig, why).into());
        }
        Ok(Self(url.to_owned()))
    }

    /// Address without credentials, for logs and errors.
    pub(super) fn host(&self) -> String {
        let client = self.client();
        client.map_or_else(
            |_| "Redis".to_owned(),
            |client| format!("Redis at {}", client.get_connection_info().addr()),
        )
    }

    pub(super) fn client(&self) -> Result<Client, RedisError> {
        Client::open(self.0.as_str())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl([redacted])")
    }
}
