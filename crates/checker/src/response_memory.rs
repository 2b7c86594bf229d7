//! Remembers whose the stored responses of calls are: see `stored_responses`. The checker does it
//! for the gateway, which has no database, as it does with usage.

use latchkey_domain::id::ProjectId;
use latchkey_store::Error;

use crate::checker::Checker;
use crate::stored_responses::ResponseStore;

impl Checker {
    /// Notes that a response belongs to a project. It neither waits nor fails.
    pub fn remember_response(&self, project: ProjectId, id: &str, store: ResponseStore) {
        self.stored_responses.add(project, id, store, self.clock.now());
    }

    /// Notes that an output item of a response, or its container, belongs to a project. It neither
    /// waits nor fails.
    pub fn remember_item(&self, project: ProjectId, id: &str, store: ResponseStore) {
        self.stored_responses.add_item(project, id, store, self.clock.now());
    }

    /// Where these output items and containers of this project’s responses are stored. `None`:
    /// the project lacks one of them. Waits as [`Self::find_response`] does.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_items(
        &self,
        project: ProjectId,
        ids: &[String],
    ) -> Result<Option<Vec<ResponseStore>>, Error> {
        self.stored_responses.find_items(&self.database, (project, ids), self.clock.now()).await
    }

    /// Where a response of this project is stored. `None`: the project has no such response. Waits
    /// a moment for other nodes, which may not have written theirs yet.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_response(
        &self,
        project: ProjectId,
        id: &str,
    ) -> Result<Option<ResponseStore>, Error> {
        self.stored_responses.find(&self.database, (project, id), self.clock.now()).await
    }

    /// Forgets a response that was deleted.
    ///
    /// # Errors
    /// The database fails.
    pub async fn forget_response(&self, project: ProjectId, id: &str) -> Result<(), Error> {
        self.stored_responses.forget(&self.database, project, id).await
    }

    /// Waits until a response was noted that may not be written yet.
    pub async fn response_added(&self) {
        self.stored_responses.added().await;
    }

    /// Writes the responses that were noted so far.
    ///
    /// # Errors
    /// The database fails. They are kept for the next attempt.
    pub async fn write_responses(&self) -> Result<(), Error> {
        self.stored_responses.write(&self.database).await
    }
}
