//! Settles a background response when a client reads that it has ended.

use latchkey_checker::{BackgroundUsage, Checker};
use latchkey_domain::id::ProjectId;

use super::told_response::ToldResponse;

/// Reads a stored response on its way to a client. That it may be none of the background is known
/// only to the database, which is asked when the response has ended.
pub(super) struct BackgroundReader {
    checker: Checker,
    project: ProjectId,
    id: String,
    told: ToldResponse,
    is_settled: bool,
}

impl BackgroundReader {
    pub(super) fn new(checker: &Checker, project: ProjectId, id: &str) -> Self {
        let (checker, id, told) = (checker.clone(), id.to_owned(), ToldResponse::new());
        Self { checker, project, id, told, is_settled: false }
    }

    /// Reads bytes of a whole response. If they are its last ones, it is settled when this returns.
    pub(super) async fn read(&mut self, bytes: &[u8]) {
        if let Some(used) = self.told.read(bytes) {
            self.settle(used).await;
        }
    }

    /// Settles the response, the first time that it is called. If the database fails, the gateway
    /// settles it later.
    pub(super) async fn settle(&mut self, used: BackgroundUsage) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        let settled = self.checker.settle_background(self.project, &self.id, used).await;
        if let Err(error) = settled {
            tracing::warn!(%error, "Failed to settle a background response; retrying later");
        }
    }
}
