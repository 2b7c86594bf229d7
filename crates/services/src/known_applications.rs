//! Projects of applications that checks name, remembered for a moment.
//!
//! A proxy names the same application with each request, and an application never moves to another
//! project. So a check asks the database once in [`KEPT_FOR`], not once per request. Only what
//! exists is remembered: an application that is missing now may be created.
//!
//! A deleted application is forgotten at once on its node, and within [`KEPT_FOR`] on others. Its
//! own keys are revoked by the deletion and need no memory for that.

use std::time::Duration;

use latchkey_domain::id::{ApplicationId, ProjectId};
use quick_cache::sync::Cache;

/// Maximum number of remembered applications.
const MAX_APPLICATIONS: usize = 16_384;
/// How long an application is remembered, as long as a cached key.
const KEPT_FOR: Duration = Duration::from_millis(700);

/// Applications that existed a moment ago, each with its project and until when that counts.
pub(crate) struct KnownApplications(Cache<ApplicationId, (ProjectId, Duration)>);

impl KnownApplications {
    pub(crate) fn new() -> Self {
        Self(Cache::new(MAX_APPLICATIONS))
    }

    /// Project of an application, if it is remembered at `now` (monotonic).
    pub(crate) fn project(&self, application: ApplicationId, now: Duration) -> Option<ProjectId> {
        self.0.get(&application).filter(|(_, until)| now < *until).map(|(project, _)| project)
    }

    /// Remembers an application that was found by a query begun at `now` (monotonic).
    pub(crate) fn remember(&self, application: ApplicationId, project: ProjectId, now: Duration) {
        self.0.insert(application, (project, now + KEPT_FOR));
    }

    /// Asks the database the next time. Call it after the deletion was committed.
    pub(crate) fn forget(&self, application: ApplicationId) {
        self.0.remove(&application);
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::time::Timestamp;

    use super::*;

    #[test]
    fn application_is_remembered_for_a_moment() {
        let known = KnownApplications::new();
        let application = ApplicationId::new(Timestamp::from_millis(0), [1; 10]);
        let project = ProjectId::new(Timestamp::from_millis(0), [2; 10]);
        assert_eq!(known.project(application, Duration::ZERO), None);
        known.remember(application, project, Duration::ZERO);
        assert_eq!(known.project(application, Duration::ZERO), Some(project));
        assert_eq!(known.project(application, KEPT_FOR), None);
        known.forget(application);
        assert_eq!(known.project(application, Duration::ZERO), None);
    }
}
