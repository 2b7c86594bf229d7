//! Who came with the head of a request, to be looked at again once its body is there.
//!
//! A client may hold back the last byte of a body for as long as the server waits. By then the
//! session may have ended and the key may have been revoked. The extractors that authenticate a
//! request leave here what they found, and [`super::json::read`], which reads every body behind
//! them, asks again.

use std::sync::Arc;

use latchkey_checker::{CheckRequest, KeyRecord, KeyVersion};
use latchkey_services::{Actor, Services, accounts};

use super::problem::Refusal;

/// Who came with the head of a request.
#[derive(Clone)]
pub(crate) struct Presented {
    services: Services,
    who: Who,
}

#[derive(Clone)]
enum Who {
    Caller(Actor),
    Key { key: Arc<KeyRecord>, seen: KeyVersion, call: CheckRequest<'static> },
}

impl Presented {
    /// A person or a service key.
    pub(crate) fn caller(services: &Services, actor: &Actor) -> Self {
        Self { services: services.clone(), who: Who::Caller(actor.clone()) }
    }

    /// A key that was admitted to a call.
    pub(crate) fn key(
        services: &Services,
        key: &Arc<KeyRecord>,
        seen: KeyVersion,
        call: CheckRequest<'static>,
    ) -> Self {
        let key = Arc::clone(key);
        Self { services: services.clone(), who: Who::Key { key, seen, call } }
    }

    /// Looks again. Nothing is counted a second time.
    ///
    /// # Errors
    /// As for a request that comes now.
    pub(crate) async fn confirm(&self) -> Result<(), Refusal> {
        match &self.who {
            Who::Caller(actor) => accounts::confirm(&self.services, actor).await?,
            Who::Key { key, seen, call } => {
                self.services.checker.confirm(key, *seen, *call).await?;
            }
        }
        Ok(())
    }
}
