//! Keys that several tests make, and what a check said of them.

use latchkey_domain::key::Environment;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::secret::{KeyPrefix, SecretKey};
use latchkey_server::system::SystemRandom;
use latchkey_services::random::Random;
use serde_json::json;

use super::{Session, TestApp, denial, text};

impl TestApp {
    /// Makes a service key in the person's project; its secret and its id.
    pub(crate) async fn service_key(
        &self,
        who: &Session,
        permissions: &[&str],
    ) -> (String, String) {
        let body =
            json!({"name": permissions.join(" "), "kind": "service", "permissions": permissions});
        let created = self.create(who, &body).await;
        assert_eq!(created["api_key"]["permissions"], json!(permissions));
        (text(&created["key"]), text(&created["api_key"]["id"]))
    }
}

/// A key that is none of this server's, with a checksum that is right.
pub(crate) fn unknown_key() -> String {
    let fill = |buffer: &mut [u8]| SystemRandom.fill(buffer);
    SecretKey::generate(&KeyPrefix::default(), Environment::Live, fill).expose().to_owned()
}

/// The outcome of a check.
pub(crate) fn outcome_of<T>(checked: Result<T, latchkey_checker::Error>) -> Outcome {
    match checked {
        Ok(_) => Outcome::Valid,
        Err(error) => denial(error).outcome,
    }
}
