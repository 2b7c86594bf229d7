//! The caller of a request, authenticated a second time when its body has arrived.
//!
//! A client may hold back the last byte of a body. Until it comes, the session may end and the key
//! may be revoked. The extractors that authenticate a request store the caller here, and
//! [`super::json::read`], which reads every body, checks it again.

use std::sync::Arc;

use latchkey_checker::{CheckRequest, KeyRecord, KeyVersion};
use latchkey_services::{Actor, Services, accounts};

use super::problem::Refusal;

/// The caller that was authenticated by the head of a request.
#[derive(Clone)]
pub(crate) struct AuthenticatedCaller {
    services: Services,
    who: Who,
}

#[derive(Clone)]
enum Who {
    Caller(Actor),
    Key { key: Arc<KeyRecord>, seen: KeyVersion, call: CheckRequest<'static> },
}

impl AuthenticatedCaller {
    /// A person or a service key.
    pub(crate) fn caller(services: &Services, actor: &Actor) -> Self {
        Self { services: services.clone(), who: Who::Caller(actor.clone()) }
    }

    /// A key that was admitted to a call.
    pub(crate) fn key(
        services: &Services,
        key: &Arc<KeyRecord>,
        seen: &KeyVersion,
        call: CheckRequest<'static>,
    ) -> Self {
        let (key, seen) = (Arc::clone(key), seen.clone());
        Self { services: services.clone(), who: Who::Key { key, seen, call } }
    }

    /// Authenticates again without counting again.
    ///
    /// # Errors
    /// As for a request that comes now.
    pub(crate) async fn confirm(&self) -> Result<(), Refusal> {
        match &self.who {
            Who::Caller(actor) => accounts::confirm(&self.services, actor).await?,
            Who::Key { key, seen, call } => {
                self.services.checker.confirm(key, seen, *call).await?;
            }
        }
        Ok(())
    }
}
